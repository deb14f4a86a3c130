"""The rules for a message given whole: who it is from, who gets it, and what may not be said twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from domain.address import EmailAddress, parse_address
from domain.errors import Violation
from domain.message import NamedAddress, WrittenMessage
from domain.message_rules import LARGEST_CONTENT_BYTES, MOST_ADDRESSES, too_large, too_many_addresses
from domain.message_sender import check_sender
from domain.mime.address_list import AddressListMalformed, addresses_in
from domain.mime.raw_reading import RawMessage, read_raw
from domain.reasons import Reason
from domain.settings.model import MailSettings

# Wider than what callers may choose: other programs' ids are kept as long as they are one printable word.
_MESSAGE_ID: Final = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")


@dataclass(frozen=True, slots=True)
class RawParts:
    """What a whole message says by itself."""

    content: bytes
    """Cleaned by `read_raw`."""
    sender: NamedAddress | None
    """None: it has no From."""
    to: tuple[NamedAddress, ...]
    cc: tuple[NamedAddress, ...]
    bcc: tuple[NamedAddress, ...]
    message_id: str
    """Empty: it has none."""


def field_conflicts(written: WrittenMessage, *, prefix: str) -> Iterator[Violation]:
    """Yields a violation for each field that says again what `raw_mime` says."""
    for name in ("subject", "text_body", "html_body", "attachments", "headers", "reply_to"):
        if getattr(written, name):
            yield Violation(
                field=f"{prefix}.{name}",
                reason=Reason.FIELD_CONFLICT,
                message=f"{name} and raw_mime exclude each other.",
                remedy=f"Put it into raw_mime, or leave raw_mime empty and let mailport write the message with {name}.",
            )


def parse_raw(written: WrittenMessage, *, settings: MailSettings, prefix: str) -> RawParts | list[Violation]:
    """
    Returns what `raw_mime` holds, or all that is wrong with it.

    Its From, and its Sender if there is one, is exactly one address that the configuration may send as. Its To, Cc and
    Bcc are read only when the caller's fields name no recipient.
    """
    field = f"{prefix}.raw_mime"
    if len(written.raw_mime) > LARGEST_CONTENT_BYTES:
        return [too_large(field)]
    raw = read_raw(written.raw_mime)
    if isinstance(raw, list):
        return [_invalid(field, fault.message, fault.remedy) for fault in raw]
    found: list[Violation] = []
    sender = _author(raw, "from", settings=settings, field=field, found=found)
    _author(raw, "sender", settings=settings, field=field, found=found)
    names_recipients = bool(written.to or written.cc or written.bcc)
    to, cc, bcc = (
        () if names_recipients else _mailboxes(raw, name, field=field, found=found) for name in ("to", "cc", "bcc")
    )
    message_id = _message_id(raw, field=field, found=found)
    return found or RawParts(raw.content, sender, to, cc, bcc, message_id)


def _author(
    raw: RawMessage, name: str, *, settings: MailSettings, field: str, found: list[Violation]
) -> NamedAddress | None:
    if not raw.values(name):
        return None
    known = len(found)
    mailboxes = _mailboxes(raw, name, field=field, found=found)
    if len(found) > known:
        return None
    if len(mailboxes) != 1:
        found.append(
            _invalid(
                field,
                f"{name.title()} of the message names {len(mailboxes)} addresses.",
                "Name exactly one address that the configuration sends as.",
            )
        )
        return None
    if trouble := check_sender(mailboxes[0].address, settings=settings, field=field):
        found.append(trouble)
    return mailboxes[0]


def _mailboxes(raw: RawMessage, name: str, *, field: str, found: list[Violation]) -> tuple[NamedAddress, ...]:
    mailboxes = []
    for value in raw.values(name):
        try:
            texts = addresses_in(value)
        except AddressListMalformed as why:
            found.append(
                _invalid(
                    field,
                    f"{name.title()} of the message is not an address list (RFC 5322 section 3.4): {why}.",
                    "Put names that hold marks into quotes, and commas between addresses.",
                )
            )
            continue
        if len(texts) > MOST_ADDRESSES:
            found.append(too_many_addresses(field))
            continue
        for text in texts:
            address = parse_address(text, field=field)
            if isinstance(address, EmailAddress):
                mailboxes.append(NamedAddress(address))
            else:
                found.append(_invalid(field, f"{name.title()} of the message: {address.message}", address.remedy))
    return tuple(mailboxes)


def _message_id(raw: RawMessage, *, field: str, found: list[Violation]) -> str:
    for value in raw.values("message-id"):
        if _MESSAGE_ID.fullmatch(value):
            return value
        found.append(
            _invalid(
                field,
                "Message-ID of the message is not of the form <unique@domain> (RFC 5322 section 3.6.4).",
                "Correct it, or leave it out and mailport chooses one.",
            )
        )
    return ""


def _invalid(field: str, message: str, remedy: str) -> Violation:
    return Violation(field=field, reason=Reason.RAW_MIME_INVALID, message=message, remedy=remedy)
