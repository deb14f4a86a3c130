"""A peer's words made safe to show and to store: no secret in any usual encoding, no control character."""

from __future__ import annotations

import json
import quopri
import re
import unicodedata
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from html import escape
from typing import Final
from urllib.parse import quote, quote_plus

from domain.failures.redact import without_tokens

_MASK: Final = "***"
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SHORT: Final = 4
_LONG: Final = 48
_BEGINNING: Final = 24
_BLANK: Final = re.compile(" ")
_SOFT_BREAK: Final = re.compile("=? ")
_FOLDED: Final = 16
"""Characters from which on a secret is found though lines were broken within it; shorter ones would hit plain words."""


class Scrubber:
    """Takes secrets out of texts; knows how servers and attackers like to write them."""

    def __init__(self, forms: Iterable[str] = ()) -> None:
        """Takes secrets in the *forms* that `forms_of` makes of them."""
        self._forms: set[str] = set()
        self._broken: set[str] = set()
        self._secret: re.Pattern[str] | None = None
        self.learn(forms)

    def learn(self, forms: Iterable[str]) -> None:
        """Knows further secrets from now on."""
        self._forms |= {form for form in forms if form}
        squeezed = {"".join(map(_lower, "".join(form.split()))) for form in self._forms}
        self._broken = {form for form in squeezed if len(form) >= _FOLDED}
        patterns = [_pattern(form) for form in sorted(self._forms, key=len, reverse=True)]
        # What is left of a long secret that a peer cut off: its beginning, and all that hangs on it.
        starts = {form[:_BEGINNING] for form in self._forms if len(form) >= _LONG}
        patterns += [re.escape(start) + r"\S*" for start in sorted(starts)]
        self._secret = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def clean(self, text: str) -> str:
        """
        Returns *text* with each secret as ``***``, blanks folded into one, and nothing that does not print.

        Tokens that are known by their look alone are masked as well (`domain.failures.redact.without_tokens`).

        Controls go first and without a trace, so that a secret cut by them is found all the same.
        """
        visible = text if text.isprintable() else _visible(text)  # nearly all replies are, and none must cost much
        folded = " ".join(visible.split())
        for fold in (_BLANK, _SOFT_BREAK):
            folded = self._without_broken(folded, fold)
        return without_tokens(self._secret.sub(_MASK, folded) if self._secret else folded)

    def _without_broken(self, text: str, fold: re.Pattern[str]) -> str:
        """
        Returns *text* without the secrets that lines were broken within, which shows as *fold* by now.

        A line of a reply holds 512 octets and one of base64 or quoted-printable 76; tokens are longer.
        """
        if text.isascii():  # and then in lower case as it is letter by letter
            unfolded = fold.sub("", text).lower()
            if not any(form in unfolded for form in self._broken):
                return text
        pieces = list(_pieces(text, fold))
        if len(pieces) == 1:
            return text
        places = [place for piece in pieces for place in piece]
        squeezed = "".join(_lower(text[place]) for place in places)
        spans: list[tuple[int, int]] = []
        for form in self._broken:
            begin = squeezed.find(form)
            while begin >= 0:
                spans.append((places[begin], places[begin + len(form) - 1] + 1))
                begin = squeezed.find(form, begin + len(form))
        kept, end = [], 0
        for first, last in sorted(spans):
            if first >= end:
                kept += [text[end:first], _MASK]
            end = max(end, last)
        return "".join([*kept, text[end:]])


def forms_of(secret: str, *wholes: bytes) -> Iterable[str]:
    """
    Yields the usual ways to write *secret*: itself, JSON, percent, form, HTML, quoted-printable, hexadecimal, base64.

    Base64 is told at any offset. *wholes* are what it goes over the wire in (the answer of AUTH PLAIN, of XOAUTH2);
    their base64 is told as well.
    """
    if not secret:
        return
    raw = secret.encode("utf-8", errors="surrogatepass")
    yield secret
    yield " ".join(secret.split())
    yield json.dumps(secret)[1:-1]
    yield quote(raw, safe="")
    yield quote_plus(raw)
    yield escape(secret)
    yield quopri.encodestring(raw).decode("ascii").replace("=\n", "")
    yield raw.hex()
    for whole in (raw, *wholes):
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(whole).decode()
            yield encode(whole).decode().rstrip("=")
    for before in range(3):
        # Inside of something longer, the first and last characters of a base64 form also hold neighbours' bits.
        core = b64encode(b"\0" * before + raw).decode().rstrip("=")
        inner = core[-(-before * 4 // 3) : len(core) - (1 if (before + len(raw)) % 3 else 0)]
        if len(inner) >= 2 * _SHORT:
            yield inner
            yield inner.translate(_URL_SAFE)


_URL_SAFE: Final = str.maketrans("+/", "-_")


def _pieces(text: str, fold: re.Pattern[str]) -> Iterable[range]:
    """Yields where what stands between folds stands."""
    begin = 0
    for found in fold.finditer(text):
        yield range(begin, found.start())
        begin = found.end()
    yield range(begin, len(text))


def _visible(text: str) -> str:
    return "".join(
        " " if character in "\t\n" else character
        for character in text
        if character in "\t\n" or unicodedata.category(character) not in _UNSEEN
    )


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    # A secret of one to three letters is found as a word alone; elsewhere it would turn any text into asterisks.
    return escaped if len(form) >= _SHORT else rf"(?<!\w){escaped}(?!\w)"
