"""A message that came as MIME: who gets it, and what goes out of it."""

from __future__ import annotations

import base64
import binascii
import re
from email import policy
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from typing import Final

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Fields, Recipient
from service.sandbox.reading import decode_header_value

_END_OF_HEADERS: Final = re.compile(rb"\r?\n\r?\n")
_FIELD: Final = re.compile(rb"[^\r\n]*\r?\n(?:[ \t][^\r\n]*\r?\n)*")


def decode_mime(body: bytes) -> bytes:
    """
    Returns the message that *body*, Base64 in one line, stands for. Raises GraphError.

    Line breaks are refused: that Graph takes them is unconfirmed, so no client should send any.
    """
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise GraphError(
            400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content."
        ) from None


def read_mime(raw: bytes) -> Fields:
    """Returns what a message's headers say. Raises GraphError for what is no message."""
    headers, _ = split(raw)
    found = BytesHeaderParser(policy=policy.compat32).parsebytes(headers).raw_items()
    pairs = [(name.lower(), _as_text(str(value))) for name, value in found]
    if not pairs:
        raise GraphError(400, "ErrorMimeContentInvalid", "The MIME content is invalid.")

    def first(name: str) -> str:
        return next((decode_header_value(value).strip() for found, value in pairs if found == name), "")

    def recipients(name: str) -> tuple[Recipient, ...]:
        # Taken apart while encoded: a name may hold a comma or an @ once it is decoded.
        values = [re.sub(r"\r?\n", "", value) for found, value in pairs if found == name]
        return tuple(
            Recipient(address, decode_header_value(text)) for text, address in getaddresses(values) if "@" in address
        )

    return Fields(
        subject=first("subject"),
        from_=next(iter(recipients("from")), None),
        sender=next(iter(recipients("sender")), None),
        to=recipients("to"),
        cc=recipients("cc"),
        bcc=recipients("bcc"),
        reply_to=recipients("reply-to"),
        internet_message_id=first("message-id"),
        headers=tuple((name, decode_header_value(value)) for name, value in pairs if name.startswith("x-")),
    )


def without(raw: bytes, *names: str) -> bytes:
    """Returns the message without the header fields of those names, else byte for byte as it is."""
    headers, rest = split(raw)
    unwanted = {f"{name}:".lower().encode() for name in names}
    kept = [field for field in _FIELD.findall(headers) if _name_of(field) not in unwanted]
    return b"".join(kept) + rest


def fields_named(headers: bytes, *names: str) -> bytes:
    """Returns the header fields of those names."""
    wanted = {f"{name}:".lower().encode() for name in names}
    return b"".join(field for field in _FIELD.findall(headers) if _name_of(field) in wanted)


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Returns the header fields with the line break of the last, and the rest from the empty line on."""
    if raw.startswith((b"\r\n", b"\n")):
        return b"", raw
    end = _END_OF_HEADERS.search(raw)
    if end is None:
        return (raw if raw.endswith(b"\n") else raw + b"\r\n"), b"\r\n"
    length = end.start() + (2 if raw[end.start() : end.start() + 1] == b"\r" else 1)
    return raw[:length], raw[length:]


def content_fields(headers: bytes) -> tuple[bytes, bytes]:
    """Returns the fields that are of the message, and those that describe its body (Content-…, MIME-Version)."""
    fields = _FIELD.findall(headers)
    body = [field for field in fields if _name_of(field).startswith((b"content-", b"mime-version:"))]
    return b"".join(field for field in fields if field not in body), b"".join(body)


def _name_of(field: bytes) -> bytes:
    name, colon, _ = field.partition(b":")
    return name.strip().lower() + colon


def _as_text(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
