"""Reads a received message for showing it. Whatever the octets are, something comes out and nothing is raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from typing import Final

_DECODED_HEADER_LIMIT: Final = 20_000
"""Characters up to which encoded words of a header are decoded: the standard library needs long for huge ones."""

# Everything but tab and line feed that moves a terminal's or a page's cursor, and what JSON cannot carry.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a message that is not its text: offered for download, never shown."""

    number: int
    """Place in the message, from 1 on."""
    file_name: str
    """As the sender wrote it, so not to be trusted; may be empty."""
    content_type: str
    content_id: str
    content: bytes

    @property
    def size_bytes(self) -> int:
        """Returns the decoded size."""
        return len(self.content)


@dataclass(frozen=True, slots=True)
class Contents:
    """The body of a message, decoded: the first plain text, the first HTML, and the rest."""

    text_body: str
    html_body: str
    attachments: tuple[Attachment, ...]


def clean(text: str) -> str:
    """Returns *text* with control characters and lone surrogates shown as the replacement character."""
    return _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))


def read_headers(raw: bytes) -> tuple[tuple[str, str], ...]:
    """Returns name and decoded value of each header, in the order of the message, unfolded."""
    message = BytesHeaderParser(policy=policy.compat32).parsebytes(raw)
    return tuple((clean(name), decode_header_value(str(value))) for name, value in message.raw_items())


def decode_header_value(value: str) -> str:
    """Returns a header's value unfolded, with encoded words (RFC 2047) and raw UTF-8 (RFC 6532) decoded."""
    unfolded = re.sub(r"\r?\n", "", value)
    text = unfolded.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if "=?" in text and len(text) <= _DECODED_HEADER_LIMIT:
        try:
            # Always as unstructured text: the parsers of structured fields raise on malformed ones.
            text = str(policy.default.header_factory("X-Unstructured", text))
        except Exception:  # any, since strangers' headers find new ways; the undecoded text is still worth showing
            return clean(text)
    return clean(text)


def read_contents(raw: bytes) -> Contents:
    """Returns the bodies and attachments. A message that cannot be taken apart is given as one plain text."""
    try:
        return _sort_parts(BytesParser(policy=policy.compat32).parsebytes(raw))
    except Exception:  # any, e.g. RecursionError on thousands of nested parts: a reader of the inbox must not notice
        return Contents(text_body=clean(raw.decode("utf-8", "replace")), html_body="", attachments=())


def _sort_parts(message: Message) -> Contents:
    text: str | None = None
    html: str | None = None
    attachments: list[Attachment] = []
    for part in _leaves(message):
        content_type = part.get_content_type()
        is_body = part.get_content_disposition() != "attachment" and not part.get_filename()
        if is_body and content_type == "text/plain" and text is None:
            text = _text_of(part)
        elif is_body and content_type == "text/html" and html is None:
            html = _text_of(part)
        else:
            attachments.append(_attachment_of(part, number=len(attachments) + 1))
    return Contents(text_body=text or "", html_body=html or "", attachments=tuple(attachments))


def _leaves(message: Message) -> Iterator[Message]:
    waiting = [message]
    while waiting:
        part = waiting.pop()
        children = part.get_payload()
        # A forwarded message (message/rfc822) has a child as well, but is one attachment to its reader.
        if part.get_content_maintype() == "multipart" and isinstance(children, list):
            waiting.extend(child for child in reversed(children) if isinstance(child, Message))
        else:
            yield part


def _octets_of(part: Message) -> bytes:
    children = part.get_payload()
    if isinstance(children, list):
        return b"".join(child.as_bytes() for child in children if isinstance(child, Message))
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text_of(part: Message) -> str:
    octets = _octets_of(part)
    try:
        return clean(octets.decode(part.get_content_charset("utf-8"), "replace"))
    except (LookupError, ValueError):  # an unknown charset, or a codec that is none for text
        return clean(octets.decode("utf-8", "replace"))


def _attachment_of(part: Message, *, number: int) -> Attachment:
    return Attachment(
        number=number,
        file_name=decode_header_value(part.get_filename() or ""),
        content_type=clean(part.get_content_type()),
        content_id=decode_header_value(str(part.get("Content-ID", ""))).strip().strip("<>"),
        content=_octets_of(part),
    )
