"""The MIME tree of a message: one pass over its octets, no recursion, every part numbered as IMAP does it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from domain.reading.entity import Entity, read_entity
from domain.reading.fields import RawField, split_fields
from domain.reading.model import DEEPEST, MOST_PARTS, Defect

_LARGEST_PART_HEADER: Final = 16 * 1024
_LARGEST_PART_HEADERS: Final = 1024 * 1024
"""Of all parts together; beyond, a part counts as text without a header."""
_MOST_MULTIPARTS: Final = MOST_PARTS
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n")


@dataclass(slots=True)
class Leaf:
    """A body, an attachment, or an attached message."""

    part_id: str
    entity: Entity
    start: int
    level: int
    """How many multiparts were open when it began: a delimiter of any of them ends it."""
    is_nested: bool
    """Tells whether it stands within an attached message."""
    parent_type: str
    """The media type of the multipart around it; empty: there is none."""
    end: int = -1
    inner: list[RawField] | None = None
    """The header of the attached message; None: this is no message."""


@dataclass(slots=True)
class _Multipart:
    entity: Entity
    own_id: str
    prefix: str
    """What the numbers of its children begin with."""
    start: int
    is_nested: bool
    pattern: re.Pattern[bytes]
    """Finds the next delimiter of this multipart and of all around it."""
    boundaries: list[bytes]
    parent_type: str
    children: int = 0


def header_end(octets: bytes) -> int:
    """Returns where the content of a message begins, behind the empty line (RFC 5322 section 2.1)."""
    if octets.startswith((b"\n", b"\r\n")):
        return octets.index(b"\n") + 1
    empty = _EMPTY_LINE.search(octets)
    return empty.end() if empty else len(octets)


def read_structure(
    octets: bytes, *, start: int, fields: list[RawField], found: set[Defect], is_complete: bool = True
) -> list[Leaf]:
    """
    Returns the leaves of the message whose header is *fields* and whose content begins at *start*, at most 500.

    Line ends are LF or CRLF. Without *is_complete*, that something is missing at the end is TRUNCATED rather than MIME.
    Time and memory go with the size of *octets*, whatever the nesting.
    """
    return _Scanner(octets, found, is_complete=is_complete).scan(start, fields)


class _Scanner:
    def __init__(self, octets: bytes, found: set[Defect], *, is_complete: bool) -> None:
        self._octets = octets
        self._found = found
        self._is_complete = is_complete
        self._leaves: list[Leaf] = []
        self._running: list[Leaf] = []
        self._open: list[_Multipart] = []
        self._multiparts = 0
        self._header_room = _LARGEST_PART_HEADERS

    def scan(self, start: int, fields: list[RawField]) -> list[Leaf]:
        position = self._enter(fields, start, "1", "")
        while self._open:
            delimiter = self._open[-1].pattern.search(self._octets, max(0, position - 1))
            if delimiter is None:
                self._found.add(Defect.MIME if self._is_complete else Defect.TRUNCATED)
                self._leave(0, len(self._octets))
                del self._open[:]
                break
            if len(self._leaves) >= MOST_PARTS and not delimiter[2]:
                self._stop(delimiter)
                break
            position = self._delimiter(delimiter)
        self._finish_leaves(-1, len(self._octets))
        return self._leaves

    def _stop(self, delimiter: re.Match[bytes]) -> None:
        """Ends what runs where a part too many begins: a message of delimiters alone must not cost their number."""
        self._found.add(Defect.TRUNCATED)
        while self._running:
            leaf = self._running.pop()
            around = self._open[leaf.level - 1].pattern if leaf.level else None
            after = around.search(self._octets, delimiter.start()) if around else None
            leaf.end = max(leaf.start, _before(self._octets, after) if after else len(self._octets))

    def _delimiter(self, delimiter: re.Match[bytes]) -> int:
        """Takes one delimiter line and, where it opens a part, the part's header; returns where to go on."""
        innermost = self._open[-1]
        level = len(innermost.boundaries) - 1 - innermost.boundaries[::-1].index(delimiter[1])
        end = _before(self._octets, delimiter)
        if level + 1 < len(self._open):
            self._found.add(Defect.MIME)  # those within were not closed
            self._leave(level + 1, end)
        line_end = self._octets.find(b"\n", delimiter.end())
        after = len(self._octets) if line_end < 0 else line_end + 1
        if delimiter[2]:
            self._leave(level, end)
            return after
        self._finish_leaves(level, end)
        multipart = self._open[level]
        multipart.children += 1
        number = f"{multipart.prefix}{multipart.children}"
        fields, content = self._header(after)
        return self._enter(fields, content, number, f"{number}.")

    def _leave(self, level: int, end: int) -> None:
        """Closes the multiparts from *level* on at *end*."""
        self._finish_leaves(level, end)
        while len(self._open) > level:
            multipart = self._open.pop()
            if not multipart.children:
                # Its delimiter never came: what it holds is shown as text rather than lost.
                self._found.add(Defect.MIME)
                self._add(_as_text(multipart.entity), multipart.start, multipart.own_id, multipart.is_nested, end=end)

    def _finish_leaves(self, level: int, end: int) -> None:
        while self._running and self._running[-1].level > level:
            leaf = self._running.pop()
            leaf.end = max(leaf.start, end)

    def _header(self, start: int) -> tuple[list[RawField], int]:
        """Returns the fields of the part that begins at *start*, and where its content does."""
        window = min(_LARGEST_PART_HEADER, self._header_room)
        if window <= 0:
            self._found.add(Defect.TRUNCATED)
            return [], start
        before = start - 1  # the end of the delimiter line: a part may have no field at all
        limit = start + window
        empty = _EMPTY_LINE.search(self._octets, before, limit)
        delimiter = self._open[-1].pattern.search(self._octets, before, empty.end() if empty else limit)
        if delimiter:
            self._found.add(Defect.MIME)
            end, content = delimiter.start(), delimiter.start() + 1
        elif empty:
            end, content = empty.start(), empty.end()
        else:
            end = content = min(limit, len(self._octets))
            is_cut_here = limit < len(self._octets) or not self._is_complete
            self._found.add(Defect.TRUNCATED if is_cut_here else Defect.MIME)
        section = self._octets[start : max(start, end)]
        self._header_room -= len(section) + 1
        return split_fields(section, self._found), content

    def _enter(self, fields: list[RawField], start: int, own_id: str, prefix: str) -> int:
        """Begins the entity with *fields* and its content at *start*; returns where the search goes on."""
        is_nested = any(leaf.inner is not None for leaf in self._running)
        parent = self._open[-1] if self._open else None
        default = "message/rfc822" if parent and parent.entity.content_type == "multipart/digest" else "text/plain"
        while True:
            entity = read_entity(fields, self._found, default_type=default)
            if entity.is_multipart:
                if self._push(entity, start, own_id, prefix, is_nested=is_nested):
                    return start
                entity = _as_text(entity)
            leaf = self._add(entity, start, own_id, is_nested)
            if leaf is None or not entity.is_message:
                return start
            if self._depth() >= DEEPEST:
                self._found.add(Defect.TRUNCATED)
                return start
            fields, start = self._inner_header(leaf)
            leaf.inner = fields
            is_nested, default = True, "text/plain"
            own_id, prefix = f"{own_id}.1", f"{own_id}."

    def _inner_header(self, leaf: Leaf) -> tuple[list[RawField], int]:
        if self._octets.startswith((b"\n", b"\r\n"), leaf.start):
            return [], self._octets.index(b"\n", leaf.start) + 1
        if self._open:
            return self._header(leaf.start)
        empty = _EMPTY_LINE.search(self._octets, leaf.start)
        end = empty.end() if empty else len(self._octets)
        return split_fields(self._octets[leaf.start : end], self._found), end

    def _depth(self) -> int:
        return len(self._open) + sum(leaf.inner is not None for leaf in self._running)

    def _push(self, entity: Entity, start: int, own_id: str, prefix: str, *, is_nested: bool) -> bool:
        """Opens a multipart; where that cannot be, says so and leaves its content one part."""
        boundary = entity.boundary
        around = self._open[-1].boundaries if self._open else []
        if not boundary or boundary in around:
            self._found.add(Defect.MIME)
            return False
        if self._depth() >= DEEPEST or self._multiparts >= _MOST_MULTIPARTS:
            self._found.add(Defect.TRUNCATED)
            return False
        self._multiparts += 1
        boundaries = [*around, boundary]
        parent_type = self._open[-1].entity.content_type if self._open else ""
        self._open.append(
            _Multipart(entity, own_id, prefix, start, is_nested, _pattern(boundaries), boundaries, parent_type)
        )
        return True

    def _add(self, entity: Entity, start: int, own_id: str, is_nested: bool, *, end: int | None = None) -> Leaf | None:
        if len(self._leaves) >= MOST_PARTS:
            self._found.add(Defect.TRUNCATED)
            return None
        parent_type = self._open[-1].entity.content_type if self._open else ""
        leaf = Leaf(own_id, entity, start, len(self._open), is_nested, parent_type)
        self._leaves.append(leaf)
        if end is None:
            self._running.append(leaf)
        else:
            leaf.end = max(start, end)
        return leaf


def _before(octets: bytes, delimiter: re.Match[bytes]) -> int:
    """Returns where the content before a delimiter ends; the line end is the delimiter's (RFC 2046 section 5.1.1)."""
    end = delimiter.start()
    return end - 1 if octets[max(0, end - 1) : end] == b"\r" else end


def _as_text(multipart: Entity) -> Entity:
    """Returns a multipart that cannot be taken apart as text, so that a reader sees what is in it."""
    return replace(multipart, content_type="text/plain", transfer_encoding="", charset="")


def _pattern(boundaries: list[bytes]) -> re.Pattern[bytes]:
    """Returns what finds a whole delimiter line; blanks behind it are padding (RFC 2046 section 5.1.1)."""
    either = b"|".join(re.escape(boundary) for boundary in sorted(boundaries, key=len, reverse=True))
    return re.compile(rb"\n--(" + either + rb")(--)?[ \t]*(?=\r?\n|\r?\Z)")
