"""Reads the arguments of a command, whose literals are all there (RFC 3501 section 9)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Final, TypeVar

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.sequences import SequenceSet, parse_sequence_set
from service.sandbox.imap.wire import month_number

_ATOM: Final = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9.\-]*")
_ASTRING: Final = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_PATTERN: Final = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_NUMBER: Final = re.compile(rb"\d{1,10}")
_SET: Final = re.compile(rb"[0-9*:,]+")
_QUOTED: Final = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*)"')
_LITERAL: Final = re.compile(rb"\{(\d+)\+?\}\r\n")
_FLAG: Final = re.compile(rb"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_DATE: Final = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})")
_DATE_TIME: Final = re.compile(r"([ \d]\d)-([A-Za-z]{3})-(\d{4}) (\d\d:\d\d:\d\d [+-]\d{4})")

_Item = TypeVar("_Item")


class Cursor:
    """A place in a command; each method reads one thing and raises Malformed when it is not there."""

    def __init__(self, data: bytes, *, takes_utf8: bool = False) -> None:
        self._data, self._at = data, 0
        self._takes_utf8 = takes_utf8

    def at_end(self) -> bool:
        """Tells whether nothing is left."""
        return self._at == len(self._data)

    def end(self) -> None:
        """Takes the end of the command."""
        if not self.at_end():
            raise Malformed("Unexpected text at the end of the command")

    def space(self) -> None:
        """Takes one blank."""
        if not self.skip(b" "):
            raise Malformed("A blank is missing")

    def skip(self, token: bytes) -> bool:
        """Takes *token* if it comes next, case aside, and tells whether it did."""
        found = self._data[self._at : self._at + len(token)].upper() == token
        if found:
            self._at += len(token)
        return found

    def comes(self, token: bytes) -> bool:
        """Tells whether *token* comes next."""
        return self._data.startswith(token, self._at)

    def comes_digit(self) -> bool:
        """Tells whether a number comes next."""
        return self._data[self._at : self._at + 1].isdigit()

    def expect(self, token: bytes) -> None:
        """Takes *token*, case aside."""
        if not self.skip(token):
            raise Malformed(f"{token.decode()} is missing")

    def word(self) -> str:
        """Reads an atom in upper case: a command, an option."""
        return self._match(_ATOM, "A word").decode().upper()

    def name(self) -> str:
        """Reads letters, digits, dots and hyphens in upper case: an item of FETCH, STORE or STATUS, a search key."""
        return self._match(_NAME, "A name").decode().upper()

    def number(self) -> int:
        """Reads a number of 32 bits."""
        value = int(self._match(_NUMBER, "A number"))
        if value >= 2**32:
            raise Malformed("The number is too large")
        return value

    def sequence_set(self) -> SequenceSet:
        """Reads a set of messages."""
        return parse_sequence_set(self._match(_SET, "A message set").decode())

    def astring(self) -> bytes:
        """Reads an atom, a quoted string or a literal."""
        return self._string() if self._comes_string() else self._match(_ASTRING, "A string")

    def string(self) -> bytes:
        """Reads a quoted string or a literal."""
        if not self._comes_string():
            raise Malformed("A quoted string or a literal is missing")
        return self._string()

    def pattern(self) -> bytes:
        """Reads a pattern of LIST."""
        return self._string() if self._comes_string() else self._match(_PATTERN, "A pattern")

    def literal(self) -> bytes:
        """Reads a literal."""
        if not self.comes(b"{"):
            raise Malformed("A literal is missing")
        return self._string()

    def rest(self) -> bytes:
        """Reads all that is left."""
        found, self._at = self._data[self._at :], len(self._data)
        return found

    def flag(self) -> str:
        """Reads a flag or keyword."""
        return self._match(_FLAG, "A flag").decode()

    def list_of(self, item: Callable[[], _Item], *, may_be_empty: bool = False) -> list[_Item]:
        """Reads a parenthesized list."""
        self.expect(b"(")
        items: list[_Item] = []
        if may_be_empty and self.skip(b")"):
            return items
        while True:
            items.append(item())
            if self.skip(b")"):
                return items
            self.space()

    def date(self) -> date:
        """Reads a date of SEARCH."""
        text = self.astring().decode("latin-1")
        found = _DATE.fullmatch(text)
        try:
            if found is not None:
                return date(int(found[3]), month_number(found[2]), int(found[1]))
        except ValueError:
            pass
        raise Malformed("A date is written like 1-Feb-2026")

    def date_time(self) -> datetime:
        """Reads an INTERNALDATE."""
        text = self.string().decode("latin-1")
        found = _DATE_TIME.fullmatch(text)
        try:
            if found is not None:
                day, month, year, rest = found.groups()
                text = f"{int(day):02}-{month_number(month):02}-{year} {rest}"
                return datetime.strptime(text, "%d-%m-%Y %H:%M:%S %z")
        except ValueError:
            pass
        raise Malformed('A date-time is written like "01-Feb-2026 10:00:00 +0000"')

    def _comes_string(self) -> bool:
        return self.comes(b'"') or self.comes(b"{")

    def _string(self) -> bytes:
        if self.comes(b'"'):
            text = re.sub(rb"\\(.)", rb"\1", self._match(_QUOTED, "The end of a quoted string")[1:-1])
            if not self._takes_utf8 and not text.isascii():
                raise Malformed("A quoted string holds ASCII only; send other octets as a literal")
            return text
        size = int(self._match(_LITERAL, "A literal").strip(b"{+}\r\n"))
        data = self._data[self._at : self._at + size]
        self._at += size
        return data

    def _match(self, wanted: re.Pattern[bytes], what: str) -> bytes:
        found = wanted.match(self._data, self._at)
        if found is None:
            raise Malformed(f"{what} is missing")
        self._at = found.end()
        return found[0]
