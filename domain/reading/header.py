"""The header of a message, read for a list page or as the beginning of the whole; never raises."""

from __future__ import annotations

from typing import Final

from domain.reading.addresses import read_addresses
from domain.reading.fields import RawField, cut, only_value, split_fields, values_of
from domain.reading.ids import read_date, read_ids, read_message_id
from domain.reading.kinds import kind_of
from domain.reading.model import LONGEST_SUBJECT, Defect, MessageHeader, ReadAddress, in_order
from domain.reading.words import decode_text

LISTED_FIELDS: Final = (
    "From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Return-Path",
    "Content-Type", "Auto-Submitted", "Precedence", "X-Failed-Recipients", "X-Autoreply", "X-Autorespond",
    "X-Autoresponder",
)  # fmt: skip
"""The fields that `read_header` looks at: what a list page has to fetch."""


def read_header(octets: bytes) -> MessageHeader:
    """
    Returns what the header section *octets* says: all fields of a message, or `LISTED_FIELDS` alone.

    Takes any octets, and time in proportion to their number; what is above 256 KiB is left out and flagged.
    """
    found: set[Defect] = set()
    return header_of(split_fields(with_line_feeds(octets, found), found), found)


def with_line_feeds(octets: bytes, found: set[Defect]) -> bytes:
    """Returns *octets*, as long as before, with LF for each CR where there is no other line end."""
    if b"\n" in octets or b"\r" not in octets:
        return octets
    found.add(Defect.HEADER)
    return octets.replace(b"\r", b"\n")


def header_of(fields: list[RawField], found: set[Defect]) -> MessageHeader:
    """Returns what *fields* say; adds to *found* what is wrong with them."""
    sender = _addresses(fields, "from", found)
    references = read_ids(values_of(fields, "references"), found)
    if len(values_of(fields, "references")) > 1:
        found.add(Defect.HEADER)
    return MessageHeader(
        sender=sender,
        to=_addresses(fields, "to", found),
        cc=_addresses(fields, "cc", found),
        reply_to=_addresses(fields, "reply-to", found),
        subject=cut(decode_text(only_value(fields, "subject", found), found), LONGEST_SUBJECT, found),
        write_time=read_date(only_value(fields, "date", found), found),
        message_id=read_message_id(only_value(fields, "message-id", found), found),
        in_reply_to=read_ids(values_of(fields, "in-reply-to"), found),
        references=references,
        kind=kind_of(fields, sender),
        defects=in_order(found),
    )


def _addresses(fields: list[RawField], name: str, found: set[Defect]) -> tuple[ReadAddress, ...]:
    values = values_of(fields, name)
    if len(values) > 1:
        found.add(Defect.HEADER)
    if name == "from":
        values = values[:1]  # whoever adds a second one wants to be taken for somebody else
    return read_addresses(b", ".join(values), found)
