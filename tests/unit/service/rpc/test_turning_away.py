"""The moments before the server closes."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.errors import Unavailable
from domain.reasons import Reason
from service.rpc.turning_away import TurningAway

LONG = timedelta(minutes=1)
WITHIN = 10.0


def a_call(turning_away: TurningAway) -> None:
    with turning_away.a_call():
        pass


async def test_given_callers_when_turned_away_then_each_is_told_and_it_ends_when_no_more_of_them_come() -> None:
    turning_away = TurningAway(quiet=timedelta(milliseconds=200), at_most=LONG)
    a_call(turning_away)

    waiting = asyncio.create_task(turning_away.until_quiet())
    await asyncio.sleep(0)
    refused = []
    for _ in range(5):
        await asyncio.sleep(0.05)
        with pytest.raises(Unavailable) as told:
            a_call(turning_away)
        refused.append(told.value.reason)
    was_waiting = not waiting.done()
    await asyncio.wait_for(waiting, WITHIN)

    assert refused == [Reason.SHUTTING_DOWN] * 5
    assert was_waiting


async def test_given_a_call_that_runs_when_turned_away_then_its_caller_may_come_again_once_it_is_answered() -> None:
    turning_away = TurningAway(quiet=timedelta(milliseconds=20), at_most=LONG)

    with turning_away.a_call():
        waiting = asyncio.create_task(turning_away.until_quiet())
        await asyncio.sleep(0.1)
        was_waiting = not waiting.done()
    await asyncio.wait_for(waiting, WITHIN)

    assert was_waiting


async def test_given_a_call_a_moment_ago_when_turned_away_then_its_caller_may_be_on_its_way_again() -> None:
    turning_away = TurningAway(quiet=LONG, at_most=LONG)
    a_call(turning_away)

    waiting = asyncio.create_task(turning_away.until_quiet())
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()


async def test_given_nobody_called_when_turned_away_then_it_does_not_wait() -> None:
    turning_away = TurningAway(quiet=LONG, at_most=LONG)

    await asyncio.wait_for(turning_away.until_quiet(), WITHIN)


async def test_given_a_call_that_does_not_end_when_turned_away_then_it_ends_all_the_same() -> None:
    turning_away = TurningAway(quiet=LONG, at_most=timedelta(milliseconds=50))

    with turning_away.a_call():
        await asyncio.wait_for(turning_away.until_quiet(), WITHIN)
