"""Folders, flags and queries: nothing that could end a command comes through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InputInvalid, Violation
from domain.mailbox import FlagChange, MessageQuery, is_flag, is_section, parse_folder
from domain.reasons import Reason


@pytest.mark.parametrize("flag", [r"\Seen", "$Forwarded", "NonJunk", "label:x", "a/b", "[x", "$MDNSent"])
def test_given_an_atom_when_looked_at_then_it_is_a_flag(flag: str) -> None:
    assert is_flag(flag)


@pytest.mark.parametrize(
    "flag",
    ["", "\\", "a b", "a\r\nA1 DELETE x", "(x", "x)", '"x"', "{3}", "x]", "%", "*", "\\*", "é", "a\x7f", "\\\\a"],
)
def test_given_what_imap_cannot_write_when_looked_at_then_it_is_no_flag(flag: str) -> None:
    assert not is_flag(flag)


def test_given_a_bad_query_when_made_then_all_is_named() -> None:
    with pytest.raises(InputInvalid) as raised:
        MessageQuery(subject="a\r\nA1 LOGOUT", text="x" * 501, flags=("ok", "not ok"), without_flags=("x",) * 21)

    assert [violation.field for violation in raised.value.violations] == [
        "query.subject", "query.text", "query.flags[1]", "query.without_flags",
    ]  # fmt: skip


@given(st.text(max_size=20), st.text(max_size=20))
def test_given_any_text_when_a_query_is_made_then_it_holds_no_line_break(subject: str, flag: str) -> None:
    try:
        query = MessageQuery(subject=subject, flags=(flag,))
    except InputInvalid:
        return
    assert not any(character in "\r\n\0" for character in query.subject + query.flags[0])


@pytest.mark.parametrize(
    ("add", "remove", "fields"),
    [
        ((), (), ["add_flags"]),
        (("\\Recent",), (), ["add_flags[0]"]),
        (("\\Foo", "\\SEEN"), ("\\Bar",), ["add_flags[0]", "remove_flags[0]"]),
        (("\\Seen",), ("\\seen",), ["add_flags[0]"]),
        (("a b",), ("c d",), ["add_flags[0]", "remove_flags[0]"]),
    ],
)
def test_given_a_bad_change_of_flags_when_made_then_it_is_named(
    add: tuple[str, ...], remove: tuple[str, ...], fields: list[str]
) -> None:
    with pytest.raises(InputInvalid) as raised:
        FlagChange(add, remove)

    assert [violation.field for violation in raised.value.violations] == fields


@pytest.mark.parametrize("name", ["", "inbox", "InBox", "INBOX"])
def test_given_inbox_in_any_case_or_nothing_when_read_then_it_is_inbox(name: str) -> None:
    assert parse_folder(name, field="folder") == "INBOX"


@pytest.mark.parametrize("name", ["\u0131nbox", "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}NBOX", "INBOX/ü"])
def test_given_a_name_that_only_resembles_inbox_when_read_then_it_is_a_folder_of_its_own(name: str) -> None:
    assert parse_folder(name, field="folder") == name


def test_given_a_bad_folder_when_read_then_it_is_refused() -> None:
    broken, long = parse_folder("a\r\nb", field="folder"), parse_folder("ü" * 501, field="folder")

    assert isinstance(broken, Violation)
    assert broken.reason is Reason.CONTROL_CHARACTER
    assert isinstance(long, Violation)
    assert long.reason is Reason.VALUE_TOO_LONG
    assert parse_folder("Müll & Reste", field="folder") == "Müll & Reste"


def test_given_sections_when_looked_at_then_only_imaps_pass() -> None:
    assert all(is_section(text) for text in ("", "HEADER", "TEXT", "1", "2.1", "2.1.MIME", "3.HEADER"))
    assert not any(is_section(text) for text in ("MIME", "0", "1.", "1]", "1.2.3.FOO", "header.fields", "1\r\n", "-1"))
