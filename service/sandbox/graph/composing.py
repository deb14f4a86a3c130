"""What goes out: the message that came as MIME, or one made of fields and files, without ever holding a large file."""

from __future__ import annotations

import binascii
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final

from service.sandbox.graph.errors import property_value_invalid
from service.sandbox.graph.item import Attachment, Fields, Item, Recipient
from service.sandbox.graph.mime_form import content_fields, fields_named, read_mime, split, without
from service.sandbox.spool import Spool

_LINE_OCTETS: Final = 57
"""What a line of 76 letters of Base64 holds (RFC 2045 section 6.8)."""
_LINES: Final = 4_096

_HEADERS: Final = {
    "From": "from_",
    "To": "to",
    "Cc": "cc",
    "Bcc": "bcc",
    "Reply-To": "reply_to",
    "Subject": "subject",
    "Importance": "importance",
    "Message-ID": "internet_message_id",
}

Write = Callable[[Spool], None]


def compose(item: Item, *, submitter: str, on_behalf: bool, now: datetime) -> Spool:
    """
    Returns the message as recipients get it: without Bcc, with what it lacked of From, Date and Message-ID.

    *submitter*: whom recipients see too if the message goes out on behalf of its From. What came as MIME and got no
    further files is as it came otherwise. Raises GraphError for a text that cannot be written.
    """
    if item.mime is not None:
        extra, headers, rest = _from_mime(item.mime.read(), item.fields, submitter if on_behalf else "", now)
        if not item.attachments:
            return Spool(extra + headers + rest)
        outer, inner = content_fields(headers)
        body, outer = _octets(inner + rest), extra + outer
    else:
        extra = _lines({"Sender": submitter} if on_behalf else {}) + _lines({"Date": format_datetime(now)})
        try:
            body, outer = _octets(_text_part(item.fields)), extra + _header_block(item.fields)
        except ValueError:  # half of a character, which JSON can carry
            raise property_value_invalid() from None
        if inline := [each for each in item.attachments if each.is_inline]:
            body = _multipart("related", [body, *map(_file, inline)])
    out = Spool()
    files = [each for each in item.attachments if item.mime is not None or not each.is_inline]
    out.append(outer)
    (_multipart("mixed", [body, *map(_file, files)]) if files else body)(out)
    return out


def _from_mime(raw: bytes, fields: Fields, sender: str, now: datetime) -> tuple[bytes, bytes, bytes]:
    """Returns the fields that are added, those that stay, and the rest."""
    headers, _ = split(raw)
    found = read_mime(raw)
    extra = {"Sender": sender} if sender else {}
    if found.from_ is None and fields.from_ is not None:
        extra["From"] = fields.from_.address
    if found.internet_message_id != fields.internet_message_id:
        extra["Message-ID"] = fields.internet_message_id
    if not any(line.lower().startswith(b"date:") for line in headers.splitlines()):
        extra["Date"] = format_datetime(now)
    return (_lines(extra), *split(without(raw, "Bcc", *extra)))


def rewritten(raw: bytes, before: Fields, after: Fields) -> bytes:
    """Returns a message that came as MIME with the header fields that changed. Raises GraphError if its body did."""
    if (before.body, before.body_type) != (after.body, after.body_type):
        raise property_value_invalid()
    names = [name for name, field in _HEADERS.items() if getattr(before, field) != getattr(after, field)]
    try:
        written = _header_block(after)
    except ValueError:
        raise property_value_invalid() from None
    # Bcc is in no message that goes out: whom it names is in the fields.
    return fields_named(written, *names) + without(raw, *names)


def new_message_id(mailbox: str) -> str:
    """Returns a Message-ID for a message that has none."""
    return f"<{uuid.uuid4().hex}@{mailbox.rpartition('@')[2] or 'sandbox.example'}>"


def _lines(fields: dict[str, str]) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in fields.items())


def _header_block(fields: Fields) -> bytes:
    addresses = [each.address for each in (fields.from_, *fields.to, *fields.cc, *fields.reply_to) if each]
    message = EmailMessage(policy=policy.SMTP if all(map(str.isascii, addresses)) else policy.SMTPUTF8)
    if fields.from_ is not None:
        message["From"] = _address(fields.from_)
    for name, found in (("To", fields.to), ("Cc", fields.cc), ("Reply-To", fields.reply_to)):
        if found:
            message[name] = [_address(each) for each in found]
    message["Subject"] = fields.subject
    if fields.internet_message_id:
        message["Message-ID"] = fields.internet_message_id
    if fields.importance != "normal":
        message["Importance"] = fields.importance
    for name, value in fields.headers:
        message[name] = value
    return message.as_bytes().rstrip(b"\r\n") + b"\r\n"


def _address(recipient: Recipient) -> Address:
    name = "" if recipient.name == recipient.address else " ".join(recipient.name.splitlines())
    local_part, _, domain = recipient.address.rpartition("@")
    return Address(name, username=local_part, domain=domain)


def _text_part(fields: Fields) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message.set_content(fields.body, subtype="html" if fields.body_type == "html" else "plain")
    return message.as_bytes()


def _file(attachment: Attachment) -> Write:
    def write(out: Spool) -> None:
        out.append(_file_headers(attachment) + b"\r\n")
        for chunk in attachment.content.chunks(_LINE_OCTETS * _LINES):
            lines = [
                binascii.b2a_base64(chunk[place : place + _LINE_OCTETS], newline=False)
                for place in range(0, len(chunk), _LINE_OCTETS)
            ]
            out.append(b"\r\n".join(lines) + b"\r\n")

    return write


def _file_headers(attachment: Attachment) -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    maintype, _, subtype = attachment.content_type.partition(";")[0].strip().partition("/")
    # A message or a multipart must not be Base64 (RFC 2046 section 5.2.1, RFC 2045 section 6.4).
    is_usable = subtype.isascii() and subtype and maintype.isascii() and maintype not in {"", "message", "multipart"}
    message["Content-Type"] = f"{maintype}/{subtype}" if is_usable else "application/octet-stream"
    message["Content-Transfer-Encoding"] = "base64"
    disposition = "inline" if attachment.is_inline else "attachment"
    message.add_header("Content-Disposition", disposition, filename=" ".join(attachment.name.splitlines()))
    if attachment.content_id:
        message["Content-ID"] = f"<{attachment.content_id.strip('<>')}>"
    return message.as_bytes().rstrip(b"\r\n") + b"\r\n"


def _octets(content: bytes) -> Write:
    return lambda out: out.append(content)


def _multipart(subtype: str, parts: Sequence[Write]) -> Write:
    boundary = f"=_{uuid.uuid4().hex}"  # in no part: "=_" is in neither Base64 nor quoted-printable

    def write(out: Spool) -> None:
        header = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'
        out.append(f"MIME-Version: 1.0\r\n{header}".encode())
        for part in parts:
            out.append(f"--{boundary}\r\n".encode())
            part(out)
            out.append(b"\r\n")
        out.append(f"--{boundary}--\r\n".encode())

    return write
