"""MIME entities taken apart without touching an octet: header, body, and the parts of a multipart (RFC 2045, 2046)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from domain.mime.header_section import Fault

DEEPEST: Final = 20
MOST_PARTS: Final = 500
_MOST_MARKS: Final = 10 * MOST_PARTS
"""Lines that begin as a delimiter does; a bound on the work, since each has to be looked at."""

_MEDIA_TYPE: Final = re.compile(r"[ \t]*([^\s;/]+/[^\s;/]+)")
_PARAMETER: Final = re.compile(r';[ \t]*([^\s=;]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^;]*)')
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Entity:
    """A message or a part of one; `header` and `body` together are all its octets, line ends CRLF."""

    header: bytes
    """With the empty line that ends it."""
    body: bytes
    media_type: str
    """Lower case; ``text/plain`` when nothing is said (RFC 2045 section 5.2)."""
    boundary: str
    encoding: str
    """Content-Transfer-Encoding in lower case; ``7bit`` when nothing is said."""

    @property
    def is_multipart(self) -> bool:
        return self.media_type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        """Tells whether the body is a message to be looked into; one that is encoded against the rules is a file."""
        return self.media_type == "message/rfc822" and self.encoding in {"7bit", "8bit", "binary"}


def read_entity(content: bytes) -> Entity:
    """Takes *content* apart; a header without an empty line behind it is all header."""
    end = 2 if content.startswith(b"\r\n") else content.find(b"\r\n\r\n") + 4
    if end < 4 and not content.startswith(b"\r\n"):
        end = len(content)
    header = content[:end]
    content_type = _value(header, b"content-type")
    media_type = _MEDIA_TYPE.match(content_type)
    return Entity(
        header=header,
        body=content[end:],
        media_type=media_type[1].lower() if media_type else "text/plain",
        boundary=_boundary(content_type),
        encoding=_value(header, b"content-transfer-encoding").strip().lower() or "7bit",
    )


def field_pattern(name: bytes) -> re.Pattern[bytes]:
    """Returns what finds the field *name* in a header, with its continuation lines and its line end."""
    return re.compile(rb"^" + name + rb":(.*(?:\r\n|\Z)(?:[ \t].*(?:\r\n|\Z))*)", re.IGNORECASE | re.MULTILINE)


def delimiters(body: bytes, boundary: str) -> Iterator[tuple[int, int, bool]]:
    """Yields start and end of each delimiter line (RFC 2046 section 5.1.1), and whether it is the closing, last one."""
    if not boundary:
        return
    mark = _mark(boundary)
    start = 0 if body.startswith(mark[2:]) else _next_line(body, mark, 0)
    while start >= 0:
        line_end = body.find(b"\r\n", start)
        end = len(body) if line_end < 0 else line_end + 2
        rest = body[start + len(mark) - 2 : end].strip()
        if rest in {b"", b"--"}:
            yield start, end, rest == b"--"
            if rest == b"--":
                return
        start = _next_line(body, mark, start)


def part_slices(body: bytes, boundary: str) -> list[slice]:
    """Returns where the parts of a multipart *body* lie; the line end before a delimiter is none of theirs."""
    found = list(delimiters(body, boundary))
    ends = [(start, is_last) for start, _, is_last in found[1:]]
    if found and not found[-1][2]:
        ends.append((len(body), True))
    return [
        slice(begin, max(begin, end - 2 if body[end - 2 : end] == b"\r\n" else end))
        for (_, begin, _), (end, _) in zip(found, ends, strict=False)
    ]


def structure_faults(content: bytes) -> list[Fault]:
    """Returns what makes *content* unfit: too many parts, too deep, no boundary in a multipart, raw 8-bit headers."""
    faults: list[Fault] = []
    waiting = [(content, 1)]
    seen = 0
    while waiting and not faults:
        entity_content, depth = waiting.pop()
        entity = read_entity(entity_content)
        seen += 1
        faults += _entity_faults(entity, depth, seen)
        if faults:
            continue
        if entity.is_multipart:
            slices = part_slices(entity.body, entity.boundary)
            if seen + len(waiting) + len(slices) > MOST_PARTS:
                faults.append(_TOO_MANY)
            else:
                waiting += [(entity.body[part], depth + 1) for part in slices]
        elif entity.is_message:
            waiting.append((entity.body, depth + 1))
    return faults


_TOO_MANY: Final = Fault(f"The message has more than {MOST_PARTS} parts.", "Send fewer parts, or several messages.")


def _entity_faults(entity: Entity, depth: int, seen: int) -> Iterator[Fault]:
    if depth > DEEPEST:
        yield Fault(f"The message is nested deeper than {DEEPEST} levels.", "Attach less deeply nested messages.")
    if seen > MOST_PARTS:
        yield _TOO_MANY
    if not entity.header.isascii():
        yield Fault(
            "The header of a part holds octets beyond ASCII.",
            "Write names as encoded-words (RFC 2047) and file names by RFC 2231.",
        )
    if entity.is_multipart and entity.body.count(_mark(entity.boundary)) > _MOST_MARKS:
        yield _TOO_MANY
    elif entity.is_multipart and next(iter(delimiters(entity.body, entity.boundary)), None) is None:
        yield Fault(
            f"A part is {entity.media_type}, and the line of its boundary does not occur.",
            "Give Content-Type the boundary parameter that separates the parts.",
        )


def _next_line(body: bytes, mark: bytes, position: int) -> int:
    found = body.find(mark, position)
    return found + 2 if found >= 0 else -1


def _mark(boundary: str) -> bytes:
    return b"\r\n--" + boundary.encode("ascii", "replace")


def _value(header: bytes, name: bytes) -> str:
    found = field_pattern(name).search(header)
    return found[1].replace(b"\r\n", b"").decode("ascii", "replace") if found else ""


def _boundary(content_type: str) -> str:
    for parameter in _PARAMETER.finditer(content_type):
        if parameter[1].lower() == "boundary":
            written = parameter[2].strip()
            return _QUOTED_PAIR.sub(r"\1", written[1:-1]) if written.startswith('"') else written
    return ""
