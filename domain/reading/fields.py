"""A header section cut into its fields (RFC 5322 section 2.2), junk between them set aside; never raises."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from domain.reading.model import LARGEST_HEADERS_BYTES, MOST_HEADERS, Defect, HeaderField
from domain.reading.words import decode_text

LARGEST_SECTION_BYTES: Final = 256 * 1024
"""What is read of the header of a message; nothing that a person sends comes near it."""
_LONGEST_LINE: Final = 998
_LONGEST_NAME: Final = 128
_NAME: Final = re.compile(rb"[!-9;-~]{1,%d}" % _LONGEST_NAME)


class RawField(NamedTuple):
    """A field as it came: its name in lower case, and its value unfolded."""

    name: str
    value: bytes
    written_name: str


def split_fields(section: bytes, found: set[Defect]) -> list[RawField]:
    """
    Returns the fields of a header *section* in order, up to its first empty line; line ends are LF or CRLF.

    Lines that are no field are left out and flagged, such as the ``From `` line of an mbox file.
    """
    if len(section) > LARGEST_SECTION_BYTES:
        section = section[:LARGEST_SECTION_BYTES]
        found.add(Defect.TRUNCATED)
    fields: list[RawField] = []
    name, pieces = b"", [b""]
    for line in section.split(b"\n"):
        line = line.removesuffix(b"\r")
        if not line:
            break
        if len(line) > _LONGEST_LINE:
            found.add(Defect.HEADER)
        if line[0] in b" \t":
            if not name:
                found.add(Defect.HEADER)
            pieces.append(line)
            continue
        _keep(fields, name, pieces)
        name, colon, value = line.partition(b":")
        name = name.rstrip(b" \t")
        if not colon or not _NAME.fullmatch(name):
            found.add(Defect.HEADER)
            name = b""
        pieces = [value]
    _keep(fields, name, pieces)
    return fields


def _keep(fields: list[RawField], name: bytes, pieces: list[bytes]) -> None:
    if name:
        written = name.decode("ascii")
        fields.append(RawField(written.lower(), b"".join(pieces).strip(b" \t"), written))


def values_of(fields: list[RawField], name: str) -> list[bytes]:
    """Returns the values of all fields *name*, which is in lower case, in order."""
    return [field.value for field in fields if field.name == name]


def only_value(fields: list[RawField], name: str, found: set[Defect]) -> bytes:
    """Returns the value of the field *name*, empty when there is none; of several the first, and that is flagged."""
    values = values_of(fields, name)
    if len(values) > 1:
        found.add(Defect.HEADER)  # RFC 5322 section 3.6: once at most
    return values[0] if values else b""


def shown_fields(fields: list[RawField], found: set[Defect]) -> tuple[HeaderField, ...]:
    """Returns *fields* decoded, up to `MOST_HEADERS` and `LARGEST_HEADERS_BYTES`."""
    shown: list[HeaderField] = []
    room = LARGEST_HEADERS_BYTES
    for field in fields:
        if len(shown) == MOST_HEADERS or room <= len(field.written_name):
            found.add(Defect.TRUNCATED)
            break
        room -= len(field.written_name)
        value = decode_text(field.value[: 4 * LARGEST_HEADERS_BYTES], found)
        shown.append(HeaderField(field.written_name, cut_octets(value, room, found)))
        room -= len(shown[-1].value.encode())
    return tuple(shown)


def cut(text: str, longest: int, found: set[Defect]) -> str:
    """Returns at most *longest* characters of *text*."""
    if len(text) <= longest:
        return text
    found.add(Defect.TRUNCATED)
    return text[:longest]


def cut_octets(text: str, most: int, found: set[Defect]) -> str:
    """Returns as many whole characters of *text* as fit into *most* octets of UTF-8."""
    if len(text) * 4 <= most:
        return text
    octets = text.encode()
    if len(octets) <= most:
        return text
    found.add(Defect.TRUNCATED)
    return octets[:most].decode("utf-8", "ignore")
