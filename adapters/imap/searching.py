"""Queries in IMAP's words (RFC 9051 section 6.4.4); pure."""

from __future__ import annotations

import email.header
import email.parser
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.imap.conversation import Literal, quoted
from domain.mailbox import FolderMessage, MessageQuery
from domain.mailbox_names import LARGEST_NUMBER

_SYSTEM_FLAGS: Final = {"\\seen": "SEEN", "\\answered": "ANSWERED", "\\flagged": "FLAGGED", "\\deleted": "DELETED",
                        "\\draft": "DRAFT"}  # fmt: skip
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_COUNT: Final = re.compile(rb"\bCOUNT (\d{1,10})\b", re.IGNORECASE)
_MARGIN: Final = timedelta(days=2)
"""Servers compare dates as the message was stored, in whatever zone; the instants are compared here."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What SEARCH is asked, and what is left to be looked at here."""

    arguments: tuple[bytes, ...]
    is_international: bool = False
    """Whether an argument is UTF-8, which the server has to be told."""
    local: MessageQuery | None = None
    """What of the query the server was not asked, or not exactly; None: nothing."""

    @property
    def is_everything(self) -> bool:
        """Tells whether all messages are asked for."""
        return not self.arguments


def criteria_of(query: MessageQuery, *, in_ascii: bool = False) -> Criteria:
    """
    Returns *query* in IMAP's words.

    *in_ascii*: the server knows no UTF-8 (BADCHARSET), so that texts of From, To and Subject with other characters are
    looked for here; `can_be_ascii` tells whether that is all.
    """
    found: list[bytes] = []
    is_international = False
    fields = (("FROM", query.from_text), ("TO", query.to_text), ("SUBJECT", query.subject), ("TEXT", query.text))
    for name, text in fields:
        if not text or (in_ascii and not text.isascii()):
            continue
        is_international |= not text.isascii()
        found += [name.encode(), quoted(text.encode()) if text.isascii() else Literal(text.encode())]
    if query.since_time is not None:
        found += [b"SINCE", _date(query.since_time, -_MARGIN)]
    if query.before_time is not None:
        found += [b"BEFORE", _date(query.before_time, _MARGIN)]
    if query.unseen:
        found.append(b"UNSEEN")
    for flag in query.flags:
        found += _flag(flag, wanted=True)
    for flag in query.without_flags:
        found += _flag(flag, wanted=False)
    local = None
    if query.since_time is not None or query.before_time is not None or in_ascii:
        local = MessageQuery(
            since_time=query.since_time,
            before_time=query.before_time,
            from_text=_left(query.from_text, in_ascii),
            to_text=_left(query.to_text, in_ascii),
            subject=_left(query.subject, in_ascii),
        )
    return Criteria(tuple(found), is_international, local)


def can_be_ascii(query: MessageQuery) -> bool:
    """Tells whether a server without UTF-8 can be asked: not for a text in bodies, which nobody here has read."""
    return query.text.isascii()


def fits(message: FolderMessage, local: MessageQuery | None) -> bool:
    """Tells whether *message* is what the server was not asked for exactly."""
    if local is None:
        return True
    time = message.receive_time
    if local.since_time is not None and time < local.since_time:
        return False
    if local.before_time is not None and time >= local.before_time:
        return False
    wanted = (("From", local.from_text), ("To", local.to_text), ("Subject", local.subject))
    return all(text.casefold() in _field(message.header, name) for name, text in wanted if text)


def uids_in(answers: list[Any]) -> list[int]:
    """Returns the UIDs in answers to SEARCH; raises ValueError for what is none."""
    found: list[int] = []
    for answer in answers:
        if not isinstance(answer, bytes):
            raise ValueError("a SEARCH answer holds a literal")
        words, _, _ = answer.partition(b"(")  # a MODSEQ may follow (RFC 7162)
        found += [number(word) for word in words.split()]
    return found


def count_in(answers: list[Any]) -> int | None:
    """Returns the COUNT in answers to SEARCH RETURN (RFC 4731); None when there is none."""
    for answer in answers:
        if isinstance(answer, bytes) and (found := _COUNT.search(answer)):
            return int(found[1])
    return None


def number(word: bytes) -> int:
    """Returns the number of 32 bits that *word* is; raises ValueError for anything else."""
    if not word.isdigit() or len(word) > 10 or not 0 < (value := int(word)) <= LARGEST_NUMBER:
        raise ValueError("no number of 32 bits")
    return value


def _left(text: str, in_ascii: bool) -> str:
    return text if in_ascii and not text.isascii() else ""


def _date(instant: datetime, margin: timedelta) -> bytes:
    try:
        day = instant.astimezone(UTC) + margin
    except OverflowError:
        day = instant.astimezone(UTC)
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode()


def _flag(flag: str, *, wanted: bool) -> list[bytes]:
    if word := _SYSTEM_FLAGS.get(flag.lower()):
        return [(word if wanted else f"UN{word}").encode()]
    if flag.startswith("\\"):
        return [b"NOT", b"ALL"] if wanted else []  # one that no client can set and no server can search
    return [b"KEYWORD" if wanted else b"UNKEYWORD", flag.encode()]


def _field(header: bytes, name: str) -> str:
    parsed = email.parser.BytesHeaderParser().parsebytes(header)
    texts = []
    for value in parsed.get_all(name, []):
        try:
            texts.append(str(email.header.make_header(email.header.decode_header(str(value)))))
        except (ValueError, LookupError):
            texts.append(str(value))
    return "\n".join(texts).casefold()
