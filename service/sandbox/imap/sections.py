"""The pieces of a message that FETCH names: BODY[…] with sections and partials (RFC 3501 section 6.4.5)."""

from __future__ import annotations

from dataclasses import dataclass

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.parts import Part
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.wire import listing, string

_KINDS = ("HEADER.FIELDS.NOT", "HEADER.FIELDS", "HEADER", "TEXT", "MIME")
_MAX_PATH = 100


@dataclass(frozen=True, slots=True)
class Section:
    """Which octets of a message."""

    path: tuple[int, ...]
    """Numbers of the part; empty for the message itself."""
    kind: str
    """HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, MIME, or empty for all."""
    fields: tuple[bytes, ...] = ()
    partial: tuple[int, int] | None = None
    """First octet and how many."""

    @property
    def label(self) -> bytes:
        """How the answer names it."""
        words = [".".join([*map(str, self.path), *([self.kind] if self.kind else [])]).encode()]
        if self.fields:
            words.append(listing(map(string, self.fields)))
        origin = b"" if self.partial is None else b"<%d>" % self.partial[0]
        return b"BODY[" + b" ".join(words) + b"]" + origin

    def of(self, message: Part) -> bytes | None:
        """Returns the octets, or None when there is no such part."""
        whole = self._whole(message)
        if whole is None or self.partial is None:
            return whole
        first, count = self.partial
        return whole[first : first + count]

    def _whole(self, message: Part) -> bytes | None:
        part = message.at(self.path)
        if part is None:
            return None
        if not self.path:
            return message.raw if not self.kind else self._text_or_header(message)
        if self.kind == "MIME":
            return part.header_octets
        if not self.kind:
            return part.body_octets
        return None if part.embedded is None else self._text_or_header(part.embedded)

    def _text_or_header(self, message: Part) -> bytes:
        if self.kind == "TEXT":
            return message.body_octets
        if self.kind == "HEADER":
            return message.header_octets
        names = frozenset(name.lower() for name in self.fields)
        return message.fields(names, others=self.kind == "HEADER.FIELDS.NOT")


def read_section(cursor: Cursor) -> Section:
    """Reads ``[…]`` and, if it is there, ``<first.count>``. Raises Malformed."""
    cursor.expect(b"[")
    path: list[int] = []
    while cursor.comes_digit():
        path.append(cursor.number())
        if path[-1] == 0 or len(path) > _MAX_PATH:
            raise Malformed("Parts are counted from 1")
        if not cursor.skip(b"."):
            break
    else:
        if path and cursor.comes(b"]"):
            raise Malformed("A section does not end with a dot")
    kind = next((kind for kind in _KINDS if cursor.skip(kind.encode())), "")
    if kind == "MIME" and not path:
        raise Malformed("MIME follows the number of a part")
    fields: tuple[bytes, ...] = ()
    if kind.startswith("HEADER.FIELDS"):
        cursor.space()
        fields = tuple(name.upper() for name in cursor.list_of(cursor.astring))
    cursor.expect(b"]")
    return Section(tuple(path), kind, fields, _read_partial(cursor))


def _read_partial(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.skip(b"<"):
        return None
    first = cursor.number()
    cursor.expect(b".")
    count = cursor.number()
    cursor.expect(b">")
    if count == 0:
        raise Malformed("A partial has one octet at least")
    return first, count
