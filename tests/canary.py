"""Canaries: secrets planted to see where they come out, and the scanner that knows them in every usual disguise."""

from __future__ import annotations

import base64
import html
import quopri
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus, unquote_to_bytes

_SHORTEST: Final = 8
_PIECE: Final = 20
"""Characters at each end of a long secret that give it away by themselves."""
_JSON_ESCAPE: Final = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_JSON_SIGNS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_FOLD: Final = re.compile(rb"\s+")


@dataclass(frozen=True, slots=True)
class Hit:
    """A secret found, without the secret."""

    canary: str
    place: str
    form: str

    def __str__(self) -> str:
        return f"{self.canary} as {self.form} in {self.place}"


class Scanner:
    """
    Looks for secrets in octets.

    Undone before, one or two upon each other: percent encoding (also of forms), quoted-printable, JSON's and HTML's
    escapes, and folding. Known without being undone: hexadecimal, and base64 in either alphabet at any offset, so also
    inside of what SASL and HTTP Basic make of it. Of a secret of 40 characters and more, each end suffices.
    """

    def __init__(self, canaries: Mapping[str, str]) -> None:
        """Takes the secrets by name; a secret has at least eight characters, so that chance does not make it up."""
        self._needles: dict[bytes, dict[bytes, tuple[str, str]]] = {}
        """By their beginnings, since there are thousands and the haystack is large."""
        for name, secret in canaries.items():
            if len(secret) < _SHORTEST:
                raise ValueError(f"the canary {name} is too short to be told from chance")
            for piece in _pieces(secret):
                for form, needle in _forms(piece):
                    alike = self._needles.setdefault(needle[:_SHORTEST], {})
                    alike.setdefault(needle, (name, form))

    def hits(self, data: bytes, place: str) -> list[Hit]:
        """Returns what is found in *data*, which came from *place*."""
        found: dict[tuple[str, str], str] = {}
        for undone, view in _views(data):
            begun = {view[start : start + _SHORTEST] for start in range(len(view))} & self._needles.keys()
            for needle, (name, form) in (pair for begin in begun for pair in self._needles[begin].items()):
                if needle in view:
                    found.setdefault((name, form), f" within {undone}" if undone else "")
        return [Hit(name, place, form + undone) for (name, form), undone in sorted(found.items())]


def _pieces(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    if len(raw) < 2 * _PIECE:
        yield raw
    else:
        yield raw[:_PIECE]
        yield raw[-_PIECE:]


def _forms(piece: bytes) -> Iterator[tuple[str, bytes]]:
    yield "raw", piece
    # A key's lines: views without folds show it in one.
    yield "raw", _FOLD.sub(b"", piece)
    yield "hex", piece.hex().encode()
    yield "hex", piece.hex().upper().encode()
    # A form encodes before HTTP Basic does (RFC 6749 section 2.3.1), so that undoing from outside does not help.
    for inner in dict.fromkeys((piece, quote(piece, safe="").encode(), quote_plus(piece).encode())):
        for offset in range(3):
            core = _core(inner, offset)
            yield f"base64 at offset {offset}", core
            yield f"url-safe base64 at offset {offset}", core.translate(bytes.maketrans(b"+/", b"-_"))


def _core(inner: bytes, offset: int) -> bytes:
    """Returns the base64 of *inner* without the characters that depend on what stands before and behind it."""
    coded = base64.b64encode(b"\0" * offset + inner).rstrip(b"=")
    begin = -(-offset * 8 // 6)
    end = (offset + len(inner)) * 8 // 6
    return coded[begin:end]


def _views(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields *data* as it is and undone, each view once."""
    seen = {data}
    yield "", data
    first: list[tuple[str, bytes]] = []
    for name, undo in _UNDONE.items():
        view = undo(data)
        if view not in seen:
            seen.add(view)
            first.append((name, view))
    yield from first
    for outer, outer_view in first:
        for name, undo in _UNDONE.items():
            view = undo(outer_view)
            if view not in seen:
                seen.add(view)
                yield f"{name} within {outer}", view


def _unescape_json(data: bytes) -> bytes:
    def sign(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return chr(int(found[1], 16)).encode("utf-8", "surrogatepass")
        return _JSON_SIGNS.get(found[2], found[2])

    return _JSON_ESCAPE.sub(sign, data)


def _unescape_html(data: bytes) -> bytes:
    if b"&" not in data:
        return data
    # What is no UTF-8 passes through as it is; what a reference may name besides is replaced.
    text = html.unescape(data.decode("utf-8", "surrogateescape"))
    return text.encode("utf-8", "surrogateescape")


def _unquote_printable(data: bytes) -> bytes:
    return quopri.decodestring(data) if b"=" in data else data


_UNDONE: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "percent encoding": unquote_to_bytes,
    "a form": lambda data: unquote_to_bytes(data.replace(b"+", b" ")),
    "quoted-printable": _unquote_printable,
    "JSON": _unescape_json,
    "HTML": _unescape_html,
    "folds": lambda data: _FOLD.sub(b"", data),
}


def report(hits: Iterable[Hit]) -> str:
    """Returns *hits* one a line, for an assertion's message."""
    return "\n".join(sorted({str(hit) for hit in hits}))
