"""Signing in: which mechanism, in which words (RFC 4954, RFC 4616, RFC 7628)."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
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
_UNKNOWN_MECHANISM: Final = frozenset({500, 501, 502, 504})
_LONGEST_CHALLENGE: Final = 16 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    """What one mechanism sends: the AUTH command's words, then an answer to each 334. Secret, so without repr."""

    mechanism: str
    command: tuple[bytes, ...]
    answers: tuple[bytes, ...]
    last_word: bytes = CANCEL
    """What a further 334 is answered with: for a token that is the error, and this asks for the final refusal."""


def exchanges(offered: Iterable[str], *, username: str, password: Secret) -> list[Exchange]:
    """
    Returns the ways to sign in with a password that are among *offered*, best first; empty when there is none.

    Never one for tokens (XOAUTH2, OAUTHBEARER): a password is not sent as a token. Text goes as UTF-8.
    """
    known = {"PLAIN": _plain, "LOGIN": _login}
    listed = set(offered)
    return [make(username, password.reveal()) for name, make in known.items() if name in listed]


def token_exchanges(offered: Iterable[str], *, username: str, token: Secret, host: str, port: int) -> list[Exchange]:
    """
    Returns the ways to sign in with an access token that are among *offered*, best first; empty when there is none.

    The standard OAUTHBEARER where it is listed, then XOAUTH2. Never one for passwords: a token is not sent as one.
    """
    listed = set(offered)
    bearer, xoauth2 = token_responses(username=username, token=token, host=host, port=port)
    known = {
        "OAUTHBEARER": (bearer, b64encode(b"\x01")),
        # The empty line that Google's and Microsoft's servers want is not in any RFC; "*" leaves Gmail waiting.
        "XOAUTH2": (xoauth2, b""),
    }
    return [_initial(name, *words) for name, words in known.items() if name in listed]


def token_responses(*, username: str, token: Secret, host: str, port: int) -> tuple[bytes, bytes]:
    """Returns the client's message of OAUTHBEARER (RFC 7628 section 3.1) and that of XOAUTH2, before base64."""
    authorization = username.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
    text = token.reveal()
    bearer = f"n,a={authorization},\x01host={host}\x01port={port}\x01auth=Bearer {text}\x01\x01"
    return bearer.encode(), f"user={username}\x01auth=Bearer {text}\x01\x01".encode()


def may_try_next(code: int) -> bool:
    """
    Tells whether another mechanism may fare better after a refusal with *code*.

    Some servers list PLAIN and only LOGIN works; a 535 is given one further try for that reason, a 4yz and a 421 none.
    """
    return code in _WORTH_ANOTHER


def is_unknown_mechanism(code: int) -> bool:
    """Tells whether *code* refuses the mechanism and not the token, so that the token may be shown in another one."""
    return code in _UNKNOWN_MECHANISM


def read_challenge(text: str) -> str:
    """
    Returns what the 334 to a token says, for people: e.g. ``status 401, scope https://mail.google.com/``.

    It is base64 of JSON with ``status`` and ``scope`` (RFC 7628 section 3.2.2; Google's XOAUTH2 page). Returns an empty
    text for anything else. The words are the server's and not scrubbed yet.
    """
    if len(text) > _LONGEST_CHALLENGE:
        return ""
    try:
        told = json.loads(b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    if not isinstance(told, dict):
        return ""
    words = ((name, told.get(name)) for name in ("status", "scope"))
    return ", ".join(f"{name} {word}" for name, word in words if isinstance(word, str | int) and str(word))


def _plain(username: str, password: str) -> Exchange:
    return _in_one_go_if_it_fits("PLAIN", auth_plain_encode(username, password))


def _login(username: str, password: str) -> Exchange:
    # Without an initial response, which some servers do not take with LOGIN.
    return Exchange("LOGIN", (b"AUTH", b"LOGIN"), auth_login_encode(username, password))


def _initial(mechanism: str, message: bytes, last_word: bytes) -> Exchange:
    return _in_one_go_if_it_fits(mechanism, b64encode(message), last_word)


def _in_one_go_if_it_fits(mechanism: str, response: bytes, last_word: bytes = CANCEL) -> Exchange:
    whole = (b"AUTH", mechanism.encode(), response)
    if len(b" ".join(whole)) + 2 <= _COMMAND_OCTETS:
        return Exchange(mechanism, whole, (), last_word)
    return Exchange(mechanism, whole[:2], (response,), last_word)
