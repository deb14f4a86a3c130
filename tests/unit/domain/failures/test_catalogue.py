"""The catalogue as data: each entry can be used as it stands."""

from __future__ import annotations

import re
import string

import pytest

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN, Entry
from domain.failures.evidence import Surface, Symptom
from domain.failures.failure import FailureKind
from domain.reasons import Reason

ENTRIES = [*CATALOGUE, OUTCOME_UNKNOWN]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.reason}-{entry.text[:30] or entry.enhanced}")
def test_given_an_entry_when_read_then_its_patterns_and_templates_are_sound(entry: Entry) -> None:
    for pattern in (entry.text, entry.code, entry.enhanced):
        re.compile(pattern)
    places = {name for text in (entry.cause, entry.remedy) for _, name, _, _ in string.Formatter().parse(text) if name}

    assert places <= {"server", "because", "reply"}
    assert entry.cause.endswith(".")
    assert entry.remedy.endswith(".")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.reason}-{entry.text[:30] or entry.enhanced}")
def test_given_words_about_another_try_when_read_then_they_promise_it_to_queued_messages_alone(entry: Entry) -> None:
    """A test mail or a validation meets the same failures, and nothing tries it again."""
    sentences = re.split(r"(?<=[.:;])\s+", f"{entry.cause} {entry.remedy}")

    promises = [words for words in sentences if re.search(r"\b(tried|sent) again|\bby itself", words)]

    assert "othing to do" not in entry.remedy
    assert [words for words in promises if "queued message" not in words and "not sent again" not in words] == []
    if any("queued message" in words for words in promises):
        assert re.search(r"anything else|otherwise|test mail", entry.remedy)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.reason}-{entry.text[:30] or entry.enhanced}")
def test_given_a_fix_when_read_then_it_never_lowers_what_is_safe(entry: Entry) -> None:
    values = {fix.field: fix.value for fix in entry.fixes}

    assert values.get("settings.smtp.minimum_tls_version", "TLS_1_2") in ("TLS_1_2", "TLS_1_3")
    assert values.get("settings.smtp.security") != "NONE"


def test_given_the_last_entry_when_anything_is_left_then_it_has_no_mark_that_might_not_fit() -> None:
    last = CATALOGUE[-1]

    marks = (last.symptom, last.text, last.code, last.enhanced, last.stages, last.surfaces, last.security)

    assert not any(marks)


def test_given_all_symptoms_when_looked_up_then_each_has_an_entry() -> None:
    assert {entry.symptom for entry in CATALOGUE} >= set(Symptom)


def test_given_the_kind_in_doubt_when_looked_for_then_only_lost_outcomes_have_it() -> None:
    doubtful = [entry for entry in ENTRIES if entry.kind is FailureKind.IN_DOUBT]

    assert OUTCOME_UNKNOWN in doubtful
    assert {entry.reason for entry in doubtful} == {Reason.OUTCOME_UNKNOWN}
    assert all(entry.surfaces == {Surface.GRAPH} for entry in doubtful if entry is not OUTCOME_UNKNOWN)


def test_given_final_kinds_when_looked_for_then_none_is_given_to_a_4yz() -> None:
    found = [e for e in CATALOGUE if e.kind is FailureKind.PERMANENT and e.code == "4.." and not e.surfaces]

    assert found == []
