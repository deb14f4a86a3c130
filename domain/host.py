"""Host names, IP literals and ports, parsed: what can be dialled and named in a certificate, and nothing else."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

import idna

from domain.errors import Violation
from domain.reasons import Reason
from domain.text import has_control_character, shown

MAXIMUM_NAME_OCTETS: Final = 253
"""RFC 1035 section 2.3.4, less the length octet and the root label."""
_MAXIMUM_WRITTEN: Final = 1024
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NAME_WITH_PORT: Final = re.compile(r"[^:\[\]]+:[0-9]*|\[[^\]]*\]:[0-9]*")


class NotAName(ValueError):
    """Not a host name; its text says why, as the end of a sentence, and is safe to show."""


@dataclass(frozen=True, slots=True)
class Host:
    """A server to dial: a lower-case name in A-label form, or an IP literal in its canonical form without brackets."""

    name: str

    @property
    def is_ip_literal(self) -> bool:
        """Tells whether the host is an address rather than a name."""
        try:
            ipaddress.ip_address(self.name)
        except ValueError:
            return False
        return True

    @property
    def is_loopback(self) -> bool:
        """Tells whether the host can only be this machine: an address of 127.0.0.0/8, ``::1``, or ``localhost``."""
        if self.is_ip_literal:
            return ipaddress.ip_address(self.name).is_loopback
        return self.name == "localhost"

    def is_under(self, domain: str) -> bool:
        """Tells whether the host is *domain* (lower case) or a name below it."""
        return self.name == domain or self.name.endswith("." + domain)

    def __str__(self) -> str:
        return self.name


def ascii_name(text: str) -> str:
    """
    Returns a domain name as lower-case A-labels (IDNA 2008 with the UTS 46 mapping, RFC 5891).

    Takes letters, digits and hyphens only (RFC 1123 section 2.1), so no underscores, no empty label, no trailing dot;
    one label is enough. Raises NotAName otherwise, also for whatever a resolver would read as a number (``127.1``,
    ``0x7f000001``).
    """
    if not text:
        raise NotAName("it is empty")
    if len(text) > _MAXIMUM_WRITTEN:
        raise NotAName("it is too long")
    name = text.lower() if text.isascii() and "xn--" not in text.lower() else _encoded(text)
    if len(name) > MAXIMUM_NAME_OCTETS:
        raise NotAName(f"it is longer than {MAXIMUM_NAME_OCTETS} octets")
    labels = name.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise NotAName(_why_not_a_label(label))
    if _NUMBER.fullmatch(labels[-1]):
        raise NotAName("it ends in a number and is not an IP address in its usual form")
    return name


def parse_host(text: str, *, field: str) -> Host | Violation:
    """
    Returns the host written in *text*: a name, an IPv4 address, or an IPv6 address with or without brackets.

    Returns a Violation for anything more than a host, naming what to remove: scheme, port, path, user, blanks, zone.
    """
    if not text.strip():
        return Violation(
            field=field,
            reason=Reason.FIELD_REQUIRED,
            message="The host is missing.",
            remedy="Enter the server's name, e.g. smtp.example.com.",
        )
    if len(text) > _MAXIMUM_WRITTEN:
        return Violation(
            field=field,
            reason=Reason.HOST_INVALID,
            message=f"The host has {len(text)} characters; a name has {MAXIMUM_NAME_OCTETS} at most.",
            remedy="Check what was pasted here.",
        )
    if extra := _more_than_a_host(text):
        message, remedy = extra
        return Violation(field=field, reason=Reason.HOST_INVALID, message=message, remedy=remedy)
    bracketed = text.startswith("[") and text.endswith("]")
    literal = text[1:-1] if bracketed else text
    try:
        address = ipaddress.ip_address(literal)
    except ValueError:
        pass
    else:
        return _literal(address, bracketed=bracketed, field=field)
    try:
        return Host(ascii_name(text))
    except NotAName as why:
        return Violation(
            field=field,
            reason=Reason.HOST_INVALID,
            message=f"{shown(text)} is not a host: {why}.",
            remedy="Enter the server's name, e.g. smtp.example.com, or its IP address, e.g. 192.0.2.10.",
        )


def parse_port(number: int, *, field: str) -> int | Violation:
    """Returns *number* when it is a TCP port, 1 to 65535, else a Violation."""
    if 1 <= number <= 65535:
        return number
    return Violation(
        field=field,
        reason=Reason.PORT_OUT_OF_RANGE,
        message=f"{number} is not a port; ports run from 1 to 65535.",
        remedy="Use the provider's port: for sending 587 (STARTTLS) or 465 (implicit TLS), for reading 993 or 143.",
    )


def _encoded(text: str) -> str:
    try:
        return idna.encode(text, uts46=True, std3_rules=True, transitional=False).decode("ascii").lower()
    except UnicodeError:
        raise NotAName("it is not an international name by IDNA 2008") from None


def _why_not_a_label(label: str) -> str:
    if not label:
        return "it has an empty part (two dots in a row, or a dot at an end)"
    if len(label) > 63:
        return "a part between its dots is longer than 63 octets"
    if "_" in label:
        return "host names have no underscores (RFC 1123 section 2.1)"
    if label.startswith("-") or label.endswith("-"):
        return "a part begins or ends with a hyphen"
    return "only letters, digits, hyphens and dots make a host name"


def _more_than_a_host(text: str) -> tuple[str, str] | None:
    """Names the first thing in *text* that is no part of a host, and what to do; never shows what may be a password."""
    if has_control_character(text):
        return "The host contains a control character.", "Type the host again, without line breaks."
    if any(character.isspace() for character in text):
        return "The host contains a blank.", "Remove the blanks around and inside the host."
    if scheme := _SCHEME.match(text):
        return "A host has no scheme.", f"Remove {shown(scheme.group())} and keep the name alone."
    if "@" in text:
        return "A host has no user or password.", "Remove everything up to the @; they have their own fields."
    if any(character in text for character in "/?#\\"):
        return "A host has no path.", "Remove everything from the first slash on."
    if _NAME_WITH_PORT.fullmatch(text):
        return "A host has no port.", "Remove the colon and what follows; the port has its own field."
    if "%" in text:
        return "An address with a zone works on one machine only.", "Remove the % and what follows, or use a name."
    return None


def _literal(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, *, bracketed: bool, field: str
) -> Host | Violation:
    if isinstance(address, ipaddress.IPv4Address):
        if not bracketed:
            return Host(str(address))
        return Violation(
            field=field,
            reason=Reason.HOST_INVALID,
            message="Only an IPv6 address may stand in brackets.",
            remedy=f"Write {address} without brackets.",
        )
    if address.ipv4_mapped is not None:
        return Violation(
            field=field,
            reason=Reason.HOST_INVALID,
            message="An IPv4 address written as IPv6 is not accepted.",
            remedy=f"Write {address.ipv4_mapped}.",
        )
    return Host(str(address))
