from __future__ import annotations

import unicodedata
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from mailport.v1 import configuration_pb2
from service.terminal.words import aligned, instant, labelled, plain, span, word


@given(st.text())
def test_given_any_text_when_made_plain_then_it_is_one_line_without_control_characters(text: str) -> None:
    shown = plain(text)

    assert len(shown.splitlines()) <= 1
    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(character) for character in shown}


@pytest.mark.parametrize("text", ["Grüße", "日本語", "👩‍👩‍👧", "שלום"])
def test_given_a_foreign_script_when_made_plain_then_it_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("took", "shown"),
    [
        (timedelta(microseconds=420), "0.4 ms"),
        (timedelta(milliseconds=31), "31 ms"),
        (timedelta(seconds=2.5), "2.5 s"),
        (timedelta(0), "0.0 ms"),
    ],
)
def test_given_a_span_when_shown_then_it_has_the_unit_that_suits_it(took: timedelta, shown: str) -> None:
    duration = Duration()
    duration.FromTimedelta(took)

    assert span(duration) == shown


def test_given_a_value_of_a_newer_server_when_shown_then_it_is_its_number() -> None:
    shown = word(configuration_pb2.HealthState.DESCRIPTOR, 99, prefix="HEALTH_STATE_")

    assert shown == "99"


def test_given_an_unset_instant_when_shown_then_it_is_empty() -> None:
    assert instant(Timestamp()) == ""


def test_given_rows_when_aligned_then_columns_stand_below_each_other() -> None:
    assert aligned([("a", "bbb", "c"), ("aaaa", "b", "")]) == ["a     bbb  c", "aaaa  b"]


def test_given_facts_when_labelled_then_those_without_a_value_are_left_out() -> None:
    assert labelled([("one", "1"), ("two", ""), ("three", "3")], indent="") == ["one    1", "three  3"]


def test_given_no_facts_when_labelled_then_there_are_no_lines() -> None:
    assert labelled([("one", "")]) == []
