"""parse_message: what a caller wrote becomes a message that cannot be wrong, or every violation at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from domain.errors import InputInvalid, Violation
from domain.message import (
    Attachment,
    Envelope,
    InDoubtPolicy,
    NamedAddress,
    OutgoingMessage,
    WrittenAddress,
    WrittenMessage,
)
from domain.message_attachments import MOST_ATTACHMENTS, parse_attachment
from domain.message_raw import RawParts, field_conflicts, parse_raw
from domain.message_rules import (
    LARGEST_CONTENT_BYTES,
    LARGEST_HEADERS_BYTES,
    LONGEST_SUBJECT_OCTETS,
    MOST_ADDRESSES,
    MOST_HEADERS,
    check_body,
    check_line,
    parse_header,
    parse_mailbox,
    parse_message_id,
    too_large,
    too_many_addresses,
)
from domain.message_sender import parse_sender
from domain.message_wishes import parse_life, parse_policy, parse_send_time
from domain.reasons import Reason
from domain.settings.model import MailSettings

MOST_RECIPIENTS: Final = 100
"""Of the envelope, each counted once; any server takes that many (RFC 5321 section 4.5.3.1.8)."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message that can be accepted, with what its caller wants for its delivery."""

    message: OutgoingMessage
    envelope: Envelope
    expire_after: timedelta
    """Counts from `send_time`, from acceptance where that is None."""
    send_time: datetime | None
    """In UTC and ahead; None: at once."""
    in_doubt_policy: InDoubtPolicy


def parse_message(
    written: WrittenMessage, *, settings: MailSettings, now: datetime, prefix: str = "message"
) -> ParsedMessage:
    """
    Returns what *written* means for a configuration with *settings*, field paths beginning with *prefix*.

    Bounds: 1 to 100 recipients, each counted once; 25 MiB of bodies, files and headers; 495 files; 200 extra headers
    of 64 KiB; subject 8 KiB, names 1 KiB of UTF-8; `expire_after` 1 minute to 7 days (24 hours); `send_time` up to 30
    days ahead, a past one meaning now. A TAB may stand in a subject and in the value of an extra header, other control
    characters nowhere but in bodies and files.

    Raises InputInvalid with every violation, and nothing else.
    """
    reader = _Reader(written, settings, prefix)
    parsed = reader.read(now)
    if reader.found or parsed is None:
        raise InputInvalid(reader.found)
    return parsed


