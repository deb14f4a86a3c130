"""The files within a flattened message, found where they lie and decoded piece by piece: nothing large is copied."""

from __future__ import annotations

import re
from binascii import Error as MalformedBase64
from binascii import a2b_base64, a2b_qp
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from email.utils import collapse_rfc2231_value
from typing import Final

from domain.mime.entities import DEEPEST, MOST_PARTS, read_entity

_PIECE: Final = 1 << 20
"""Octets of encoded content that are decoded at a time; a multiple of four."""
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64))
_ROOMS: Final = frozenset({"multipart/mixed", "multipart/related"})
"""Where a file may be taken out and what is left says the same; not so where parts are signed, or are alternatives."""
_LONGEST_NAME: Final = 255
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file in a message: where its part begins and ends, and what it is."""

    start: int
    """Of the delimiter line before it."""
    body: int
    end: int
    """Of its content; the line end and the delimiter behind it are the next one's."""
    encoding: str
    name: str
    content_type: str
    content_id: str
    """Without angle brackets; empty: nothing refers to it."""
    is_inline: bool
    size: int
    """Octets, decoded."""
    is_related: bool
    """Whether it belongs to an HTML text beside it (RFC 2387)."""


def files_in(content: bytes) -> tuple[FilePart, ...]:
    """
    Returns the files of a flattened message that may travel apart from it, in their order.

    These are the parts of ``multipart/mixed`` and ``multipart/related`` but for the first of each, which is the text.
    Takes time in proportion to the size: a thread's work above some MiB.
    """
    return tuple(_files(content, 0, len(content), depth=1))


def without_files(content: bytes, files: Sequence[FilePart], *, header: bytes) -> bytes:
    """Returns *content* without *files* (in order), and with *header* (and its empty line) in place of its own."""
    pieces = [header]
    position = header_end(content)
    for file in files:
        pieces.append(content[position : file.start])
        position = file.end
        if content[position : position + 2] == b"\r\n":
            position += 2
    pieces.append(content[position:])
    return b"".join(pieces)


def header_end(content: bytes, begin: int = 0, end: int | None = None) -> int:
    """Returns where the header ends that begins at *begin*, its empty line included; *end* when there is none."""
    stop = len(content) if end is None else end
    if content.startswith(b"\r\n", begin):
        return begin + 2
    found = content.find(b"\r\n\r\n", begin, stop)
    return stop if found < 0 else found + 4


def pieces_of(content: bytes, file: FilePart, *, first: int = 0, largest: int = _PIECE) -> Iterator[bytes]:
    """Yields the decoded file from the octet *first* on in pieces of *largest* octets, the last one shorter."""
    skip, kept = first, bytearray()
    for decoded in _decoded(content, file):
        if skip >= len(decoded):
            skip -= len(decoded)
            continue
        kept += memoryview(decoded)[skip:]
        skip = 0
        while len(kept) >= largest:
            yield bytes(memoryview(kept)[:largest])
            del kept[:largest]
    if kept:
        yield bytes(kept)


def _files(content: bytes, begin: int, end: int, *, depth: int) -> Iterator[FilePart]:
    body = header_end(content, begin, end)
    entity = read_entity(content[begin:body])
    if entity.media_type not in {*_ROOMS, "multipart/alternative"} or depth > DEEPEST or not entity.boundary:
        return
    for number, (start, first, last) in enumerate(_parts(content, body, end, entity.boundary)):
        inner_body = header_end(content, first, last)
        inner = read_entity(content[first:inner_body])
        if inner.is_multipart:
            yield from _files(content, first, last, depth=depth + 1)
        elif number and entity.media_type in _ROOMS:
            part = _file(content, start, inner_body, last, inner.encoding, inner.header, number, entity.media_type)
            if part is not None:
                yield part


