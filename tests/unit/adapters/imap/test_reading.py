"""Answers read: what a server may write, and whatever else one may send."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.imap.failures import WHAT_SERVERS_CAUSE
from adapters.imap.reading import fetched, flags_in, folders, message, status
from domain.mailbox import SpecialUse

WORDS = st.sampled_from(
    [
        b"1",
        b"(",
        b")",
        b"UID",
        b"FLAGS",
        b"(\\Seen)",
        b"INTERNALDATE",
        b'"01-Mar-2026 12:00:00 +0000"',
        b"NIL",
        b'"',
        b"\\",
        b"ENVELOPE",
        b"BODY",
        b"BODYSTRUCTURE",
        b"BODY[HEADER]<0>",
        b"RFC822.SIZE",
        b"{3}",
        b"99999999999",
        b"[",
        b"\xff",
        b'"/"',
        b"INBOX",
        b"&zz",
        b"\\Sent",
        b"MESSAGES",
        b"MODSEQ",
    ]
)
LINES = st.lists(WORDS | st.binary(max_size=12), min_size=1, max_size=14).map(b" ".join)
ANSWERS = st.lists(LINES | st.tuples(LINES.map(lambda line: line + b" {3}"), st.just(b"abc")), max_size=4)


@given(ANSWERS, st.booleans())
def test_given_any_answers_when_read_then_nothing_is_raised_but_what_servers_cause(
    answers: list[Any], is_utf8: bool
) -> None:
    for read in (_messages, lambda lines: folders(lines, is_utf8=is_utf8), status):
        try:
            read(answers)
        except WHAT_SERVERS_CAUSE:
            continue


def test_given_folders_when_read_then_uses_levels_and_extended_data_are_understood() -> None:
    answers = [
        b'(\\HasChildren \\Noselect) "/" "[Gmail]"',
        b'(\\HasNoChildren \\Sent) "/" "[Gmail]/Sent"',
        b'() NIL nil ("CHILDINFO" ("SUBSCRIBED"))',
        (b'(\\Junk) "/" {5}', b"Sp\\am"),
        b'() "." 2026',
        b'() "/" NIL',
        b'() "/" "a\x07b"',
    ]

    found = {folder.name: folder for folder, _ in folders(answers, is_utf8=False)}

    assert list(found) == ["[Gmail]", "[Gmail]/Sent", "nil", "Sp\\am", "2026", "NIL"]
    assert not found["[Gmail]"].selectable
    assert found["[Gmail]/Sent"].special_use is SpecialUse.SENT
    assert found["Sp\\am"].special_use is SpecialUse.JUNK
    assert (found["nil"].delimiter, found["2026"].delimiter) == ("", ".")


def test_given_lists_too_deep_when_read_then_they_are_refused_before_any_parser_sees_them() -> None:
    with pytest.raises(ValueError, match="too deep"):
        fetched([b"1 (UID 1 BODY " + b"(" * 101 + b")" * 101 + b")"])


def test_given_an_unasked_fetch_between_when_read_then_both_are_told_and_recent_is_no_flag() -> None:
    told = fetched([b"2 (FLAGS (\\Seen) UID 7)", b"3 (UID 9 FLAGS (\\Recent $a \\Seen $a))"])

    assert sorted(told) == [7, 9]
    assert flags_in(told[9]) == ("$a", "\\Seen")


def _messages(answers: list[Any]) -> None:
    for uid, told in fetched(answers).items():
        message(told, account="ab" * 12, folder="INBOX", uid_validity=1, uid=uid)
