"""A peer's words made safe to show and to store: no secret in any usual encoding, no control character."""

from __future__ import annotations

import json
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

from domain.settings.model import BasicAuthentication

_MASK: Final = "***"
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT: Final = 4


class Scrubber:
    """Takes the secrets of one account out of texts; knows how servers and attackers like to write them."""

    def __init__(self, authentication: BasicAuthentication | None = None) -> None:
        forms = _forms(authentication.username, authentication.password.reveal()) if authentication else ()
        patterns = [_pattern(form) for form in sorted(set(forms), key=len, reverse=True) if form]
        self._secret = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def clean(self, text: str) -> str:
        """
        Returns *text* with each secret as ``***``, blanks folded into one, and nothing that does not print.

        Controls go first and without a trace, so that a secret cut by them is found all the same.
        """
        visible = "".join(
            " " if character in "\t\n" else character
            for character in text
            if character in "\t\n" or unicodedata.category(character) not in _UNSEEN
        )
        folded = " ".join(visible.split())
        return self._secret.sub(_MASK, folded) if self._secret else folded


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    # A secret of one to three letters is found as a word alone; elsewhere it would turn any text into asterisks.
    return escaped if len(form) >= _SHORT else rf"(?<!\w){escaped}(?!\w)"


def _forms(username: str, password: str) -> Iterable[str]:
    if not password:
        return
    secret = password.encode()
    yield password
    yield " ".join(password.split())
    yield json.dumps(password)[1:-1]
    yield quote(password, safe="")
    yield quote_plus(password)
    yield escape(password)
    yield secret.hex()
    for whole in (secret, f"\0{username}\0{password}".encode(), f"{username}:{password}".encode()):
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(whole).decode()
            yield encode(whole).decode().rstrip("=")
    for before in range(3):
        # Inside of something longer, the first and last characters of a base64 form also hold neighbours' bits.
        core = b64encode(b"\0" * before + secret).decode().rstrip("=")
        inner = core[-(-before * 4 // 3) : len(core) - (1 if (before + len(secret)) % 3 else 0)]
        if len(inner) >= 2 * _SHORT:
            yield inner
