"""The allowance of an account: what goes when, what throttling takes, and how time gives it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.allowance import (
    FLOOR,
    LONGEST_REST,
    NOMINAL_CONNECTIONS,
    NOMINAL_RATE,
    ONE_SIGN,
    RAISED_BY,
    RAISING,
    Allowance,
    throttles,
)
from domain.failures.failure import FailureKind, Stage
from domain.limits import AccountLimits
from domain.metering import RollingDay
from domain.providers.preset import Limits
from tests.builders import NOW, a_failure

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
EXCHANGE = AccountLimits(connections=3, messages_per_minute=30, recipients_per_day=10_000)
THROTTLED = a_failure(FailureKind.THROTTLED, stage=Stage.DATA, code="432 4.3.2")

spans = st.integers(0, 2 * 86_400).map(lambda s: timedelta(seconds=s))


def sent(
    allowance: Allowance, limits: AccountLimits, number: int, *, recipients: int = 1
) -> tuple[Allowance, datetime]:
    """Sends so many messages as soon as each may go; returns what is left and when the last one went."""
    now = NOW
    for _ in range(number):
        now = allowance.free_time(limits, recipients, now=now)
        allowance = allowance.after(limits, recipients, now=now)
    return allowance, now


def test_given_thirty_a_minute_when_a_hundred_wait_then_a_few_go_at_once_and_the_rest_evenly() -> None:
    _, at_once = sent(Allowance(), EXCHANGE, 3)
    _, last = sent(Allowance(), EXCHANGE, 100)

    assert at_once == NOW
    assert 3 * MINUTE < last - NOW < 4 * MINUTE


def test_given_recipients_a_day_when_they_are_used_up_then_the_next_waits_for_the_day_to_be_over() -> None:
    limits = AccountLimits(recipients_per_day=500)

    used_up, now = sent(Allowance(), limits, 5, recipients=100)

    assert now == NOW
    assert NOW + 24 * HOUR <= used_up.free_time(limits, 1, now=now) <= NOW + 25 * HOUR


def test_given_messages_a_day_when_they_are_used_up_then_recipients_do_not_matter() -> None:
    limits = AccountLimits(messages_per_day=2, recipients_per_day=500)

    used_up, now = sent(Allowance(), limits, 2)

    assert used_up.free_time(limits, 1, now=now) >= NOW + 24 * HOUR


def test_given_a_message_with_more_recipients_than_the_day_allows_when_nothing_was_sent_then_it_goes() -> None:
    assert Allowance().free_time(AccountLimits(recipients_per_day=50), 100, now=NOW) == NOW


def test_given_a_message_that_did_not_reach_the_server_when_given_back_then_the_day_has_its_place_again() -> None:
    limits = AccountLimits(messages_per_day=1, recipients_per_day=3)
    used_up, now = sent(Allowance(), limits, 1, recipients=3)

    again = used_up.given_back(3, now=now)

    assert again.free_time(limits, 3, now=now) == now


def test_given_no_limit_when_messages_go_then_nothing_is_counted() -> None:
    allowance, now = sent(Allowance(), AccountLimits(), 10)

    assert (allowance, now) == (Allowance(), NOW)


def test_given_a_throttling_answer_when_lowered_then_half_is_left_after_a_rest() -> None:
    lowered = Allowance().lowered(THROTTLED, now=NOW)

    assert lowered.in_force(EXCHANGE, now=NOW) == replace(EXCHANGE, connections=1, messages_per_minute=15)
    assert lowered.free_time(EXCHANGE, 1, now=NOW) == NOW + ONE_SIGN
    assert lowered.failure == THROTTLED


def test_given_no_limit_when_lowered_then_half_of_the_nominal_one_is_left() -> None:
    in_force = Allowance().lowered(THROTTLED, now=NOW).in_force(AccountLimits(), now=NOW)

    assert in_force == AccountLimits(connections=NOMINAL_CONNECTIONS // 2, messages_per_minute=NOMINAL_RATE // 2)


def test_given_an_answer_that_names_a_time_when_lowered_then_nothing_goes_before_and_never_longer_than_a_day() -> None:
    in_an_hour = Allowance().lowered(replace(THROTTLED, retry_time=NOW + HOUR), now=NOW)
    in_a_year = Allowance().lowered(replace(THROTTLED, retry_time=NOW + 365 * 24 * HOUR), now=NOW)

    assert in_an_hour.free_time(EXCHANGE, 1, now=NOW) == NOW + HOUR
    assert in_a_year.free_time(EXCHANGE, 1, now=NOW) == NOW + LONGEST_REST


def test_given_several_answers_at_once_when_lowered_then_they_are_one_sign() -> None:
    once = Allowance().lowered(THROTTLED, now=NOW)

    twice = once.lowered(THROTTLED, now=NOW + ONE_SIGN - SECOND)
    later = once.lowered(THROTTLED, now=NOW + ONE_SIGN)

    assert twice.factor == once.factor == 0.5
    assert later.factor < 0.26


def test_given_it_was_lowered_once_when_time_passes_then_half_of_it_is_back_in_half_the_time_and_all_in_the_end() -> (
    None
):
    lowered = Allowance().lowered(THROTTLED, now=NOW)

    assert lowered.share(now=NOW + RAISING / 2) == pytest.approx(0.75)
    assert lowered.in_force(EXCHANGE, now=NOW + RAISING) == EXCHANGE
    assert lowered.settled(now=NOW + RAISING) == Allowance()
    assert lowered.settled(now=NOW + RAISING - SECOND) == lowered


@given(st.lists(spans, max_size=60), spans)
def test_given_any_answers_when_lowered_and_raised_then_the_share_stays_between_floor_and_whole(
    pauses: list[timedelta], later: timedelta
) -> None:
    now, allowance = NOW, Allowance()
    for pause in pauses:
        now += pause
        before = allowance.share(now=now)
        allowance = allowance.lowered(THROTTLED, now=now)
        assert FLOOR <= allowance.share(now=now) <= before

    in_force = allowance.in_force(EXCHANGE, now=now)

    assert allowance.share(now=now) <= allowance.share(now=now + later) <= 1
    assert allowance.share(now=now + RAISED_BY) == 1
    assert 1 <= (in_force.connections or 0) <= 3
    assert 1 <= (in_force.messages_per_minute or 0) <= 30


@given(st.lists(spans, max_size=20), spans)
def test_given_a_clock_that_goes_back_when_asked_then_no_more_is_allowed_and_the_wait_is_bounded(
    pauses: list[timedelta], back: timedelta
) -> None:
    now, allowance = NOW, Allowance()
    for pause in pauses:
        now = allowance.free_time(EXCHANGE, 7, now=now + pause)
        allowance = allowance.after(EXCHANGE, 7, now=now)
    allowance = allowance.lowered(THROTTLED, now=now)

    earlier = now - back

    assert allowance.share(now=earlier) <= allowance.share(now=now)
    assert earlier < allowance.free_time(EXCHANGE, 7, now=earlier) <= earlier + LONGEST_REST


@given(st.integers(1, 200), st.integers(0, 3), st.integers(1, 60))
def test_given_any_limit_and_lowering_when_messages_go_as_fast_as_may_be_then_no_minute_has_more_than_the_limit(
    limit: int, lowerings: int, number: int
) -> None:
    limits = AccountLimits(messages_per_minute=limit)
    now, allowance, taken = NOW, Allowance(), []
    for index in range(number):
        if lowerings and index % 10 == 5:
            allowance, lowerings = allowance.lowered(THROTTLED, now=now), lowerings - 1
        now = allowance.free_time(limits, 1, now=now)
        allowance = allowance.after(limits, 1, now=now)
        taken.append(now)

    for begin in taken:
        assert sum(1 for each in taken if begin <= each < begin + MINUTE) <= limit


@pytest.mark.parametrize(
    ("kind", "stage", "code", "does"),
    [
        (FailureKind.THROTTLED, Stage.DATA, "432 4.3.2", True),
        (FailureKind.THROTTLED, Stage.DATA, "550 5.4.5", True),
        (FailureKind.THROTTLED, Stage.CONNECT, "421", True),
        (FailureKind.THROTTLED, Stage.API, "429", True),
        (FailureKind.TRANSIENT, Stage.CONNECT, "421 4.3.2", True),
        (FailureKind.TRANSIENT, Stage.EHLO, "421 4.7.0", True),
        (FailureKind.TRANSIENT, Stage.AUTH, "454 4.7.0", True),
        (FailureKind.TRANSIENT, Stage.DATA, "451 4.7.1", True),
        (FailureKind.TRANSIENT, Stage.DATA, "451 4.3.0", False),
        (FailureKind.TRANSIENT, Stage.DATA, "452 4.3.1", False),
        (FailureKind.TRANSIENT, Stage.RCPT_TO, "450 4.7.1", False),
        (FailureKind.THROTTLED, Stage.RCPT_TO, "554 5.2.121", False),
        (FailureKind.THROTTLED, Stage.TOKEN, "429", False),
        (FailureKind.TRANSIENT, Stage.TLS, "454 4.7.0", False),
        (FailureKind.PERMANENT, Stage.DATA, "554 5.7.1", False),
    ],
)
def test_given_an_answer_when_read_then_it_throttles_the_account_or_not(
    kind: FailureKind, stage: Stage, code: str, does: bool
) -> None:
    assert throttles(a_failure(kind, stage=stage, code=code)) is does


def test_given_no_failure_when_read_then_it_does_not_throttle() -> None:
    assert throttles(None) is False


def test_given_some_limits_of_ones_own_when_laid_over_a_preset_then_the_rest_is_the_presets() -> None:
    preset = Limits(messages_per_minute=30, messages_per_day=500, recipients_per_day=10_000, connections=3)

    merged = AccountLimits(messages_per_minute=20, connections=2).over(preset)

    assert merged == AccountLimits(
        connections=2, messages_per_minute=20, messages_per_day=500, recipients_per_day=10_000
    )
    assert not merged.are_none
    assert AccountLimits().over(Limits(message_size_bytes=1)).are_none


def test_given_nothing_a_day_any_more_when_a_message_goes_then_what_was_counted_is_forgotten() -> None:
    counted, now = sent(Allowance(), AccountLimits(messages_per_day=5, messages_per_minute=5), 2)

    assert counted.after(AccountLimits(), 1, now=now).messages == RollingDay()
