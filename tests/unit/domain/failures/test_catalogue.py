"""The catalogue as data: each entry can be used as it stands."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN, Entry
from domain.failures.catalogue.exceptions import SIGNS, Sign
from domain.failures.catalogue.token_sign_in import TOKEN_SIGN_IN
from domain.failures.evidence import Surface, Symptom
from domain.failures.explain import matching
from domain.failures.failure import FailureKind
from domain.failures.reading import read_answer
from domain.failures.wording import alike
from domain.reasons import Reason

ENTRIES = [*CATALOGUE, OUTCOME_UNKNOWN]
UNSAMPLED = (*TOKEN_SIGN_IN, *(entry for entry in CATALOGUE if entry.surfaces == {Surface.OAUTH_AUTHORIZE}))
"""What shows in a sign-in with a token, and on a provider's page, is not pasted alone."""
WHOLE = frozenset(entry.error for entry in ENTRIES)
"""Patterns for a whole code of at most a hundred characters."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.reason}-{entry.text[:30] or entry.enhanced}")
def test_given_an_entry_when_read_then_its_patterns_and_templates_are_sound(entry: Entry) -> None:
    for pattern in (entry.text, entry.unless, entry.code, entry.enhanced, entry.error, entry.subcode):
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


SAMPLED = [entry for entry in CATALOGUE if entry.sample]


@pytest.mark.parametrize("entry", SAMPLED, ids=lambda entry: f"{entry.reason}-{entry.sample[:50]}")
def test_given_a_sample_when_explained_then_its_own_entry_does_it(entry: Entry) -> None:
    """What the documentation shows as a sample is what the rule recognises."""
    evidence = read_answer(
        entry.sample,
        surface=next(iter(sorted(entry.surfaces)), None),
        stage=next(iter(sorted(entry.stages)), None),
        provider=entry.provider,
    )
    evidence = replace(evidence, with_token=entry.with_token or entry.perhaps_token)

    found = matching(evidence, alike(evidence.text))

    assert (found.reason, found.kind) == (entry.reason, entry.kind)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.reason}-{entry.text[:30] or entry.enhanced}")
def test_given_an_entry_that_goes_by_words_when_read_then_it_has_a_sample_and_a_sound_link(entry: Entry) -> None:
    goes_by_words = bool(entry.text or entry.enhanced) and not entry.error and not entry.subcode

    assert entry.sample or not goes_by_words or entry.without_person or entry.with_token or entry in UNSAMPLED
    assert not entry.help_url or re.fullmatch(r"https://[a-z0-9.-]+(/\S*)?", entry.help_url)
    assert entry.pause is None or timedelta(0) < entry.pause <= timedelta(days=1)


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: f"{sign.symptom}-{sign.surface}")
def test_given_the_sample_of_a_sign_when_read_then_the_symptom_is_seen(sign: Sign) -> None:
    evidence = read_answer(sign.sample)

    assert (evidence.symptom, evidence.surface) == (sign.symptom, sign.surface)


def test_given_patterns_when_read_then_none_repeats_a_repetition() -> None:
    """Such a pattern takes exponential time on a text made for it."""
    patterns = [pattern for entry in ENTRIES for pattern in (entry.text, entry.unless, entry.error)]

    assert [pattern for pattern in patterns if re.search(r"[*+]\)[*+]|\{\d+,\}\)[*+]|\.[*+]\)?[*+]", pattern)] == []
    assert [pattern for pattern in patterns if re.search(r"\.[*+](?!\w*$)", pattern) and pattern not in WHOLE] == []
