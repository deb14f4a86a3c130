"""What the server says that it can do, by the state of a session (RFC 3501 section 6.1.1)."""

from __future__ import annotations

from typing import Final

_ALWAYS: Final = ("IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE", "IDLE")
_BEFORE_TLS: Final = ("STARTTLS", "LOGINDISABLED")
_BEFORE_SIGN_IN: Final = ("AUTH=PLAIN", "AUTH=XOAUTH2", "AUTH=OAUTHBEARER")
_AFTER_SIGN_IN: Final = (
    "NAMESPACE",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "SPECIAL-USE",
    "ESEARCH",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "UTF8=ACCEPT",
)
NEEDED: Final = {"IDLE": "IDLE", "MOVE": "MOVE", "UNSELECT": "UNSELECT", "ENABLE": "ENABLE", "ID": "ID"}
"""Commands that there are only with a capability."""


def capabilities(*, is_encrypted: bool, is_signed_in: bool, without: frozenset[str]) -> list[str]:
    """Returns the capabilities of a session, in a fixed order, but for those it is to do *without*."""
    more: tuple[str, ...] = _BEFORE_TLS
    if is_signed_in:
        more = _AFTER_SIGN_IN
    elif is_encrypted:
        more = _BEFORE_SIGN_IN
    return [capability for capability in (*_ALWAYS, *more) if capability not in without]
