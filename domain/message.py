"""Messages and envelopes: what a caller wrote, and what cannot be wrong any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.address import EmailAddress


class InDoubtPolicy(StrEnum):
    """What happens to a message whose last attempt may or may not have been taken."""

    RETRY = "RETRY"
    """Tried again, not before ten minutes, with the same Message-ID, as any mail relay does."""
    HOLD = "HOLD"
    """Never tried again unless the caller asks for it: at most one copy."""


@dataclass(frozen=True, slots=True)
class WrittenAddress:
    address: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class WrittenAttachment:
    file_name: str = ""
    content_type: str = ""
    content: bytes = b""
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class WrittenMessage:
    """A message as the caller wrote it; `parse_message` makes an OutgoingMessage of it or names every violation."""

    sender: WrittenAddress | None = None
    """The API's ``from``; None: the configuration's own."""
    reply_to: tuple[WrittenAddress, ...] = ()
    to: tuple[WrittenAddress, ...] = ()
    cc: tuple[WrittenAddress, ...] = ()
    bcc: tuple[WrittenAddress, ...] = ()
    subject: str = ""
    text_body: str = ""
    html_body: str = ""
    attachments: tuple[WrittenAttachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    raw_mime: bytes = b""
    message_id: str = ""
    expire_after: timedelta | None = None
    send_time: datetime | None = None
    in_doubt_policy: str = ""


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """An address with the name people see; an RFC 5322 section 3.4 mailbox."""

    address: EmailAddress
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with the message; inline when it has a `content_id`."""

    file_name: str
    content_type: str
    """``type/subtype`` in lower case, parameters behind it as ``; name=value``."""
    content: bytes
    content_id: str = ""
    """Without angle brackets; html refers to it as ``cid:…``."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message that any server takes: each address parsed, no line break in any header, sizes within bounds."""

    sender: NamedAddress
    to: tuple[NamedAddress, ...] = ()
    cc: tuple[NamedAddress, ...] = ()
    bcc: tuple[NamedAddress, ...] = ()
    reply_to: tuple[NamedAddress, ...] = ()
    subject: str = ""
    text_body: str = ""
    html_body: str = ""
    attachments: tuple[Attachment, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    raw_mime: bytes = b""
    """A whole RFC 5322 message by another program, used in place of all body and header fields; b"" when unused."""
    message_id: str = ""
    """With angle brackets, chosen by the caller; empty: mailport chooses."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom on the wire (RFC 5321 section 2.3.1); recipients are unique and in the order of to, cc, bcc."""

    sender: EmailAddress
    recipients: tuple[EmailAddress, ...]
