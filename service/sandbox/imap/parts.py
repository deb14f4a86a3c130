"""
Where the parts of a message begin and end.

The standard library reads the header fields; the ranges are found here, since its parser keeps no places and what it
writes out again is not byte for byte what came. Whatever the octets are, something comes out and nothing is raised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Final

from service.sandbox.imap.parameters import Parameterized, parse_parameterized

_MAX_DEPTH: Final = 50
_MAX_PARTS: Final = 1_000
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_FIELD: Final = re.compile(rb"^(?P<name>[^\s:]+)[ \t]*:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*", re.MULTILINE)
_EMBEDDED: Final = frozenset({"message/rfc822", "message/global"})
_headers: Final = BytesHeaderParser(policy=policy.compat32)


@dataclass(slots=True)
class Part:
    """A message or a part of one: octets *start* to *end* of *raw*, its body from *body* on."""

    raw: bytes = field(repr=False)
    start: int
    body: int
    end: int
    content_type: Parameterized
    """In lower case, with a default for what is missing or broken (RFC 2045 section 5.2)."""
    headers: Message = field(repr=False)
    children: list[Part] = field(default_factory=list)
    """The parts of a multipart; of an embedded message that message alone."""

    @property
    def is_multipart(self) -> bool:
        """Tells whether it has parts that are counted."""
        return self.content_type.value.startswith("multipart/") and bool(self.children)

    @property
    def embedded(self) -> Part | None:
        """The message that it holds (RFC 2046 section 5.2.1), or None."""
        return self.children[0] if self.children and not self.is_multipart else None

    @property
    def header_octets(self) -> bytes:
        """The header with the blank line that ends it."""
        return self.raw[self.start : self.body]

    @property
    def body_octets(self) -> bytes:
        """What follows the header."""
        return self.raw[self.body : self.end]

    def field(self, name: str) -> str | None:
        """Returns the first header field of that name, unfolded, or None."""
        value = self.headers.get(name)
        return None if value is None else re.sub(r"\r?\n", "", str(value)).strip()

    def octets_of(self, name: str) -> bytes | None:
        """Returns the first header field of that name as its octets, unfolded, or None."""
        for found in _FIELD.finditer(self.header_octets):
            if found["name"].lower() == name.lower().encode():
                return re.sub(rb"\r?\n", b"", found[0].partition(b":")[2]).strip()
        return None

    def fields(self, names: frozenset[bytes], *, others: bool = False) -> bytes:
        """Returns the header fields of these names (lower case), or the *others*, as they are, and a blank line."""
        kept = [
            found[0] for found in _FIELD.finditer(self.header_octets) if (found["name"].lower() in names) is not others
        ]
        text = b"".join(kept)
        return text + (b"\r\n" if not text or text.endswith(b"\n") else b"\r\n\r\n")

    def at(self, path: tuple[int, ...]) -> Part | None:
        """Returns the part of this message with that number (RFC 3501 section 6.4.5), or None."""
        found, is_message = self, True
        for number in path:
            numbered = found.numbered(is_message=is_message)
            if not 1 <= number <= len(numbered):
                return None
            found, is_message = numbered[number - 1], False
        return found

    def leaves(self) -> Iterator[Part]:
        """Goes through the parts that hold no others, in order."""
        for child in self.children:
            yield from child.leaves()
        if not self.children:
            yield self

    def numbered(self, *, is_message: bool) -> list[Part]:
        """Returns what the next number counts: a message that is no multipart has its body as part 1."""
        if self.is_multipart:
            return self.children
        if is_message:
            return [self]
        return self.embedded.numbered(is_message=True) if self.embedded else []


def read_parts(raw: bytes) -> Part:
    """Returns the structure of a message. Past bounds in depth and number, parts are taken for plain leaves."""
    return _Reader(raw).read(0, len(raw), depth=0, default="text/plain")


class _Reader:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._count = 0

    def read(self, start: int, end: int, *, depth: int, default: str) -> Part:
        self._count += 1
        found = _BLANK_LINE.search(self._raw, start, end)
        body = found.end() if found else end
        if self._raw.startswith((b"\r\n", b"\n"), start) and start < end:  # no header at all
            body = start + (2 if self._raw.startswith(b"\r\n", start) else 1)
        headers = _headers.parsebytes(self._raw[start:body])
        part = Part(self._raw, start, body, end, _content_type(headers, default), headers)
        kind = part.content_type.value
        if depth < _MAX_DEPTH and kind.startswith("multipart/"):
            inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            for first, last in self._between_boundaries(part):
                if self._count >= _MAX_PARTS:
                    break
                part.children.append(self.read(first, last, depth=depth + 1, default=inner))
            if not part.children:
                # A multipart has one part at least (RFC 3501 section 9, body-type-mpart); so an empty one, as Dovecot.
                part.children.append(self.read(end, end, depth=depth + 1, default="text/plain"))
        elif depth < _MAX_DEPTH and kind in _EMBEDDED and self._count < _MAX_PARTS:
            part.children.append(self.read(body, end, depth=depth + 1, default="text/plain"))
        return part

    def _between_boundaries(self, part: Part) -> list[tuple[int, int]]:
        boundary = part.content_type.parameters.get("boundary", "").encode("latin-1", "replace")
        if not boundary:
            return []
        line = re.compile(rb"(?:(?<=\n)|(?<![\s\S]))--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|\Z)")
        ranges: list[tuple[int, int]] = []
        begun: int | None = None
        for found in line.finditer(self._raw, part.body, part.end):
            if begun is not None:
                ranges.append((begun, max(begun, self._before_line_end(found.start()))))
            begun = found.end()
            if found[1]:
                return ranges
        if begun is not None:  # the closing boundary is missing: the rest is the last part
            ranges.append((begun, part.end))
        return ranges

    def _before_line_end(self, place: int) -> int:
        """The line end before a boundary belongs to the boundary (RFC 2046 section 5.1.1)."""
        if self._raw[place - 2 : place] == b"\r\n":
            return place - 2
        return place - 1 if self._raw[place - 1 : place] == b"\n" else place


def _content_type(headers: Message, default: str) -> Parameterized:
    value = headers.get("Content-Type")
    if value is None:
        return Parameterized(default, {})
    found = parse_parameterized(str(value))
    kind, slash, subtype = found.value.lower().partition("/")
    if not slash or not kind or not subtype:
        return Parameterized("text/plain", {})
    return Parameterized(f"{kind}/{subtype}", found.parameters)
