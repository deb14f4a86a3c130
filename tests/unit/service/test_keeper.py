"""The keeper: round after round, whatever happens in one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import pytest

from domain.errors import Unavailable
from service.keeper import Keeper
from service.logs import KEEPING_FAILED
from tests.unit.service.processes import Gate, given_consent
from tests.unit.service.world import World, until

TICK: Final = timedelta(milliseconds=1)
LONG: Final = timedelta(seconds=30)


class Rounds:
    """Stands for the keeper's steps: counts the rounds, and raises what the test says, one error a round."""

    def __init__(self, *errors: Exception) -> None:
        self.begun = 0
        self._errors = list(errors)

    async def __call__(self) -> None:
        self.begun += 1
        if self._errors:
            raise self._errors.pop(0)


@asynccontextmanager
async def running(keeper: Keeper) -> AsyncIterator[asyncio.Task[None]]:
    """Runs the keeper for as long as the test looks at it."""
    task = asyncio.create_task(keeper.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_given_a_keeper_when_started_then_the_first_round_is_at_once_and_others_follow() -> None:
    rounds = Rounds()

    async with running(Keeper(keep=rounds, every=TICK, again=LONG)):
        await until(lambda: rounds.begun >= 3)


async def test_given_a_long_interval_when_a_round_is_over_then_the_next_one_waits_for_it() -> None:
    rounds = Rounds()

    async with running(Keeper(keep=rounds, every=LONG, again=TICK)):
        await until(lambda: rounds.begun == 1)
        await asyncio.sleep(0.02)

    assert rounds.begun == 1


async def test_given_the_store_is_away_when_a_round_fails_then_the_next_one_comes_soon(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rounds = Rounds(Unavailable("The store does not answer."), Unavailable("The store does not answer."))

    async with running(Keeper(keep=rounds, every=LONG, again=TICK)):
        await until(lambda: rounds.begun == 3)
        await asyncio.sleep(0.02)

    assert rounds.begun == 3  # the third was well, so the long interval holds again
    assert caplog.records == []


async def test_given_a_fault_of_mailports_own_when_a_round_fails_then_it_is_logged_and_the_keeper_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rounds = Rounds(RuntimeError("a fault of our own"))

    with caplog.at_level(logging.ERROR):
        async with running(Keeper(keep=rounds, every=TICK, again=LONG)) as task:
            await until(lambda: rounds.begun >= 3)
            assert not task.done()

    (record,) = caplog.records
    assert (record.msg, record.exc_info is not None) == (KEEPING_FAILED, True)


async def test_given_a_refresh_under_way_when_the_keeper_is_cancelled_then_its_answer_is_stored() -> None:
    world = World()
    gate = Gate(world.server)
    await given_consent(world)
    world.clock.advance(timedelta(days=8))

    async with running(Keeper(keep=world.keep_grants, every=LONG)):
        await gate.reached()
    gate.open()
    await world.fresh_tokens.drain(LONG)

    assert (await world.grant()).generation == 2


async def test_given_an_idle_grant_when_the_keeper_runs_then_it_is_refreshed() -> None:
    world = World()
    await given_consent(world)
    world.clock.advance(timedelta(days=8))

    async with running(Keeper(keep=world.keep_grants, every=LONG)):
        await until(lambda: bool(world.events.refreshed))
        await world.fresh_tokens.drain(LONG)

    assert (await world.grant()).refresh_time == world.clock.now()
