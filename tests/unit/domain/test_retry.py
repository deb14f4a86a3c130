"""The retry schedule stays within its bounds and grows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.failures.failure import FailureKind
from domain.retry import DOUBT_PAUSE, JITTER, Backoff, next_attempt_time

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
RETRIED = [kind for kind in FailureKind if kind is not FailureKind.PERMANENT]
_JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(attempt=st.integers(1, 10_000), jitter=_JITTER, first=st.integers(1, 3600), factor=st.integers(1, 100))
def test_given_any_attempt_when_pausing_then_stays_within_the_bounds(
    attempt: int, jitter: float, first: int, factor: int
) -> None:
    backoff = Backoff(first=timedelta(seconds=first), longest=timedelta(seconds=first * factor))

    pause = backoff.pause(attempt, jitter)

    assert backoff.first * (1 - JITTER) <= pause <= backoff.longest * (1 + JITTER)


@given(attempt=st.integers(1, 40), jitter=_JITTER)
def test_given_the_same_jitter_when_attempts_go_on_then_pauses_never_shrink(attempt: int, jitter: float) -> None:
    backoff = Backoff(first=timedelta(minutes=2), longest=timedelta(hours=1))

    assert backoff.pause(attempt, jitter) <= backoff.pause(attempt + 1, jitter)


@given(kind=st.sampled_from(RETRIED), attempt=st.integers(1, 100), jitter=_JITTER)
def test_given_any_kind_when_planned_then_the_first_pause_is_a_minute_at_least_and_no_pause_above_three_hours(
    kind: FailureKind, attempt: int, jitter: float
) -> None:
    """F21: first 1 to 30 minutes, growing."""
    planned = next_attempt_time(kind, attempt=attempt, now=NOW, jitter=jitter)

    assert NOW + timedelta(minutes=1) <= planned <= NOW + timedelta(hours=3)


@given(kind=st.sampled_from(RETRIED), jitter=_JITTER, seconds=st.integers(-3600, 864_000))
def test_given_a_time_the_peer_asked_for_when_planned_then_is_never_earlier(
    kind: FailureKind, jitter: float, seconds: int
) -> None:
    asked = NOW + timedelta(seconds=seconds)

    assert next_attempt_time(kind, attempt=1, now=NOW, jitter=jitter, asked=asked) >= asked


@given(attempt=st.integers(1, 100), jitter=_JITTER)
def test_given_doubt_when_planned_then_never_before_ten_minutes(attempt: int, jitter: float) -> None:
    """P3."""
    planned = next_attempt_time(FailureKind.IN_DOUBT, attempt=attempt, now=NOW, jitter=jitter)

    assert planned >= NOW + DOUBT_PAUSE


def test_given_a_permanent_failure_when_planned_then_there_is_no_next_time() -> None:
    with pytest.raises(KeyError):
        next_attempt_time(FailureKind.PERMANENT, attempt=1, now=NOW, jitter=0)
