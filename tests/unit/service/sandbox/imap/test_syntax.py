from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.imap.answers import Malformed, Refused
from service.sandbox.imap.fetching import read_fetch_items
from service.sandbox.imap.patterns import fits
from service.sandbox.imap.searching import read_search
from service.sandbox.imap.sequences import parse_sequence_set
from service.sandbox.imap.store_flags import read_flag_change
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.wire import date_time, numbers, string


@given(st.binary(max_size=2_000))
def test_given_any_octets_when_written_as_a_string_then_a_command_reads_them_back(data: bytes) -> None:
    without_nul = data.replace(b"\0", b"\x80")
    cursor = Cursor(string(data) + b" next")

    assert cursor.string() == without_nul
    cursor.space()
    assert cursor.word() == "NEXT"


@given(st.sets(st.integers(min_value=1, max_value=2**32 - 1), min_size=1, max_size=20))
def test_given_numbers_when_written_as_a_set_then_the_set_holds_them_and_no_others(values: set[int]) -> None:
    ranges = parse_sequence_set(numbers(sorted(values)).decode()).within(0)

    assert sum(len(part) for part in ranges) == len(values)
    assert all(any(value in part for part in ranges) for value in values)


@pytest.mark.parametrize(
    "text", ["", "0", "1,", ",1", "1:", ":1", "1:2:3", "a", "-1", "4294967296", "9" * 5_000, "1 ", "٣"]
)
def test_given_what_is_no_set_when_read_then_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        parse_sequence_set(text)


def test_given_a_star_when_read_then_it_stands_for_the_largest() -> None:
    assert parse_sequence_set("5:*").within(3) == [range(3, 6)]
    assert parse_sequence_set("*").within(7) == [range(7, 8)]
    assert parse_sequence_set("4:2").within(9) == [range(2, 5)]


@pytest.mark.parametrize("text", ['"01-Feb-2026 10:00:00 +0100"', '" 1-feb-2026 10:00:00 +0100"'])
def test_given_an_internal_date_when_read_then_its_instant_and_written_in_utc(text: str) -> None:
    instant = Cursor(text.encode()).date_time()

    assert instant == datetime(2026, 2, 1, 9, 0, tzinfo=UTC)
    assert date_time(instant.astimezone(UTC)) == b'"01-Feb-2026 09:00:00 +0000"'


@pytest.mark.parametrize(
    ("pattern", "name", "is_fit"),
    [
        ("*", "a/b/c", True),
        ("%", "a/b", False),
        ("%", "a", True),
        ("a/%", "a/b", True),
        ("a/%", "a/b/c", False),
        ("a*c", "a/b/c", True),
        ("%/c", "a/b/c", False),
        ("inbox", "INBOX", True),
        ("sent", "Sent", False),
        ("", "", True),
        ("a.c", "abc", False),
        ("*a" * 60, "b" * 250, False),
    ],
)
def test_given_a_pattern_when_compared_with_a_name_then_fits_by_levels(pattern: str, name: str, is_fit: bool) -> None:
    assert fits(name, pattern) is is_fit


@given(st.text("ab/%*", max_size=6), st.text("ab/", max_size=6))
def test_given_any_pattern_when_compared_then_as_the_regular_expression_says(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(character, re.escape(character)) for character in pattern)

    assert fits(name, pattern) is (re.fullmatch(expression, name) is not None)


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("+FLAGS (handled \\seen)", {"Handled"}, {"Handled", "\\Seen"}),
        ("-FLAGS HANDLED", {"Handled", "\\Seen"}, {"\\Seen"}),
        ("FLAGS.SILENT (\\Draft)", {"Handled", "\\Seen"}, {"\\Draft"}),
        ("FLAGS ()", {"Handled"}, set()),
        ("FLAGS (a A)", set(), {"a"}),
    ],
)
def test_given_a_change_of_flags_when_applied_then_keywords_are_the_same_in_any_case(
    action: str, before: set[str], after: set[str]
) -> None:
    assert read_flag_change(Cursor(action.encode())).applied(frozenset(before)) == after


_READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "fetch": lambda data: read_fetch_items(Cursor(data)),
    "search": lambda data: read_search(Cursor(data)),
    "store": lambda data: read_flag_change(Cursor(data)),
    "astring": lambda data: Cursor(data).astring(),
    "date": lambda data: Cursor(data).date(),
}
_WORDS: Final = (
    b'( ) [ ] { } < > " \\ * % 1 0 . : , BODY BODY.PEEK HEADER.FIELDS NOT OR UID SINCE 1-Jan-2026 CHARSET '
    b"{3+}\r\nabc TEXT SUBJECT FLAGS +FLAGS \\Seen \xff"
)


@pytest.mark.parametrize("reader", _READERS)
@given(data=st.binary(max_size=60) | st.lists(st.sampled_from([b" ", *_WORDS.split(b" ")]), max_size=20).map(b"".join))
def test_given_any_octets_when_read_then_a_value_or_an_answer_to_the_client(reader: str, data: bytes) -> None:
    with contextlib.suppress(Malformed, Refused):
        _READERS[reader](data)


def test_given_a_search_that_nests_without_end_when_read_then_malformed() -> None:
    with pytest.raises(Malformed, match="too deeply"):
        read_search(Cursor(b"NOT " * 10_000 + b"ALL"))
