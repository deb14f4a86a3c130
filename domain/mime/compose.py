"""An OutgoingMessage flattened to the octets that go out: the same octets for the same input, always."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Final, NamedTuple

from domain.address import EmailAddress
from domain.message import Attachment, OutgoingMessage
from domain.mime.bodies import base64_lines, encode_text, is_7bit_text
from domain.mime.headers import STRUCTURED_FIELDS, address_field, date_field, structured_field, text_field
from domain.mime.parameters import disposition_field
from domain.mime.raw import complete

_LINE: Final = b"\r\n"


class _Part(NamedTuple):
    """A MIME entity: the Content-… fields, the content in pieces, and whether a piece is somebody's text unencoded."""

    fields: list[str]
    content: list[bytes]
    is_verbatim: bool = False


def make_message_id(unique: str, sender: EmailAddress) -> str:
    """
    Returns a Message-ID in angle brackets (RFC 5322 section 3.6.4), its right side the sender's domain.

    *unique* is the part before the @: atoms and dots, never used twice for the same domain.
    """
    return f"<{unique}@{sender.domain}>"


def compose(message: OutgoingMessage, *, message_id: str, date: datetime) -> bytes:
    """
    Returns the whole message as RFC 5322 octets: CRLF line ends, the last line ended, no Bcc, no line above 998 octets.

    All octets are ASCII, so that any server takes it, with two exceptions: the bodies of a `raw_mime` that has 8-bit
    ones (see `recompose_7bit`), and local parts beyond ASCII, which the header shows in UTF-8 (see `needs_smtputf8`).
    *message_id* has its angle brackets; *date* is aware. A `raw_mime` keeps its own From, Date and Message-ID.

    Text goes as it is when it is ASCII, its line ends made CRLF; a message whose only content is such a text or
    quoted-printable ends with a line end, also when the text did not. A ``message/rfc822`` file that is not 7-bit with
    CRLF line ends goes as ``application/octet-stream``, since RFC 2046 section 5.2.1 allows no encoding for it.
    Takes time in proportion to the size: a thread's work above a few MiB.
    """
    if message.raw_mime:
        return complete(message.raw_mime, sender=message.sender, message_id=message_id, date=date)
    body = _body(message, message_id)
    fields = _header(message, message_id, date)
    fields += ("MIME-Version: 1.0", *body.fields, "", "")
    # Only the header may hold more than ASCII: a local part under SMTPUTF8.
    pieces = ["\r\n".join(fields).encode(), *body.content]
    if not pieces[-1].endswith(_LINE):
        pieces.append(_LINE)
    return b"".join(pieces)


def _header(message: OutgoingMessage, message_id: str, date: datetime) -> list[str]:
    fields = [date_field(date), address_field("From", (message.sender,))]
    if message.reply_to:
        fields.append(address_field("Reply-To", message.reply_to))
    if message.to:
        fields.append(address_field("To", message.to))
    elif not message.cc:
        fields.append("To: undisclosed-recipients:;")
    if message.cc:
        fields.append(address_field("Cc", message.cc))
    fields.append(text_field("Subject", message.subject))
    fields.append(f"Message-ID: {message_id}")
    for name, value in message.headers:
        write = structured_field if name.lower() in STRUCTURED_FIELDS else text_field
        fields.append(write(name, value))
    return fields


def _body(message: OutgoingMessage, message_id: str) -> _Part:
    if not message.html_body and not message.attachments:
        return _text("plain", message.text_body)
    inline = [_file(item) for item in message.attachments if item.content_id and message.html_body]
    attached = [_file(item) for item in message.attachments if not (item.content_id and message.html_body)]
    text, html = _text("plain", message.text_body), _text("html", message.html_body)
    boundary = _boundary(message_id, [text, html, *inline, *attached])
    if message.html_body:
        body = _multipart("related", [html, *inline], f"{boundary}r", '; type="text/html"') if inline else html
        if message.text_body:
            body = _multipart("alternative", [text, body], f"{boundary}a")
    else:
        body = text
    return _multipart("mixed", [body, *attached], f"{boundary}m") if attached else body


def _text(subtype: str, text: str) -> _Part:
    encoded = encode_text(text)
    return _Part(
        [f"Content-Type: text/{subtype}; charset={encoded.charset}", f"Content-Transfer-Encoding: {encoded.encoding}"],
        [encoded.content],
        encoded.encoding == "7bit",
    )


def _file(attachment: Attachment) -> _Part:
    content_type = attachment.content_type
    is_message = content_type.startswith("message/")
    is_verbatim = is_message and is_7bit_text(attachment.content)
    if is_message and not is_verbatim:
        content_type = "application/octet-stream"
    fields = [
        f"Content-Type: {content_type}",
        f"Content-Transfer-Encoding: {'7bit' if is_verbatim else 'base64'}",
        disposition_field("inline" if attachment.content_id else "attachment", attachment.file_name),
    ]
    if attachment.content_id:
        fields.append(f"Content-ID: <{attachment.content_id}>")
    content = attachment.content if is_verbatim else base64_lines(attachment.content)
    return _Part(fields, [content], is_verbatim)


def _boundary(message_id: str, parts: list[_Part]) -> str:
    """Returns a boundary that no part holds: the hash of the Message-ID, hashed again when somebody guessed it."""
    name = message_id
    while True:
        name = blake2b(name.encode(), digest_size=12).hexdigest()
        token = name.encode()
        if not any(part.is_verbatim and token in piece for part in parts for piece in part.content):
            return f"=_{name}"


def _multipart(subtype: str, parts: list[_Part], boundary: str, parameters: str = "") -> _Part:
    content: list[bytes] = []
    for part in parts:
        content.append("\r\n".join((f"--{boundary}", *part.fields, "", "")).encode())
        content += part.content
        content.append(_LINE)
    content.append(f"--{boundary}--\r\n".encode())
    return _Part([f'Content-Type: multipart/{subtype}; boundary="{boundary}"{parameters}'], content)
