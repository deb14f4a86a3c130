"""What is recorded of an attempt that came to nothing before anything was dialled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.failures.trace import LONGEST_TOLD, untried
from tests.builders import a_failure

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_given_a_failure_before_anything_was_dialled_when_recorded_then_its_stage_stands_there_alone() -> None:
    failure = a_failure(FailureKind.REAUTHORIZE, stage=Stage.TOKEN, code="400 invalid_grant")

    trace = untried(failure, start_time=NOW, duration=timedelta(milliseconds=3))

    (step,) = trace.steps
    assert trace.start_time == NOW
    assert (step.stage, step.succeeded, step.duration) == (Stage.TOKEN, False, timedelta(milliseconds=3))
    assert step.detail == failure.cause
    assert step.reply == f"400 invalid_grant {failure.provider_reply}".strip()


@pytest.mark.parametrize("reply", ["", "x" * 2000])
def test_given_texts_of_any_length_when_recorded_then_they_keep_to_the_bound(reply: str) -> None:
    failure = replace(a_failure(FailureKind.MISCONFIGURED), cause="y" * 2000, provider_reply=reply)

    (step,) = untried(failure, start_time=NOW, duration=timedelta(0)).steps

    assert len(step.detail) == LONGEST_TOLD
    assert len(step.reply) <= LONGEST_TOLD
