"""The two meters, as laws: never more than promised, never less than promised, and clocks that go back do no harm."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metering import CellRate, RollingDay
from tests.builders import NOW

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

rates = st.builds(
    CellRate, interval=st.integers(1, 120_000).map(lambda ms: timedelta(milliseconds=ms)), burst=st.integers(1, 50)
)
pauses = st.lists(st.integers(0, 90_000).map(lambda ms: timedelta(milliseconds=ms)), min_size=1, max_size=120)


def let_through(rate: CellRate, pauses_between: list[timedelta]) -> list[datetime]:
    """Offers a message after each pause; returns when one conformed."""
    now, arrival, taken = NOW, None, []
    for pause in pauses_between:
        now += pause
        if rate.conforming_time(arrival, now=now) <= now:
            arrival = rate.after_one(arrival, now=now)
            taken.append(now)
    return taken


@given(rates, pauses)
def test_given_any_traffic_when_metered_then_no_span_has_more_than_burst_and_rate_allow(
    rate: CellRate, pauses_between: list[timedelta]
) -> None:
    taken = let_through(rate, pauses_between)

    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= rate.burst + (taken[last] - begin) / rate.interval


@given(rates, st.lists(st.integers(0, 5_000), max_size=100))
def test_given_traffic_that_keeps_to_the_rate_when_metered_then_none_is_refused(
    rate: CellRate, late: list[int]
) -> None:
    """Each comes no earlier than an interval after the one before, or within the burst."""
    spread = [timedelta(0)] * (rate.burst - 1) + [rate.interval + timedelta(milliseconds=each) for each in late]
    offered = [timedelta(0), *spread]

    assert len(let_through(rate, offered)) == len(offered)


@given(rates, pauses)
def test_given_a_message_too_early_when_it_comes_again_at_the_conforming_time_then_it_is_let_through(
    rate: CellRate, pauses_between: list[timedelta]
) -> None:
    now, arrival = NOW, None
    for pause in pauses_between:
        offered = now + pause
        now = rate.conforming_time(arrival, now=offered)
        assert rate.conforming_time(arrival, now=now) == now
        too_early = now - timedelta(microseconds=1)
        assert offered == now or rate.conforming_time(arrival, now=too_early) == now
        arrival = rate.after_one(arrival, now=now)


@given(rates, pauses, st.integers(1, 10**7).map(lambda s: timedelta(seconds=s)))
def test_given_a_clock_that_goes_back_when_metered_then_nothing_extra_passes_and_nothing_waits_longer_than_the_bucket(
    rate: CellRate, pauses_between: list[timedelta], back: timedelta
) -> None:
    now, arrival = NOW, None
    for pause in pauses_between:
        now = rate.conforming_time(arrival, now=now + pause)
        arrival = rate.after_one(arrival, now=now)

    earlier = now - back
    free = rate.conforming_time(arrival, now=earlier)

    assert free <= earlier + rate.interval * rate.burst
    assert free - earlier >= rate.conforming_time(arrival, now=now) - now


@given(st.integers(1, 1_000))
def test_given_a_limit_a_minute_when_messages_come_as_fast_as_may_be_then_no_minute_has_more(limit: int) -> None:
    rate = CellRate.per_minute(limit)
    now, arrival, taken = NOW, None, []
    while now < NOW + 2 * MINUTE:
        arrival = rate.after_one(arrival, now=now)
        taken.append(now)
        now = rate.conforming_time(arrival, now=now)

    # Of limit + 1 in a row, the last comes a minute after the first at the earliest.
    assert all(later - begin >= MINUTE for begin, later in zip(taken, taken[limit:], strict=False))


@pytest.mark.parametrize(("limit", "burst"), [(1, 1), (9, 1), (30, 3), (600, 60)])
def test_given_a_limit_a_minute_when_read_then_a_tenth_may_go_at_once(limit: int, burst: int) -> None:
    assert CellRate.per_minute(limit).burst == burst


@given(st.integers(1, 200), st.lists(st.tuples(st.integers(0, 20 * 3600), st.integers(1, 40)), max_size=60))
def test_given_any_traffic_when_counted_then_no_24_hours_have_more_than_the_limit(
    limit: int, offered: list[tuple[int, int]]
) -> None:
    now, day, taken = NOW, RollingDay(), []
    for pause, number in offered:
        now += timedelta(seconds=pause)
        number = min(number, limit)
        if day.free_time(number, limit, now=now) <= now:
            day = day.after(number, now=now)
            taken.append((now, number))

    for begin, _ in taken:
        assert sum(number for at, number in taken if begin <= at < begin + DAY) <= limit


@given(st.integers(1, 200), st.lists(st.tuples(st.integers(0, 20 * 3600), st.integers(1, 300)), max_size=40))
def test_given_a_day_that_is_used_up_when_its_free_time_comes_then_it_fits_and_never_more_than_25_hours_later(
    limit: int, offered: list[tuple[int, int]]
) -> None:
    now, day = NOW, RollingDay()
    for pause, number in offered:
        now += timedelta(seconds=pause)
        free = day.free_time(number, limit, now=now)
        assert now <= free <= now + 25 * HOUR
        assert day.free_time(number, limit, now=free) == free
        now = free
        day = day.after(number, now=now)
    assert len(day.hours) <= 25


@given(st.lists(st.integers(1, 50), max_size=20), st.integers(1, 10**6))
def test_given_a_clock_that_goes_back_when_counted_then_all_still_counts_and_is_forgotten_in_a_day(
    numbers: list[int], back: int
) -> None:
    now, day = NOW, RollingDay()
    for number in numbers:
        now += HOUR / 2
        day = day.after(number, now=now)

    earlier = now - timedelta(seconds=back)

    assert day.count(now=earlier) == day.count(now=now)
    assert day.after(1, now=earlier).count(now=earlier + 25 * HOUR) == 0


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(0, 3_000))
def test_given_a_count_when_some_is_given_back_then_it_is_less_by_that_and_never_below_zero(
    numbers: list[int], number: int
) -> None:
    now, day = NOW, RollingDay()
    for each in numbers:
        now += HOUR
        day = day.after(each, now=now)

    assert day.without(number, now=now).count(now=now) == max(0, day.count(now=now) - number)
