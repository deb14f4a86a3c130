"""File names and content types (F10)."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from domain.mime.parameters import disposition_field, parse_content_type
from tests.unit.domain.message_builders import judged, wire_faults

F10 = ["Prüfbericht Q1.pdf", 'a"b;c.pdf', "日本語の長い名前" * 12 + ".pdf", "=?x?q?y?=.txt"]
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=200)


def read_name(content: bytes) -> str:
    name: str = judged(content)["Content-Disposition"].params["filename"]
    return name


def test_given_an_accented_name_when_written_then_it_has_the_rfc_2231_form_f10() -> None:
    field = disposition_field("attachment", "Prüfbericht Q1.pdf")

    assert field == "Content-Disposition: attachment; filename*=utf-8''Pr%C3%BCfbericht%20Q1.pdf"


def test_given_a_plain_name_when_written_then_it_stands_in_quotes() -> None:
    assert disposition_field("inline", "Report 1.pdf") == 'Content-Disposition: inline; filename="Report 1.pdf"'
    assert disposition_field("attachment", "") == "Content-Disposition: attachment"


@pytest.mark.parametrize("name", F10)
def test_given_a_name_with_specials_when_written_then_no_encoded_word_stands_for_it_f10(name: str) -> None:
    field = disposition_field("attachment", name)

    assert "=?" not in field
    assert all(len(line) <= 76 for line in field.split("\r\n"))
    assert read_name(f"{field}\r\n\r\n".encode()) == name


@hypothesis(deadline=None)
@given(NAMES)
@example(" a ")
@example("a  b")
@example("100%25''.pdf")
@example("x" * 1000)
@example("back\\slash'tick")
def test_given_any_name_when_written_then_it_reads_back_f10(name: str) -> None:
    content = f"{disposition_field('attachment', name)}\r\n\r\n".encode()

    assert read_name(content) == name
    assert judged(content).keys() == ["Content-Disposition"]
    assert wire_faults(content) == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("application/PDF", "application/pdf"),
        ("text/csv; charset=utf-8", "text/csv; charset=utf-8"),
        ('TEXT/Calendar ;Method=REQUEST; charset="utf-8";', 'text/calendar; method=REQUEST; charset="utf-8"'),
        ("application/vnd.ms-excel", "application/vnd.ms-excel"),
        ('text/plain; name="a \\"b\\""', 'text/plain; name="a \\"b\\""'),
    ],
)
def test_given_a_content_type_when_parsed_then_it_is_written_one_way(written: str, expected: str) -> None:
    assert parse_content_type(written) == expected


@pytest.mark.parametrize(
    "written",
    [
        "", "pdf", "a/b/c", "text/plain\r\nX: 1", "text/plain; charset", "text/plain; a=1; A=2", "text/ü",
        "text/plain; name=\"a\r\nb\"", "text/plain, text/html", "text/plain; name*=utf-8''x",
        "a" * 400 + "/" + "b" * 400,
        "text/plain; x=é", "text /plain", 'text/plain; name="a', "text/plain\n",
    ],
)  # fmt: skip
def test_given_no_content_type_when_parsed_then_it_is_refused(written: str) -> None:
    assert parse_content_type(written) is None
