"""The greeting: with which name, and what the server answers that it can do (RFC 5321 section 4.1.1.1)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aiosmtplib.esmtp import parse_esmtp_extensions

from adapters.smtp.replies import Reply

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOTTED_NAME: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})+", re.IGNORECASE)
_LIMIT: Final = re.compile(r"\brcptmax=(\d{1,9})\b", re.IGNORECASE)


def client_name(*, configured: str, host_name: str, local_address: str) -> str:
    """
    Returns the name to greet with, never empty, bare or ``localhost``.

    That is the *configured* one; else *host_name*, the machine's, when it is a dotted name of letters, digits and
    hyphens; else *local_address*, the socket's own, as an address literal (RFC 5321 section 4.1.3).
    """
    if configured:
        return configured
    if _is_public_form(host_name):
        return host_name
    address = ipaddress.ip_address(local_address.partition("%")[0] or "127.0.0.1")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


def _is_public_form(name: str) -> bool:
    last = name.rpartition(".")[2].lower()
    return _DOTTED_NAME.fullmatch(name) is not None and not last.isdigit() and last not in ("localdomain", "localhost")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one EHLO reply offered; forgotten with the connection's state, so read anew after STARTTLS."""

    extensions: Mapping[str, str] = field(default_factory=dict)
    """Keyword in lower case to its parameters."""
    mechanisms: tuple[str, ...] = ()
    """SASL mechanisms in upper case, in the server's order."""

    @classmethod
    def of(cls, reply: Reply) -> Capabilities:
        """Reads an EHLO reply; its first line is the server's name."""
        extensions, mechanisms = parse_esmtp_extensions("\n".join(reply.lines))
        return cls(extensions, tuple(dict.fromkeys(mechanism.upper() for mechanism in mechanisms)))

    def offers(self, keyword: str) -> bool:
        """Tells whether *keyword*, in lower case, was listed."""
        return keyword in self.extensions

    @property
    def maximum_size(self) -> int | None:
        """Largest message in octets (RFC 1870); None when no fixed limit is given."""
        number = self.extensions.get("size", "").strip()
        return (int(number) or None) if number.isascii() and number.isdigit() and len(number) <= 18 else None

    @property
    def maximum_recipients(self) -> int | None:
        """Most recipients of one message (RFC 9422); None when the server states none."""
        found = _LIMIT.search(self.extensions.get("limits", ""))
        return (int(found[1]) or None) if found else None
