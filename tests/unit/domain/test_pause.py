"""The rule that pauses a configuration."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.failure import FailureKind, Stage
from domain.pause import SHORTEST_PAUSE, Pause, pause_after, shows_usable
from domain.retry import next_attempt_time
from tests.builders import NOW, a_failure

HOUR = timedelta(hours=1)
UP_TO_SIGN_IN = {Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.EHLO, Stage.AUTH, Stage.TOKEN}


@pytest.mark.parametrize("kind", FailureKind)
@pytest.mark.parametrize("stage", Stage)
def test_given_any_failure_when_judged_then_only_misconfigured_up_to_sign_in_pauses(
    kind: FailureKind, stage: Stage
) -> None:
    failure = a_failure(kind, stage=stage)

    pause = pause_after(failure, revision=3, next_attempt_time=NOW + HOUR, now=NOW)

    pauses = kind is FailureKind.MISCONFIGURED and stage in UP_TO_SIGN_IN
    assert pause == (Pause(revision=3, until=NOW + HOUR, failure=failure) if pauses else None)
    assert not (pauses and shows_usable(failure))


def test_given_no_failure_or_a_delivery_that_ended_when_judged_then_nothing_pauses() -> None:
    refused = a_failure(FailureKind.MISCONFIGURED, stage=Stage.AUTH)

    assert pause_after(None, revision=1, next_attempt_time=NOW, now=NOW) is None
    assert pause_after(refused, revision=1, next_attempt_time=None, now=NOW) is None
    assert shows_usable(None)


def test_given_a_message_that_is_about_to_end_when_it_pauses_then_not_shorter_than_the_least() -> None:
    refused = a_failure(FailureKind.MISCONFIGURED, stage=Stage.AUTH)

    pause = pause_after(refused, revision=1, next_attempt_time=NOW + timedelta(seconds=5), now=NOW)

    assert pause is not None
    assert pause.until == NOW + SHORTEST_PAUSE


@given(attempt=st.integers(1, 100), jitter=st.floats(0, 1, exclude_max=True))
def test_given_any_attempt_when_tried_again_by_plan_then_the_least_pause_is_over(attempt: int, jitter: float) -> None:
    due = next_attempt_time(FailureKind.MISCONFIGURED, attempt=attempt, now=NOW, jitter=jitter)

    assert due >= NOW + SHORTEST_PAUSE


@pytest.mark.parametrize(
    ("stage", "usable"),
    [(Stage.AUTH, False), (Stage.CONNECT, False), (Stage.API, False), (Stage.RCPT_TO, True), (Stage.DATA, True)],
)
def test_given_an_answer_when_its_stage_is_looked_at_then_past_sign_in_shows_that_the_settings_work(
    stage: Stage, usable: bool
) -> None:
    assert shows_usable(a_failure(stage=stage)) is usable
