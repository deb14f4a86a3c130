"""Queries in IMAP's words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.imap.conversation import Literal
from adapters.imap.searching import count_in, criteria_of, number, uids_in
from domain.mailbox import MessageQuery

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (MessageQuery(), ()),
        (MessageQuery(from_text="eve"), (b"FROM", b'"eve"')),
        (MessageQuery(subject='a "b" \\ {3}'), (b"SUBJECT", b'"a \\"b\\" \\\\ {3}"')),
        (MessageQuery(text="Grüße"), (b"TEXT", "Grüße".encode())),
        (MessageQuery(unseen=True), (b"UNSEEN",)),
        (MessageQuery(flags=("\\seen", "$Done")), (b"SEEN", b"KEYWORD", b"$Done")),
        (MessageQuery(without_flags=("\\Flagged", "$Done")), (b"UNFLAGGED", b"UNKEYWORD", b"$Done")),
        (MessageQuery(flags=("\\Odd",)), (b"NOT", b"ALL")),
        (MessageQuery(without_flags=("\\Odd",)), ()),
        (MessageQuery(since_time=NOON), (b"SINCE", b"27-Feb-2026")),
        (MessageQuery(before_time=NOON.astimezone(timezone(timedelta(hours=14)))), (b"BEFORE", b"3-Mar-2026")),
    ],
)
def test_given_a_query_when_written_then_it_is_imaps(query: MessageQuery, expected: tuple[bytes, ...]) -> None:
    assert criteria_of(query).arguments == expected


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60))
def test_given_any_text_when_written_then_only_a_literal_is_not_ascii(text: str) -> None:
    _, argument = criteria_of(MessageQuery(text=text)).arguments

    assert isinstance(argument, Literal) or (argument.isascii() and argument[:1] == argument[-1:] == b'"')


def test_given_answers_to_search_when_read_then_modseq_and_nothing_else_is_passed_over() -> None:
    assert uids_in([b"5 7", b"9 (MODSEQ 12)"]) == [5, 7, 9]
    assert count_in([b'(TAG "M3") UID COUNT 17']) == 17
    for wrong in (b"5 x", b"0", b"4294967296", b"-1", "5".encode("utf-16")):
        with pytest.raises(ValueError, match="32 bits"):
            uids_in([wrong])
    with pytest.raises(ValueError, match="32 bits"):
        number("٣".encode())
