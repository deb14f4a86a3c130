"""Whether the event loop is late (P27)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from service.rpc.lateness import Lateness
from tests.fakes.environment import FakeClock
from tests.unit.service.world import until


class LateClock(FakeClock):
    """Whoever asks a second time finds that so much has passed."""

    def __init__(self, passes: timedelta) -> None:
        super().__init__()
        self.passes = passes
        self.asked = 0

    def monotonic(self) -> timedelta:
        self.asked += 1
        if self.asked == 2:
            self.advance(self.passes)
        return super().monotonic()


@asynccontextmanager
async def looking(lateness: Lateness) -> AsyncIterator[None]:
    task = asyncio.create_task(lateness.run())
    try:
        yield
    finally:
        task.cancel()


async def test_given_a_loop_in_time_when_looked_at_then_it_is_not_late() -> None:
    clock = LateClock(timedelta(milliseconds=101))
    lateness = Lateness(clock=clock)

    async with looking(lateness):
        await until(lambda: clock.asked >= 2)

    assert not lateness()


async def test_given_a_loop_that_takes_long_turns_when_looked_at_then_it_is_late_for_a_second() -> None:
    clock = LateClock(timedelta(milliseconds=150))
    lateness = Lateness(clock=clock)

    async with looking(lateness):
        await until(lambda: clock.asked >= 2)
    late = lateness()
    clock.advance(timedelta(seconds=1))

    assert late
    assert not lateness()
