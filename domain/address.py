"""E-mail addresses, parsed (RFC 5321, 5322, 6531); hosts and ports come along from `domain.host`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

from domain.errors import Violation
from domain.host import Host, NotAName, ascii_name, parse_host, parse_port
from domain.reasons import Reason
from domain.text import has_control_character, shown

__all__ = ["EmailAddress", "Host", "parse_address", "parse_host", "parse_port"]

MAXIMUM_LOCAL_PART_OCTETS: Final = 64
"""RFC 5321 section 4.5.3.1.1, in UTF-8."""
MAXIMUM_ADDRESS_OCTETS: Final = 254
"""RFC 5321 section 4.5.3.1.3: a path of 256 octets, less the angle brackets."""
_MAXIMUM_WRITTEN: Final = 1024
_REMEMBERED: Final = 2048
"""The same senders and recipients come again and again, and reading one takes as long as all the rest of a message."""
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"@[^@<>"]*')
_REMEDY: Final = "Enter the bare address, e.g. team@example.com."


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """
    A bare address as it stands between the angle brackets of MAIL FROM and RCPT TO.

    Two addresses are equal when they are written alike; `same_account` sets letter case aside.
    """

    local_part: str
    """Unicode NFC, quoted where it has to be; its case is kept (RFC 5321 section 2.4)."""
    domain: str
    """Lower-case A-labels, or an address literal such as ``[192.0.2.1]`` or ``[IPv6:2001:db8::1]``."""

    @property
    def is_ascii(self) -> bool:
        """Tells whether any server takes the address; otherwise it needs SMTPUTF8 (RFC 6531)."""
        return self.local_part.isascii()

    def same_account(self, other: EmailAddress) -> bool:
        """Tells whether both name the same mailbox at any known provider: equal with letter case aside."""
        return self.domain == other.domain and self.local_part.lower() == other.local_part.lower()

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}"


def parse_address(text: str, *, field: str) -> EmailAddress | Violation:
    """
    Returns the address written in *text*, its domain in A-label form; the DNS is not asked.

    Takes a bare addr-spec alone: a Violation answers a display name, angle brackets, blanks around, comments, lists,
    control characters, a local part above 64 octets, an address above 254. Single-label and reserved domains
    (``localhost``, ``.test``) are fine, since internal servers use them.
    """
    if not text.strip():
        return Violation(
            field=field, reason=Reason.FIELD_REQUIRED, message="The e-mail address is missing.", remedy=_REMEDY
        )
    if len(text) > _MAXIMUM_WRITTEN:
        return Violation(
            field=field,
            reason=Reason.ADDRESS_INVALID,
            message=f"The address has {len(text)} characters; at most {MAXIMUM_ADDRESS_OCTETS} octets are taken.",
            remedy=_REMEDY,
        )
    return _parsed(text, field)


@lru_cache(maxsize=_REMEMBERED)
def _parsed(text: str, field: str) -> EmailAddress | Violation:
    if has_control_character(text):
        return Violation(
            field=field,
            reason=Reason.CONTROL_CHARACTER,
            message="The address contains a line break or another control character.",
            remedy=_REMEDY,
        )
    if trouble := _more_than_an_address(text):
        message, remedy = trouble
        return Violation(field=field, reason=Reason.ADDRESS_INVALID, message=message, remedy=remedy)
    local_part, _, domain = text.rpartition("@")
    try:
        return _within_bounds(EmailAddress(_local_part(local_part), _domain(domain)))
    except NotAName as why:
        return Violation(
            field=field,
            reason=Reason.ADDRESS_INVALID,
            message=f"{shown(text)} is not an e-mail address: {why}.",
            remedy=_REMEDY,
        )


def _more_than_an_address(text: str) -> tuple[str, str] | None:
    if text != text.strip():
        return "The address has blanks around it.", "Remove the blanks; a name has its own field."
    if _QUOTED.fullmatch(text):
        return None
    if "<" in text or ">" in text:
        return (
            "The address must be bare: no name, no angle brackets.",
            "Enter the address alone, e.g. team@example.com; the name has its own field.",
        )
    if "," in text or ";" in text:
        return "This field takes one address.", "Enter one address, without commas or semicolons."
    if "@" not in text:
        return f"{shown(text)} has no @.", _REMEDY
    return None


def _local_part(text: str) -> str:
    if len(text.encode()) > MAXIMUM_LOCAL_PART_OCTETS:
        raise NotAName(f"the part before the @ is longer than {MAXIMUM_LOCAL_PART_OCTETS} octets")
    try:
        found = validate_email(
            f"{text}@example.com",
            allow_smtputf8=True,
            allow_quoted_local=True,
            allow_display_name=False,
            check_deliverability=False,
            test_environment=True,
        )
    except EmailNotValidError:
        raise NotAName("the part before the @ breaks the rules of RFC 5321 section 4.1.2") from None
    # email-validator writes postmaster@, info@ and the like in lower case; what a caller wrote is what the wire shows.
    return text if found.local_part == text.lower() else found.local_part


def _domain(text: str) -> str:
    if not (text.startswith("[") and text.endswith("]")):
        try:
            return ascii_name(text)
        except NotAName as why:
            raise NotAName(f"the part after the @ is not a domain, {why}") from None
    literal = text[1:-1]
    try:
        if literal[:5].lower() == "ipv6:" and "%" not in literal:
            return f"[IPv6:{ipaddress.IPv6Address(literal[5:]).compressed}]"
        return f"[{ipaddress.IPv4Address(literal)}]"
    except ValueError:
        raise NotAName("the part after the @ is not an address literal such as [192.0.2.1]") from None


def _within_bounds(address: EmailAddress) -> EmailAddress:
    if len(address.local_part.encode()) > MAXIMUM_LOCAL_PART_OCTETS:
        raise NotAName(f"the part before the @ is longer than {MAXIMUM_LOCAL_PART_OCTETS} octets")
    if len(str(address).encode()) > MAXIMUM_ADDRESS_OCTETS:
        raise NotAName(f"it is longer than {MAXIMUM_ADDRESS_OCTETS} octets")
    return address