class _Reader:
    """One reading of one message: collects the violations, so that none hides another."""

    def __init__(self, written: WrittenMessage, settings: MailSettings, prefix: str) -> None:
        self.found: list[Violation] = []
        self._written = written
        self._settings = settings
        self._prefix = prefix

    def read(self, now: datetime) -> ParsedMessage | None:
        raw = self._raw()
        self._check_address_count()
        sender = self._sender(raw)
        to, cc, bcc, reply_to = self._addresses()
        if raw:
            to, cc, bcc = to or raw.to, cc or raw.cc, bcc or raw.bcc
        recipients = tuple(dict.fromkeys(mailbox.address for mailbox in (*to, *cc, *bcc)))
        # A raw message that does not parse may well name recipients, so nothing is said about them then.
        self._check_recipients(len(recipients), is_unknown=bool(self._written.raw_mime) and raw is None)
        headers, attachments = self._headers(), self._attachments()
        self._check_texts()
        message_id = self._message_id(raw)
        written, prefix = self._written, self._prefix
        expire_after = self._keep(parse_life(written.expire_after, field=f"{prefix}.expire_after"))
        send_time = self._keep(parse_send_time(written.send_time, now=now, field=f"{prefix}.send_time"))
        policy = self._keep(parse_policy(written.in_doubt_policy, field=f"{prefix}.in_doubt_policy"))
        if self.found or sender is None or expire_after is None or policy is None:
            return None
        message = OutgoingMessage(
            sender=sender,
            to=to,
            cc=cc,
            bcc=bcc,
            reply_to=reply_to,
            subject=written.subject,
            text_body=written.text_body,
            html_body=written.html_body,
            attachments=attachments,
            headers=headers,
            raw_mime=raw.content if raw else b"",
            message_id=message_id,
        )
        return ParsedMessage(message, Envelope(sender.address, recipients), expire_after, send_time, policy)

    def _raw(self) -> RawParts | None:
        if not self._written.raw_mime:
            return None
        self.found += field_conflicts(self._written, prefix=self._prefix)
        return self._keep(parse_raw(self._written, settings=self._settings, prefix=self._prefix))

    def _sender(self, raw: RawParts | None) -> NamedAddress | None:
        written = self._written.sender
        field = f"{self._prefix}.from"
        if raw is None or raw.sender is None:
            return self._keep(parse_sender(written, settings=self._settings, field=field))
        if written is None or not written.address:
            return raw.sender
        sender = self._keep(parse_sender(written, settings=self._settings, field=field))
        if sender and not sender.address.same_account(raw.sender.address):
            self._conflict(f"{field}.address", "from", "From")
        return raw.sender

    def _check_address_count(self) -> None:
        written = self._written
        if sum(map(len, (written.to, written.cc, written.bcc, written.reply_to))) > MOST_ADDRESSES:
            raise InputInvalid([*self.found, too_many_addresses(f"{self._prefix}.to")])

    def _addresses(self) -> tuple[tuple[NamedAddress, ...], ...]:
        return tuple(self._mailboxes(name, getattr(self._written, name)) for name in ("to", "cc", "bcc", "reply_to"))

    def _mailboxes(self, name: str, written: tuple[WrittenAddress, ...]) -> tuple[NamedAddress, ...]:
        read = (
            self._keep(parse_mailbox(mailbox, field=f"{self._prefix}.{name}[{index}]"))
            for index, mailbox in enumerate(written)
        )
        return tuple(mailbox for mailbox in read if mailbox is not None)

    def _check_recipients(self, count: int, *, is_unknown: bool) -> None:
        written = self._written
        if count > MOST_RECIPIENTS:
            self._violate(
                "to",
                Reason.TOO_MANY_RECIPIENTS,
                f"The message has {count} recipients; {MOST_RECIPIENTS} are the limit.",
                "Send several messages.",
            )
        if not count and not is_unknown and not (written.to or written.cc or written.bcc):
            self._violate(
                "to",
                Reason.RECIPIENT_REQUIRED,
                "The message has no recipient.",
                "Name at least one address in to, cc or bcc.",
            )

    def _headers(self) -> tuple[tuple[str, str], ...]:
        written = self._written.headers
        size_bytes = sum(len(name) + len(value.encode("utf-8", "surrogatepass")) + 4 for name, value in written)
        if len(written) > MOST_HEADERS or size_bytes > LARGEST_HEADERS_BYTES:
            self._violate(
                "headers",
                Reason.VALUE_TOO_LONG,
                f"Extra headers may be {MOST_HEADERS} in number and {LARGEST_HEADERS_BYTES // 1024} KiB in all.",
                "Leave out headers that the recipients do not need.",
            )
            return ()
        read = (
            self._keep(parse_header(name, value, field=f"{self._prefix}.headers[{index}]"))
            for index, (name, value) in enumerate(written)
        )
        return tuple(header for header in read if header is not None)

    def _attachments(self) -> tuple[Attachment, ...]:
        written = self._written.attachments
        if len(written) > MOST_ATTACHMENTS:
            self._violate(
                "attachments",
                Reason.VALUE_OUT_OF_RANGE,
                f"The message has {len(written)} attachments; {MOST_ATTACHMENTS} are the limit.",
                "Put several files into one archive.",
            )
            return ()
        read = (
            self._keep(parse_attachment(attachment, field=f"{self._prefix}.attachments[{index}]"))
            for index, attachment in enumerate(written)
        )
        attachments = tuple(attachment for attachment in read if attachment is not None)
        self._check_content_ids(attachments)
        return attachments

    def _check_content_ids(self, attachments: tuple[Attachment, ...]) -> None:
        ids = [attachment.content_id for attachment in attachments if attachment.content_id]
        if len(set(ids)) < len(ids):
            self._violate(
                "attachments",
                Reason.FIELD_CONFLICT,
                "Two attachments have the same content_id.",
                "Give each inline attachment an id of its own.",
            )

    def _check_texts(self) -> None:
        written, prefix = self._written, self._prefix
        for violation in (
            check_line(written.subject, field=f"{prefix}.subject", longest=LONGEST_SUBJECT_OCTETS, allows_tab=True),
            check_body(written.text_body, field=f"{prefix}.text_body"),
            check_body(written.html_body, field=f"{prefix}.html_body"),
        ):
            if violation:
                self.found.append(violation)
        size_bytes = sum(len(text.encode("utf-8", "surrogatepass")) for text in (written.text_body, written.html_body))
        if size_bytes + sum(len(attachment.content) for attachment in written.attachments) > LARGEST_CONTENT_BYTES:
            self.found.append(too_large(prefix))

    def _message_id(self, raw: RawParts | None) -> str:
        written = self._written.message_id
        own = raw.message_id if raw else ""
        if not written:
            return own
        chosen = self._keep(parse_message_id(written, field=f"{self._prefix}.message_id")) or ""
        if own and chosen and own != chosen:
            self._conflict(f"{self._prefix}.message_id", "message_id", "Message-ID")
        return chosen

    def _keep(self, read: _T | Violation | list[Violation]) -> _T | None:
        if isinstance(read, list):
            self.found += read
            return None
        if isinstance(read, Violation):
            self.found.append(read)
            return None
        return read

    def _conflict(self, field: str, name: str, header: str) -> None:
        self.found.append(
            Violation(
                field=field,
                reason=Reason.FIELD_CONFLICT,
                message=f"{name} and the {header} of raw_mime differ.",
                remedy=f"Leave {name} empty, or write the same in both.",
            )
        )

    def _violate(self, name: str, reason: Reason, message: str, remedy: str) -> None:
        self.found.append(Violation(field=f"{self._prefix}.{name}", reason=reason, message=message, remedy=remedy))
