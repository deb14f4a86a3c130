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


async def test_given_callers_when_turned_away_then_each_is_told_and_it_ends_when_no_more_of_them_come() -> None:
    turning_away = TurningAway(quiet=timedelta(milliseconds=50), at_most=LONG)
    turning_away.a_call()

    waiting = asyncio.create_task(turning_away.until_quiet())
    await asyncio.sleep(0)
    refused = []
    for _ in range(5):
        await asyncio.sleep(0.02)
        with pytest.raises(Unavailable) as told:
            turning_away.a_call()
        refused.append(told.value.reason)
        assert not waiting.done()
    await asyncio.wait_for(waiting, WITHIN)

    assert refused == [Reason.SHUTTING_DOWN] * 5


async def test_given_a_call_a_moment_ago_when_turned_away_then_its_caller_may_be_on_its_way_again() -> None:
    turning_away = TurningAway(quiet=LONG, at_most=timedelta(milliseconds=50))
    turning_away.a_call()

    waiting = asyncio.create_task(turning_away.until_quiet())
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()


async def test_given_nobody_called_when_turned_away_then_it_does_not_wait() -> None:
    turning_away = TurningAway(quiet=LONG, at_most=LONG)

    await asyncio.wait_for(turning_away.until_quiet(), WITHIN)


async def test_given_callers_who_never_leave_when_turned_away_then_it_ends_all_the_same() -> None:
    turning_away = TurningAway(quiet=timedelta(milliseconds=50), at_most=timedelta(milliseconds=100))
    turning_away.a_call()

    waiting = asyncio.create_task(turning_away.until_quiet())
    async with asyncio.timeout(WITHIN):
        while not waiting.done():
            await asyncio.sleep(0.01)
            with pytest.raises(Unavailable):
                turning_away.a_call()
