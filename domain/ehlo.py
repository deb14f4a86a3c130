"""The name to greet a mail server with (RFC 5321 sections 4.1.1.1 and 4.1.3)."""

from __future__ import annotations

import ipaddress

from domain.errors import Violation
from domain.host import NotAName, ascii_name
from domain.reasons import Reason
from domain.text import shown


def parse_ehlo_name(text: str, *, field: str) -> str | Violation:
    """
    Returns the EHLO argument written in *text*: a dotted name of letters, digits and hyphens, or an address literal.

    Refuses bare names, ``localhost`` and underscores, which servers answer with 504 or worse (F12).
    """
    name = ehlo_name_or_none(text)
    if name is not None:
        return name
    return Violation(
        field=field,
        reason=Reason.VALUE_MALFORMED,
        message=f"{shown(text)} is no name to greet with: servers refuse bare names, localhost and underscores.",
        remedy="Enter a full host name, e.g. mail.example.com, or an address literal, e.g. [192.0.2.10], or nothing.",
    )


def ehlo_name_or_none(text: str) -> str | None:
    """Returns *text* in the form for EHLO, or None when it is unfit, e.g. a bare or underscored name."""
    if text.startswith("[") and text.endswith("]"):
        return _literal(text[1:-1])
    try:
        name = ascii_name(text)
    except NotAName:
        return None
    return None if "." not in name or name.endswith(".localhost") else name


def _literal(text: str) -> str | None:
    try:
        if text[:5].lower() == "ipv6:" and "%" not in text:
            return f"[IPv6:{ipaddress.IPv6Address(text[5:]).compressed}]"
        return f"[{ipaddress.IPv4Address(text)}]"
    except ValueError:
        return None
