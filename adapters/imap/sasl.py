"""Signing in to a mailbox: which mechanism, in which words (RFC 4616, RFC 7628, Google's and Microsoft's XOAUTH2)."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from domain.failures.scrub import Scrubber, forms_of
from domain.secret import Secret

_LONGEST_CHALLENGE: Final = 16 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class Exchange:
    """What a mechanism answers to the server's challenges, in base64. Secret, so without repr."""

    mechanism: str
    responses: tuple[bytes, ...]


def password_exchanges(features: Iterable[str], *, username: str, password: Secret) -> list[Exchange]:
    """Returns the ways to sign in with a password that are among *features*, best first. Text goes as UTF-8."""
    user, secret = username.encode(), password.reveal().encode()
    known = {
        "PLAIN": (b64encode(b"\0" + user + b"\0" + secret),),
        "LOGIN": (b64encode(user), b64encode(secret)),
    }
    return [Exchange(name, words) for name, words in known.items() if f"AUTH={name}" in features]


def token_exchanges(features: Iterable[str], *, username: str, token: Secret, host: str, port: int) -> list[Exchange]:
    """
    Returns the ways to sign in with an access token that are among *features*: OAUTHBEARER, then XOAUTH2.

    Never one for passwords: a token is not sent as one. The last response asks for the refusal that follows a challenge
    with the error (RFC 7628 section 3.2.3).
    """
    bearer, xoauth2 = token_words(username=username, token=token, host=host, port=port)
    known = {
        "OAUTHBEARER": (b64encode(bearer), b64encode(b"\x01")),
        # The empty line that Google's and Microsoft's servers want is not in any RFC.
        "XOAUTH2": (b64encode(xoauth2), b""),
    }
    return [Exchange(name, words) for name, words in known.items() if f"AUTH={name}" in features]


def token_words(*, username: str, token: Secret, host: str, port: int) -> tuple[bytes, bytes]:
    """Returns the client's message of OAUTHBEARER (RFC 7628 section 3.1) and that of XOAUTH2, before base64."""
    authorization = username.replace("=", "=3D").replace(",", "=2C")  # RFC 5801 section 4
    text = token.reveal()
    bearer = f"n,a={authorization},\x01host={host}\x01port={port}\x01auth=Bearer {text}\x01\x01"
    return bearer.encode(), f"user={username}\x01auth=Bearer {text}\x01\x01".encode()


def learn_password(scrubber: Scrubber, *, username: str, password: Secret) -> None:
    """Has *scrubber* know the password in the forms in which IMAP carries it."""
    text = password.reveal()
    scrubber.learn(forms_of(text, f"\0{username}\0{text}".encode(), f"{username}:{text}".encode()))


def learn_token(scrubber: Scrubber, *, username: str, token: Secret, host: str, port: int) -> None:
    """Has *scrubber* know the token in the forms in which IMAP carries it."""
    scrubber.learn(forms_of(token.reveal(), *token_words(username=username, token=token, host=host, port=port)))


def read_challenge(challenges: Sequence[bytes]) -> str:
    """Returns what a challenge to a token says, for people, e.g. ``status 401, scope https://mail.google.com/``."""
    for challenge in challenges:
        if not challenge or len(challenge) > _LONGEST_CHALLENGE:
            continue
        try:
            told = json.loads(b64decode(challenge.strip(), validate=True))
        except (binascii.Error, ValueError, RecursionError):
            continue
        if isinstance(told, dict):
            words = ((name, told.get(name)) for name in ("status", "scope"))
            return ", ".join(f"{name} {word}" for name, word in words if isinstance(word, str | int) and str(word))
    return ""
