"""Header fields as they go out: encoded, folded at blanks alone, ASCII but for addresses that cannot be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from domain.message import NamedAddress
from domain.mime.encoded_words import encoded_words, looks_encoded

LONGEST_LINE: Final = 998
"""Octets before CRLF, RFC 5322 section 2.1.1."""
_PREFERRED_LINE: Final = 76
"""RFC 2047 section 2 for a line with an encoded-word; RFC 5322 would allow 78."""
_LONGEST_BLANK: Final = 40
_LONGEST_PLAIN_NAME: Final = 250

STRUCTURED_FIELDS: Final = frozenset(
    {
        "archived-at", "auto-submitted", "disposition-notification-to", "dkim-signature", "feedback-id", "importance",
        "in-reply-to", "list-archive", "list-help", "list-owner", "list-post", "list-subscribe", "list-unsubscribe",
        "list-unsubscribe-post", "precedence", "priority", "references", "x-priority",
    }
)  # fmt: skip
"""Extra fields whose syntax knows no encoded-word: their values are ASCII and written as they are."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ATOMS: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_BLANK_AND_WORD: Final = re.compile(r"([ \t]*)([^ \t]+)")
_SPECIAL: Final = re.compile(r'(["\\])')


def date_field(instant: datetime) -> str:
    """Returns the Date field of *instant*, which is aware, in UTC (RFC 5322 section 3.3)."""
    at = instant.astimezone(UTC)
    return (
        f"Date: {_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} "
        f"{at.hour:02}:{at.minute:02}:{at.second:02} +0000"
    )


def text_field(name: str, value: str) -> str:
    """
    Returns an unstructured field (RFC 5322 section 2.2.1) that decodes to exactly *value*, all its blanks included.

    *value* holds no control character but TAB. A word without blanks stays whole up to 998 octets and is encoded above.
    """
    is_short = len(name) + len(value) <= _PREFERRED_LINE - 2
    if is_short and value.isascii() and value.strip(" \t") == value and not looks_encoded(value):
        return f"{name}: {value}"
    field = _FoldedField(name)
    for blank, text, is_encoded in _runs(value, longest_word=LONGEST_LINE - len(name) - 2):
        if is_encoded:
            field.add_encoded(text, blank=blank)
        else:
            field.add(text, blank=blank)
    return str(field)


def structured_field(name: str, value: str) -> str:
    """Returns a field of `STRUCTURED_FIELDS` folded at its blanks, runs of which count as one; *value* is ASCII."""
    field = _FoldedField(name)
    for word in value.split():
        field.add(word)
    return str(field)


def address_field(name: str, mailboxes: Sequence[NamedAddress]) -> str:
    """
    Returns an address list (RFC 5322 section 3.4), one mailbox for each of *mailboxes*.

    Names: atoms as they are, other ASCII in quotes, the rest as encoded-words outside of quotes. Domains are A-labels
    already; a local part beyond ASCII is written in UTF-8 (RFC 6532) and is then the only thing that is.
    """
    field = _FoldedField(name)
    for position, mailbox in enumerate(mailboxes, start=1):
        comma = "," if position < len(mailboxes) else ""
        if mailbox.name:
            _add_name(field, mailbox.name)
            field.add(f"<{mailbox.address}>{comma}")
        else:
            field.add(f"{mailbox.address}{comma}")
    return str(field)


def _add_name(field: _FoldedField, name: str) -> None:
    # The end of what resembles an encoded-word may stand in the next mailbox, so its beginning is enough.
    if len(name) > _LONGEST_PLAIN_NAME or not name.isascii() or "=?" in name:
        field.add_encoded(name)
    elif _ATOMS.fullmatch(name):
        for word in name.split(" "):
            field.add(word)
    else:
        field.add('"' + _SPECIAL.sub(r"\\\1", name) + '"')


def _runs(value: str, *, longest_word: int) -> list[tuple[str, str, bool]]:
    """
    Cuts *value* into (blank, text, is encoded).

    Blanks between encoded-words vanish in the reader (RFC 2047 section 6.2), so neighbours are encoded as one with what
    is between them; blanks at either end are encoded with the word next to them, since they would be trimmed.
    """
    has_encoded = looks_encoded(value)
    runs: list[tuple[str, str, bool]] = []
    for blank, word in _BLANK_AND_WORD.findall(value):
        is_encoded = not word.isascii() or len(word) > longest_word or (has_encoded and "=?" in word)
        if not runs:
            runs.append(("", blank + word, True) if blank else ("", word, is_encoded))
        elif (is_encoded and runs[-1][2]) or len(blank) > _LONGEST_BLANK:
            before, text, _ = runs.pop()
            runs.append((before, text + blank + word, True))
        else:
            runs.append((blank, word, is_encoded))
    trailing = value[len(value.rstrip(" \t")) :]
    if trailing:
        before, text, _ = runs.pop() if runs else ("", "", True)
        runs.append((before, text + trailing, True))
    return _joined(runs)


def _joined(runs: list[tuple[str, str, bool]]) -> list[tuple[str, str, bool]]:
    joined: list[tuple[str, str, bool]] = []
    for blank, text, is_encoded in runs:
        if joined and is_encoded and joined[-1][2]:
            before, former, _ = joined.pop()
            joined.append((before, former + blank + text, True))
        else:
            joined.append((blank, text, is_encoded))
    return joined


class _FoldedField:
    """A field under construction: knows the column, and breaks the line before a blank, never elsewhere."""

    __slots__ = ("_column", "_is_fresh", "_pieces")

    def __init__(self, name: str) -> None:
        self._pieces = [name, ":"]
        self._column = len(name) + 1
        # A line with nothing but the field's name upsets some readers, so the first word stays with it.
        self._is_fresh = True

    def add(self, word: str, *, blank: str = " ") -> None:
        if self._column + len(blank or " ") + len(word) > _PREFERRED_LINE:
            self._fold()
        self._put(blank or " ", word)

    def add_encoded(self, text: str, *, blank: str = " ") -> None:
        blank = blank or " "
        words = encoded_words(text, room=_PREFERRED_LINE - self._column - len(blank))
        # One word on a line of its own beats two: readers are known to show a blank where a name was cut.
        if not self._is_fresh and (len(words) > 1 or self._column + len(blank) + len(words[0]) > _PREFERRED_LINE):
            self._fold()
            words = encoded_words(text, room=_PREFERRED_LINE - len(blank))
        first, *others = words
        self._put(blank, first)
        for word in others:
            self._fold()
            self._put(" ", word)

    def _fold(self) -> None:
        if not self._is_fresh:
            self._pieces.append("\r\n")
            self._column = 0

    def _put(self, blank: str, word: str) -> None:
        self._pieces += (blank, word)
        self._column += len(blank) + len(word)
        self._is_fresh = False

    def __str__(self) -> str:
        return "".join(self._pieces)
