"""Messages by other programs on their way out: completed where something is missing, recoded for seven bits."""

from __future__ import annotations

import re
from binascii import a2b_qp
from datetime import datetime
from typing import Final

from domain.message import NamedAddress
from domain.mime.bodies import base64_lines, encode_octets
from domain.mime.entities import DEEPEST, Entity, field_pattern, part_slices, read_entity
from domain.mime.headers import address_field, date_field

_ENCODING: Final = field_pattern(b"content-transfer-encoding")
_NAMES: Final = re.compile(rb"^([!-9;-~]+):", re.MULTILINE)
_BEYOND_ASCII: Final = bytes(range(0x80, 0x100))
_QUESTION_MARKS: Final = bytes([*range(0x80), *(b"?" * 0x80)])


def complete(raw_mime: bytes, *, sender: NamedAddress, message_id: str, date: datetime) -> bytes:
    """Returns *raw_mime*, cleaned by `read_raw`, behind what it lacks of Date, From, Message-ID and MIME-Version."""
    present = {name.lower() for name in _NAMES.findall(read_entity(raw_mime).header)}
    fields = {
        b"date": date_field(date),
        b"from": address_field("From", (sender,)),
        b"message-id": f"Message-ID: {message_id}",
        b"mime-version": "MIME-Version: 1.0",
    }
    missing = [f"{field}\r\n" for name, field in fields.items() if name not in present]
    return "".join(missing).encode() + raw_mime if missing else raw_mime


def recompose_7bit(content: bytes) -> bytes:
    """
    Returns *content* with all its bodies in seven bits, for a server without 8BITMIME (RFC 6152 section 3).

    Each 8-bit part becomes quoted-printable or base64 and decodes to the same octets; every other octet stays, and a
    message that is in seven bits already comes back untouched. Header sections are not touched beyond
    Content-Transfer-Encoding. *content* has CRLF line ends. Takes time in proportion to the size: a thread's work above
    a few MiB.
    """
    return _recoded(content, depth=1)


def _recoded(content: bytes, *, depth: int) -> bytes:
    if content.isascii():
        return content
    entity = read_entity(content)
    if entity.body.isascii():
        return content
    if depth < DEEPEST and entity.is_multipart:
        return _with_encoding(entity.header, "7bit") + _recoded_parts(entity, depth)
    if depth < DEEPEST and entity.is_message:
        return _with_encoding(entity.header, "7bit") + _recoded(entity.body, depth=depth + 1)
    return _recoded_leaf(entity)


def _recoded_parts(entity: Entity, depth: int) -> bytes:
    pieces = []
    position = 0
    for part in part_slices(entity.body, entity.boundary):
        pieces.append(_7bit_filler(entity.body[position : part.start]))
        pieces.append(_recoded(entity.body[part], depth=depth + 1))
        position = part.stop
    pieces.append(_7bit_filler(entity.body[position:]))
    return b"".join(pieces)


def _7bit_filler(octets: bytes) -> bytes:
    """Returns what stands before, between and behind parts, which no reader shows and no encoding can hold."""
    return octets.translate(_QUESTION_MARKS)


def _recoded_leaf(entity: Entity) -> bytes:
    match entity.encoding:
        case "base64":
            # Octets outside of the alphabet mean nothing (RFC 2045 section 6.8).
            return entity.header + entity.body.translate(None, _BEYOND_ASCII)
        case "quoted-printable":
            encoding, body = "base64", base64_lines(a2b_qp(entity.body))
        case _ if entity.media_type.startswith("text/"):
            encoding, body = encode_octets(entity.body)
        case _:
            encoding, body = "base64", base64_lines(entity.body)
    line_end = b"" if body.endswith(b"\r\n") or not entity.body.endswith(b"\r\n") else b"\r\n"
    return _with_encoding(entity.header, encoding) + body + line_end


def _with_encoding(header: bytes, encoding: str) -> bytes:
    field = f"Content-Transfer-Encoding: {encoding}\r\n".encode()
    replaced, count = _ENCODING.subn(field, header, count=1)
    if count:
        return replaced
    end = len(header) - 2 if header.endswith(b"\r\n") else len(header)
    return header[:end] + field + header[end:]
