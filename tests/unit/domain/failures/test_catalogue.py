"""The catalogue as data: each entry can be used as it stands."""

from __future__ import annotations

import re
import string

import pytest

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN, Entry
from domain.failures.evidence import Symptom
from domain.failures.failure import FailureKind

ENTRIES = [*CATALOGUE, OUTCOME_UNKNOWN]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.reason}-{entry.text[:30] or entry.enhanced}")
def test_given_an_entry_when_read_then_its_patterns_and_templates_are_sound(entry: Entry) -> None:
    for pattern in (entry.text, entry.code, entry.enhanced):
        re.compile(pattern)
    places = {name for text in (entry.cause, entry.remedy) for _, name, _, _ in string.Formatter().parse(text) if name}

    assert places <= {"server", "because", "reply"}
    assert entry.cause.endswith(".")
    assert entry.remedy.endswith(".")


def test_given_the_last_entry_when_anything_is_left_then_it_has_no_mark_that_might_not_fit() -> None:
    last = CATALOGUE[-1]

    marks = (last.symptom, last.text, last.code, last.enhanced, last.stages, last.surfaces, last.security)

    assert not any(marks)


def test_given_all_symptoms_when_looked_up_then_each_has_an_entry() -> None:
    assert {entry.symptom for entry in CATALOGUE} >= set(Symptom)


def test_given_the_kind_in_doubt_when_looked_for_then_one_entry_alone_has_it() -> None:
    assert [entry for entry in ENTRIES if entry.kind is FailureKind.IN_DOUBT] == [OUTCOME_UNKNOWN]


def test_given_final_kinds_when_looked_for_then_none_is_given_to_a_4yz() -> None:
    assert [e for e in CATALOGUE if e.kind is FailureKind.PERMANENT and e.code.startswith("4")] == []
