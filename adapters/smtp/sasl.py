"""Signing in: which mechanism, in which words (RFC 4954, RFC 4616)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiosmtplib.auth import auth_login_encode, auth_plain_encode

from domain.secret import Secret

_COMMAND_OCTETS: Final = 512
"""Longest command line with its CRLF (RFC 5321 section 4.5.3.1.4)."""
CANCEL: Final = b"*"
"""Ends an exchange that makes no progress (RFC 4954 section 4)."""
_WORTH_ANOTHER: Final = frozenset({501, 502, 504, 534, 535})


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    """What one mechanism sends: the AUTH command's words, then an answer to each 334. Secret, so without repr."""

    mechanism: str
    command: tuple[bytes, ...]
    answers: tuple[bytes, ...]


def exchanges(offered: Iterable[str], *, username: str, password: Secret) -> list[Exchange]:
    """
    Returns the ways to sign in with a password that are among *offered*, best first; empty when there is none.

    Never one for tokens (XOAUTH2, OAUTHBEARER): a password is not sent as a token. Text goes as UTF-8.
    """
    known = {"PLAIN": _plain, "LOGIN": _login}
    listed = set(offered)
    return [make(username, password.reveal()) for name, make in known.items() if name in listed]


def may_try_next(code: int) -> bool:
    """
    Tells whether another mechanism may fare better after a refusal with *code*.

    Some servers list PLAIN and only LOGIN works; a 535 is given one further try for that reason, a 4yz and a 421 none.
    """
    return code in _WORTH_ANOTHER


def _plain(username: str, password: str) -> Exchange:
    response = auth_plain_encode(username, password)
    whole = (b"AUTH", b"PLAIN", response)
    if len(b" ".join(whole)) + 2 <= _COMMAND_OCTETS:
        return Exchange("PLAIN", whole, ())
    return Exchange("PLAIN", whole[:2], (response,))


def _login(username: str, password: str) -> Exchange:
    # Without an initial response, which some servers do not take with LOGIN.
    return Exchange("LOGIN", (b"AUTH", b"LOGIN"), auth_login_encode(username, password))
