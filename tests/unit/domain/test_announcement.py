"""Which foreseen ends are said, and how often."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.announcement import Announcement, Decision, decide
from domain.forecast import THRESHOLDS, Forecast, ForecastKind, threshold
from tests.builders import NOW
from tests.consent_builders import an_announcement

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECRET, TEST_MODE = ForecastKind.CLIENT_SECRET_EXPIRING, ForecastKind.GOOGLE_TEST_MODE
IDLE, EXPIRING = ForecastKind.GRANT_IDLE, ForecastKind.GRANT_EXPIRING


def a_forecast(kind: ForecastKind = SECRET, *, end: datetime) -> Forecast:
    return Forecast(kind, end, "It ends.", "Act.")


def said_on(kind: ForecastKind, remaining: list[timedelta | None]) -> list[int]:
    """Looks once a day, when the end is *remaining* away (None: no such end); returns the days on which it is said."""
    before: Announcement | None = None
    said = []
    for day, span in enumerate(remaining):
        now = NOW + day * DAY
        forecast = None if span is None else a_forecast(kind, end=now + span)
        decision = decide(before, forecast, now=now)
        said += [day] if decision.is_due else []
        before = decision.remembered
    return said


def days(*counts: float) -> list[timedelta | None]:
    return [count * DAY for count in counts]


@pytest.mark.parametrize("kind", ForecastKind)
def test_given_an_end_that_stands_still_when_it_comes_nearer_then_said_at_each_threshold_once(
    kind: ForecastKind,
) -> None:
    remaining = list(range(40, -6, -1))

    said = said_on(kind, days(*remaining))

    assert [remaining[day] for day in said] == [30, 14, 7, 1]


def test_given_an_outage_when_several_thresholds_were_missed_then_the_nearest_is_said_alone() -> None:
    assert said_on(SECRET, days(40, 6, 5, 4)) == [1]


@pytest.mark.parametrize("kind", [SECRET, TEST_MODE])
def test_given_a_fixed_end_when_it_moves_by_more_than_a_day_then_it_is_a_new_one(kind: ForecastKind) -> None:
    assert said_on(kind, days(7, 20)) == [0, 1]
    assert said_on(kind, days(20, 200, 20)) == [0, 2]
    assert said_on(kind, days(20, 19 - 0.9, 18 + 0.9)) == [0]


def test_given_a_week_of_test_mode_when_consented_to_again_then_said_again_for_the_new_consent() -> None:
    assert said_on(TEST_MODE, [*days(7, 6, 5), None, *days(7, 6, 5)]) == [0, 4]
    assert said_on(TEST_MODE, days(7, 6, 5, 7, 6, 5)) == [0, 3]


def test_given_idle_limits_when_the_grant_is_refreshed_every_week_then_nothing_is_ever_said() -> None:
    assert said_on(IDLE, days(*(90 - day % 7 for day in range(200)))) == []


def test_given_a_keeper_that_was_away_when_the_grant_is_used_again_then_the_next_time_is_said_anew() -> None:
    assert said_on(IDLE, days(25, 24, 90, 80, 29, 28, 90, 14)) == [0, 4, 7]


def test_given_a_lifetime_that_each_refresh_renews_when_looked_at_for_months_then_said_once() -> None:
    """Some providers give refresh tokens that live for an hour or a day."""
    assert said_on(EXPIRING, days(*(1 - day % 2 / 24 for day in range(100)))) == [0]
    assert said_on(EXPIRING, days(*(14 - day % 7 for day in range(100) if day % 7 < 6))) == [0]


def test_given_a_moving_end_when_it_comes_nearer_than_before_then_that_is_said_each_time() -> None:
    assert said_on(EXPIRING, days(14, 13, 6, 14, 13, 6, 1)) == [0, 2, 5, 6]


@pytest.mark.parametrize("kind", ForecastKind)
def test_given_two_clocks_when_they_differ_at_a_threshold_then_it_is_said_once(kind: ForecastKind) -> None:
    for edge in THRESHOLDS:
        end = NOW + edge
        first = decide(an_announcement(expected_time=end, threshold=edge + DAY), a_forecast(kind, end=end), now=NOW)

        late = decide(first.remembered, a_forecast(kind, end=end), now=NOW - HOUR)

        assert first.is_due
        assert late == Decision(False, first.remembered)


def test_given_no_forecast_when_decided_then_forgotten() -> None:
    assert decide(an_announcement(), None, now=NOW) == Decision(False, None)
    assert decide(None, None, now=NOW) == Decision(False, None)


@given(
    kind=st.sampled_from(ForecastKind),
    spans=st.lists(st.none() | st.integers(-100, 1200), min_size=1, max_size=40),
)
def test_given_any_course_when_decided_then_said_only_within_a_threshold_and_never_twice_in_a_row(
    kind: ForecastKind, spans: list[int | None]
) -> None:
    before: Announcement | None = None
    for step, hours in enumerate(spans):
        now = NOW + step * HOUR
        forecast = None if hours is None else a_forecast(kind, end=now + hours * HOUR)

        decision = decide(before, forecast, now=now)
        again = decide(decision.remembered, forecast, now=now)

        assert again == replace(decision, is_due=False)
        if decision.is_due:
            assert forecast is not None
            reached = threshold(forecast.expected_time, now=now)
            assert decision.remembered == Announcement(
                expected_time=forecast.expected_time, threshold=reached or DAY, announce_time=now
            )
            assert reached is not None
        before = decision.remembered