def _parts(content: bytes, begin: int, end: int, boundary: str) -> Iterator[tuple[int, int, int]]:
    """Yields for each part where its delimiter line, its header and its end are (RFC 2046 section 5.1.1)."""
    mark = b"--" + boundary.encode("ascii", "replace")
    open_start, open_first = -1, -1
    position = begin
    for _ in range(MOST_PARTS + 1):
        start = _delimiter(content, mark, position, end, is_first=position == begin)
        if start < 0:
            break
        line_end = content.find(b"\r\n", start, end)
        after = end if line_end < 0 else line_end + 2
        rest = content[start + len(mark) : after].strip()
        if rest in {b"", b"--"}:
            if open_start >= 0:
                yield open_start, open_first, max(open_first, start - 2)
            open_start, open_first = start, after
            if rest == b"--":
                return
        position = after
    if open_start >= 0:
        yield open_start, open_first, end


def _delimiter(content: bytes, mark: bytes, position: int, end: int, *, is_first: bool) -> int:
    if is_first and content.startswith(mark, position):
        return position
    # The line end before a delimiter may be the end of the line before it: an empty part.
    found = content.find(b"\r\n" + mark, max(position - 2, 0), end)
    return -1 if found < 0 else found + 2


def _file(
    content: bytes, start: int, body: int, end: int, encoding: str, header: bytes, number: int, room: str
) -> FilePart | None:
    fields = HeaderParser().parsestr(header.decode("ascii", "replace"))
    disposition = (fields.get_content_disposition() or "").lower()
    content_id = (fields.get("Content-ID") or "").strip().strip("<>")
    name = _name(fields)
    if not (name or content_id or disposition == "attachment" or room == "multipart/related"):
        return None  # one more text to be shown, not a file (RFC 2183 section 2.1)
    part = FilePart(
        start=start,
        body=body,
        end=end,
        encoding=encoding,
        name=name or f"attachment-{number}",
        content_type=_content_type(fields),
        content_id=content_id,
        is_inline=disposition != "attachment" and bool(content_id),
        size=0,
        is_related=room == "multipart/related",
    )
    try:
        size = _decoded_size(content, part)
    except MalformedBase64:
        return None
    return FilePart(**{**{name: getattr(part, name) for name in part.__slots__}, "size": size})


def _name(fields: Message) -> str:
    try:
        written = fields.get_filename() or ""
        name = collapse_rfc2231_value(written)
    except (LookupError, ValueError):
        return ""
    return _UNSAFE.sub("", name).strip()[:_LONGEST_NAME]


def _content_type(fields: Message) -> str:
    """Returns type and subtype with the parameters that tell how to read it; its name goes elsewhere."""
    kept = [fields.get_content_type()]
    for name in ("charset", "method"):
        value = fields.get_param(name)
        if isinstance(value, str) and value.isascii() and not _UNSAFE.search(value) and '"' not in value:
            kept.append(f'{name}="{value}"')
    return "; ".join(kept)


def _decoded(content: bytes, file: FilePart) -> Iterator[bytes]:
    view = memoryview(content)
    if file.encoding == "quoted-printable":
        yield a2b_qp(content[file.body : file.end])
        return
    if file.encoding != "base64":
        for begin in range(file.body, file.end, _PIECE):
            yield bytes(view[begin : min(begin + _PIECE, file.end)])
        return
    rest = b""
    for begin in range(file.body, file.end, _PIECE):
        letters = rest + bytes(view[begin : min(begin + _PIECE, file.end)]).translate(None, _NOT_BASE64)
        whole = len(letters) - len(letters) % 4
        yield a2b_base64(letters[:whole])
        rest = letters[whole:]
    if rest:
        yield a2b_base64(rest + b"=" * (-len(rest) % 4))


def _decoded_size(content: bytes, file: FilePart) -> int:
    if file.encoding == "quoted-printable":
        return len(a2b_qp(content[file.body : file.end]))
    if file.encoding != "base64":
        return file.end - file.body
    letters = 0
    view = memoryview(content)
    for begin in range(file.body, file.end, _PIECE):
        letters += len(bytes(view[begin : min(begin + _PIECE, file.end)]).translate(None, _NOT_BASE64))
    if letters % 4 == 1:
        raise MalformedBase64("a letter is left over")
    return letters * 3 // 4
