"""What a received message says, read as well as it could be: plain values, each within its bound."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

MOST_ADDRESSES: Final = 100
"""Of each address field."""
MOST_IDS: Final = 100
"""Of References and of In-Reply-To."""
LONGEST_SUBJECT: Final = 998
"""In characters."""
MOST_PARTS: Final = 500
DEEPEST: Final = 20
"""Levels of multiparts and attached messages within each other."""
LARGEST_BODY_BYTES: Final = 1024 * 1024
"""Of the text and of the HTML body, each, in UTF-8."""
MOST_HEADERS: Final = 200
LARGEST_HEADERS_BYTES: Final = 64 * 1024
"""Of all names and values given, in UTF-8."""
MOST_BOUNCED: Final = 100
LONGEST_DIAGNOSTIC: Final = 1024
"""In characters."""


class Defect(StrEnum):
    """Something broken in a message that was read nevertheless."""

    CHARSET = "CHARSET"
    """A charset is unknown or wrong; text was decoded with a fallback."""
    HEADER = "HEADER"
    """A field does not follow RFC 5322, 2047 or 2231; it is given as well as it could be read."""
    MIME = "MIME"
    """The MIME structure or an encoding is broken (RFC 2045, 2046); parts may be missing or run together."""
    TRUNCATED = "TRUNCATED"
    """Something was above a bound and was cut; the raw source has it all."""


class MessageKind(StrEnum):
    """Who or what wrote a message, as far as its header and its parts tell."""

    ORDINARY = "ORDINARY"
    """A person, or a program that writes on its own account."""
    AUTO_REPLY = "AUTO_REPLY"
    """A program that answers for somebody, e.g. that they are away (RFC 3834). It says nothing about delivery."""
    DELIVERY_REPORT = "DELIVERY_REPORT"
    """A mail server that says what became of a message (RFC 3464): failed, delayed or delivered."""
    READ_REPORT = "READ_REPORT"
    """A mail program that says what a reader did with a message (RFC 8098)."""


class BounceAction(StrEnum):
    """What a delivery report says of a recipient (RFC 3464 section 2.3.3)."""

    UNKNOWN = "UNKNOWN"
    """The report names none that is known, and its status code tells none either."""
    FAILED = "FAILED"
    DELAYED = "DELAYED"
    DELIVERED = "DELIVERED"
    RELAYED = "RELAYED"
    EXPANDED = "EXPANDED"


@dataclass(frozen=True, slots=True)
class ReadAddress:
    """An address out of a header. Nothing vouches for it: it may be empty, or be no address at all."""

    address: str
    """The bare address as it was written, at most 320 characters; its domain in A-labels or in Unicode."""
    name: str = ""
    """The display name, decoded, at most 256 characters."""


@dataclass(frozen=True, slots=True)
class HeaderField:
    """A header field, unfolded and decoded."""

    name: str
    """As it was written."""
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeader:
    """What the header of a message says. No text in it holds a control character or half of a surrogate pair."""

    sender: tuple[ReadAddress, ...] = ()
    """The From field, at most `MOST_ADDRESSES`, as are the next three."""
    to: tuple[ReadAddress, ...] = ()
    cc: tuple[ReadAddress, ...] = ()
    reply_to: tuple[ReadAddress, ...] = ()
    subject: str = ""
    """At most `LONGEST_SUBJECT` characters."""
    write_time: datetime | None = None
    """The Date field, in UTC. None: there is none, or it cannot be read."""
    message_id: str = ""
    """With angle brackets, as are the next two; empty: there is none."""
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    """Oldest first, at most `MOST_IDS`: of a longer thread the first, and the newest of the rest."""
    kind: MessageKind = MessageKind.ORDINARY
    """Of a header alone, DELIVERY_REPORT is a guess: `read_message` tells."""
    defects: tuple[Defect, ...] = ()
    """Each once, in the order of `Defect`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePart:
    """A body or an attachment: a leaf of the MIME tree, or an attached message, whose own parts are listed as well."""

    part_id: str
    """As IMAP numbers it, e.g. ``2.1`` (RFC 9051 section 6.4.5)."""
    content_type: str
    """In lower case, without parameters, at most 255 characters."""
    file_name: str = ""
    """Decoded, without directories and controls, at most 255 characters. Empty: it has none."""
    content_id: str = ""
    """Without angle brackets, at most 998 characters."""
    charset: str = ""
    """As the sender named it, at most 100 characters; of a text alone."""
    transfer_encoding: str = ""
    """What `ContentDecoder` is to undo, in lower case; empty: none."""
    is_inline: bool = False
    """Tells whether it is meant to be shown within the body rather than saved."""
    is_body: bool = False
    """Tells whether it is what `text_body` or `html_body` was read from."""
    is_attachment: bool = False
    """Tells whether it is neither a body nor within an attached message, whose content holds it anyway."""
    start: int
    """Where its content, still encoded, begins in the octets that were read."""
    end: int
    """The octet behind its content."""

    @property
    def encoded_size_bytes(self) -> int:
        """The size as it travels, encoding included."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncedRecipient:
    """What a delivery report says of one recipient (RFC 3464 section 2.3)."""

    address: str
    """The final one, else the original one; at most 320 characters."""
    action: BounceAction
    status: str = ""
    """The enhanced status code, e.g. ``5.1.1`` (RFC 3463); empty: the report has none that is one."""
    diagnostic: str = ""
    """The remote server's words, scrubbed, on one line, at most `LONGEST_DIAGNOSTIC` characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReport:
    """What a delivery report says. Anybody can write one: that it names a Message-ID proves nothing else."""

    reported_message_id: str = ""
    """With angle brackets; empty: the report does not tell."""
    reporting_server: str = ""
    """At most 255 characters."""
    recipients: tuple[BouncedRecipient, ...] = ()
    """At most `MOST_BOUNCED`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMessage:
    """A whole message. Its texts hold no NUL and no half of a surrogate pair."""

    header: MessageHeader
    """Its kind is certain here."""
    text_body: str = ""
    """Decoded, line ends as LF, at most `LARGEST_BODY_BYTES`."""
    html_body: str = ""
    """The same of the HTML, as the sender wrote it: not safe to show as it is."""
    parts: tuple[MessagePart, ...] = ()
    """At most `MOST_PARTS`, in the order of the message."""
    headers: tuple[HeaderField, ...] = ()
    """All fields in order, at most `MOST_HEADERS` and `LARGEST_HEADERS_BYTES` together."""
    bounce: BounceReport | None = None
    """None: this is no delivery report."""
    defects: tuple[Defect, ...] = ()
    """Those of the header included."""


@dataclass(frozen=True, slots=True)
class DecodedChunk:
    """A piece of a part's content or of the raw source."""

    offset: int
    """Where *data* begins in the decoded content."""
    data: bytes
    """At most `LARGEST_CHUNK_BYTES`; empty only in the last chunk."""
    is_last: bool


LARGEST_CHUNK_BYTES: Final = 1024 * 1024


def in_order(found: set[Defect]) -> tuple[Defect, ...]:
    """Returns what was *found*, in the order of `Defect`."""
    return tuple(defect for defect in Defect if defect in found)
