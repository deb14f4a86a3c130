"""
Addresses of a header field as ENVELOPE gives them (RFC 3501 section 7.4.2).

By hand and not by the standard library, which drops groups and decodes names: here encoded words stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    rb'(?P<blank>\s+)|"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<comment>\()|(?P<special>[<>@,:;])|(?P<atom>[^\s"(<>@,:;]+)',
    re.DOTALL,
)
_MAX_ADDRESSES: Final = 10_000


@dataclass(frozen=True, slots=True)
class EnvelopeAddress:
    """The four fields; a host of None begins a group (*mailbox* is its name) or, with no *mailbox*, ends one."""

    name: bytes | None
    mailbox: bytes | None
    host: bytes | None


def parse_addresses(field: bytes) -> list[EnvelopeAddress]:
    """Reads an address list; whatever it is, something comes out."""
    return _Reader(field).read()


class _Reader:
    def __init__(self, field: bytes) -> None:
        self._field = field
        self._found: list[EnvelopeAddress] = []
        self._in_group = False
        self._reset()

    def _reset(self) -> None:
        self._phrase: list[bytes] = []
        self._comment: bytes | None = None
        self._angle: list[bytes] | None = None
        """Pieces between < and >; None outside."""
        self._spec: list[bytes] | None = None
        """Pieces of what stood between them, kept after >."""
        self._blank = False

    def read(self) -> list[EnvelopeAddress]:
        place = 0
        while place < len(self._field) and len(self._found) < _MAX_ADDRESSES:
            found = _TOKEN.match(self._field, place)
            if found is None:
                place += 1
                continue
            place = found.end()
            if found["comment"]:
                place = self._take_comment(place)
            elif found["special"]:
                self._take_special(found["special"])
            elif found["blank"]:
                self._blank = True
            else:
                quoted = found["quoted"]
                self._take_word(found["atom"] if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted))
        self._finish()
        if self._in_group:
            self._found.append(EnvelopeAddress(None, None, None))
        return self._found

    def _take_comment(self, place: int) -> int:
        depth, start = 1, place
        while place < len(self._field) and depth:
            octet = self._field[place : place + 1]
            if octet == b"\\":
                place += 1
            depth += {b"(": 1, b")": -1}.get(octet, 0)
            place += 1
        text = self._field[start : place - (0 if depth else 1)].strip()
        self._comment = re.sub(rb"\\(.)", rb"\1", text)
        return place

    def _take_word(self, word: bytes) -> None:
        if self._angle is not None:
            self._angle.append(word)
        elif self._phrase and not self._blank:
            self._phrase[-1] += word
        else:
            self._phrase.append(word)
        self._blank = False

    def _take_special(self, special: bytes) -> None:
        if special == b"<" and self._angle is None:
            self._angle = []
        elif special == b">" and self._angle is not None:
            self._spec, self._angle = self._angle, None
        elif self._angle is not None and special in {b"@", b":", b",", b";"}:
            self._angle.append(special)
        elif special == b"@":
            self._take_at()
        elif special == b":":
            self._found.append(EnvelopeAddress(None, b" ".join(self._phrase), None))
            self._in_group = True
            self._reset()
        elif special in {b",", b";"}:
            self._finish()
            if special == b";" and self._in_group:
                self._found.append(EnvelopeAddress(None, None, None))
                self._in_group = False
        self._blank = False

    def _take_at(self) -> None:
        # In a bare address blanks around the @ are allowed: "a @ b" is one word with it.
        if self._phrase:
            self._phrase[-1] += b"@"
        else:
            self._phrase.append(b"@")

    def _finish(self) -> None:
        if self._angle is not None:
            self._spec = self._angle
        if self._spec is not None:
            pieces = self._spec
            if pieces[:1] == [b"@"] and b":" in pieces:  # a source route (RFC 5322 section 4.4), which nobody uses
                pieces = pieces[pieces.index(b":") + 1 :]
            name = b" ".join(self._phrase) or None
            self._add(name or self._comment, b"".join(pieces))
        elif self._phrase:
            self._add(self._comment, b" ".join(self._phrase))
        self._reset()

    def _add(self, name: bytes | None, address: bytes) -> None:
        mailbox, at, host = address.rpartition(b"@")
        if not at:
            mailbox, host = host, b""
        self._found.append(EnvelopeAddress(name or None, mailbox, host))
