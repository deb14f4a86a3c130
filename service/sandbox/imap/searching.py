"""SEARCH: what is asked for, and which messages it fits (RFC 3501 section 6.4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Final, TypeAlias

from service.sandbox.imap.answers import Malformed, Refused
from service.sandbox.imap.messages import RECENT, Flag, StoredMessage
from service.sandbox.imap.sequences import SequenceSet
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.texts import fold, text_of
from service.sandbox.reading import decode_header_value

CHARSETS: Final = ("US-ASCII", "UTF-8")
_MAX_DEPTH: Final = 50


@dataclass(frozen=True, eq=False)  # not slotted: cached_property keeps what it read in the instance's dict
class Candidate:
    """A message to be looked at, with what was true of it when the search began; used in a thread."""

    number: int
    message: StoredMessage
    flags: frozenset[str]
    largest_number: int
    largest_uid: int

    def texts_of(self, name: str) -> list[str]:
        """Returns the decoded values of the header fields of that name."""
        values = self.message.content.root.headers.get_all(name) or []
        return [decode_header_value(str(value)) for value in values]

    @cached_property
    def header_text(self) -> str:
        """The whole header, decoded, case folded."""
        fields = self.message.content.root.headers.raw_items()
        return fold("\n".join(f"{name}: {decode_header_value(str(value))}" for name, value in fields))

    @cached_property
    def body_text(self) -> str:
        """All parts that are text, decoded, case folded."""
        return fold("\n".join(map(text_of, self.message.content.root.leaves())))

    @property
    def sent_date(self) -> date | None:
        """The day of the Date field, time and zone aside, or None."""
        try:
            return parsedate_to_datetime(self.message.content.root.field("Date") or "").date()
        except (ValueError, TypeError, OverflowError):
            return None


Test: TypeAlias = Callable[[Candidate], bool]


def read_search(cursor: Cursor, *, takes_charset: bool = True, has_charsets: bool = True) -> Test:
    """
    Reads the program of SEARCH: a charset, if one is named, and keys that must all hold.

    Raises Malformed, or Refused with BADCHARSET for a charset that is none of `CHARSETS` (without *has_charsets*: none
    of them but US-ASCII).
    """
    if cursor.skip(b"CHARSET "):
        if not takes_charset:
            raise Malformed("CHARSET is not allowed once UTF8=ACCEPT is enabled")  # RFC 6855 section 3
        charset = cursor.astring().decode("latin-1").upper()
        cursor.space()
        known = CHARSETS if has_charsets else CHARSETS[:1]
        if charset not in known:
            raise Refused(f"[BADCHARSET ({' '.join(known)})] The charset is not supported")
    return _Reader(cursor).program()


class _Reader:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._depth = 0

    def program(self) -> Test:
        tests = [self._key()]
        while not self._cursor.at_end():
            self._cursor.space()
            tests.append(self._key())
        return _all(tests)

    def _key(self) -> Test:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise Malformed("The search is nested too deeply")
        try:
            return self._one()
        finally:
            self._depth -= 1

    def _one(self) -> Test:
        cursor = self._cursor
        if cursor.comes(b"("):
            return _all(cursor.list_of(self._key))
        if cursor.comes_digit() or cursor.comes(b"*"):
            return _numbers(cursor.sequence_set())
        name = cursor.name()
        if name in _WITHOUT_ARGUMENT:
            return _WITHOUT_ARGUMENT[name]
        cursor.space()
        match name:
            case "NOT":
                inner = self._key()
                return lambda candidate: not inner(candidate)
            case "OR":
                first = self._key()
                cursor.space()
                second = self._key()
                return lambda candidate: first(candidate) or second(candidate)
            case "UID":
                return _uids(cursor.sequence_set())
            case "KEYWORD" | "UNKEYWORD":
                return _keyword(cursor.flag(), wanted=name == "KEYWORD")
            case "LARGER" | "SMALLER":
                return _size(cursor.number(), larger=name == "LARGER")
            case "BCC" | "CC" | "FROM" | "SUBJECT" | "TO":
                return _header(name, self._text())
            case "HEADER":
                field = cursor.astring().decode("latin-1")
                cursor.space()
                return _header(field, self._text())
            case "BODY":
                text = self._text()
                return lambda candidate: text in candidate.body_text
            case "TEXT":
                text = self._text()
                return lambda candidate: text in candidate.header_text or text in candidate.body_text
            case "BEFORE" | "ON" | "SINCE" | "SENTBEFORE" | "SENTON" | "SENTSINCE":
                return _day(name, cursor.date())
        raise Malformed(f"There is no search key {name}")

    def _text(self) -> str:
        try:
            # US-ASCII is UTF-8 as well.
            return fold(self._cursor.astring().decode())
        except UnicodeDecodeError:
            raise Malformed("The text is not in the charset") from None


def _all(tests: Sequence[Test]) -> Test:
    return lambda candidate: all(test(candidate) for test in tests)


def _flag(flag: str, *, wanted: bool = True) -> Test:
    return lambda candidate: (flag in candidate.flags) is wanted


def _keyword(flag: str, *, wanted: bool) -> Test:
    if flag.startswith("\\"):
        raise Malformed("A keyword has no backslash")
    folded = flag.casefold()
    return lambda candidate: (folded in (kept.casefold() for kept in candidate.flags)) is wanted


def _numbers(numbers: SequenceSet) -> Test:
    return lambda candidate: any(candidate.number in part for part in numbers.within(candidate.largest_number))


def _uids(uids: SequenceSet) -> Test:
    return lambda candidate: any(candidate.message.uid in part for part in uids.within(candidate.largest_uid))


def _size(limit: int, *, larger: bool) -> Test:
    if larger:
        return lambda candidate: candidate.message.content.size_bytes > limit
    return lambda candidate: candidate.message.content.size_bytes < limit


def _header(name: str, text: str) -> Test:
    """An empty text fits every message that has the field."""
    return lambda candidate: any(text in fold(value) for value in candidate.texts_of(name))


def _day(name: str, day: date) -> Test:
    is_sent = name.startswith("SENT")
    relation = name.removeprefix("SENT")

    def holds(candidate: Candidate) -> bool:
        # INTERNALDATE is kept in UTC here, and written so: the day that the client reads is the day that counts.
        found = candidate.sent_date if is_sent else candidate.message.internal_date.date()
        if found is None:
            return False
        return found < day if relation == "BEFORE" else found == day if relation == "ON" else found >= day

    return holds


_WITHOUT_ARGUMENT: Final[dict[str, Test]] = {
    "ALL": lambda candidate: True,
    "ANSWERED": _flag(Flag.ANSWERED),
    "DELETED": _flag(Flag.DELETED),
    "DRAFT": _flag(Flag.DRAFT),
    "FLAGGED": _flag(Flag.FLAGGED),
    "SEEN": _flag(Flag.SEEN),
    "RECENT": _flag(RECENT),
    "NEW": lambda candidate: RECENT in candidate.flags and Flag.SEEN not in candidate.flags,
    "OLD": _flag(RECENT, wanted=False),
    "UNANSWERED": _flag(Flag.ANSWERED, wanted=False),
    "UNDELETED": _flag(Flag.DELETED, wanted=False),
    "UNDRAFT": _flag(Flag.DRAFT, wanted=False),
    "UNFLAGGED": _flag(Flag.FLAGGED, wanted=False),
    "UNSEEN": _flag(Flag.SEEN, wanted=False),
}
