from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.errors import Unavailable
from domain.turns import Place, Resting
from service.turns import Turns
from tests.fakes.environment import FakeClock
from tests.fakes.storage import FakeStore, FakeUnitOfWork

TEAM = Place("graph.example.com", "team@example.com")
SECOND = timedelta(seconds=1)
AT_ONCE = timedelta(0)


class Processes:
    """Processes on one store, and what they do at the mailbox."""

    def __init__(self, number: int = 1, *, most: int = 4) -> None:
        self.store = FakeStore()
        self.turns = [
            Turns(uow=lambda: FakeUnitOfWork(self.store), clock=FakeClock(), most=most) for _ in range(number)
        ]
        self.now, self.most = 0, 0

    async def request(
        self, process: int = 0, *, within: timedelta = 10 * SECOND, rest: timedelta | None = None
    ) -> None:
        async with self.turns[process].turn(TEAM, within=within) as turn:
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await asyncio.sleep(0.01)
                if rest is not None:
                    await turn.rest(rest)
            finally:
                self.now -= 1

    async def asked(self, number: int) -> None:
        """Returns when so many tickets are there."""
        async with asyncio.timeout(10):
            while self.tickets < number:  # noqa: ASYNC110 - what a store holds tells nobody
                await asyncio.sleep(0)

    @property
    def tickets(self) -> int:
        return sum(len(place.tickets) for place in self.store.turns.values())


async def test_given_three_processes_when_they_make_sixty_requests_then_four_are_under_way_at_most() -> None:
    world = Processes(3)

    await asyncio.gather(*(world.request(number % 3, within=600 * SECOND) for number in range(60)))

    assert world.most == 4
    assert world.tickets == 0


async def test_given_a_rest_when_a_request_cannot_wait_so_long_then_it_is_told_for_how_long_and_makes_none() -> None:
    world = Processes(2)
    await world.request(rest=timedelta(minutes=2))
    world.most = 0

    with pytest.raises(Resting) as resting:
        await world.request(1)

    assert (resting.value.wait, resting.value.is_told) == (timedelta(minutes=2), True)
    assert (world.most, world.tickets) == (0, 0)


async def test_given_a_short_rest_when_a_request_can_wait_then_it_is_made_after_it() -> None:
    world = Processes(2)
    await world.request(rest=SECOND / 5)
    world.most = 0
    asked = asyncio.create_task(world.request(1))
    await world.asked(1)
    before = world.most

    world.store.clock.advance(SECOND / 5)
    await asked

    assert (before, world.most) == (0, 1)


async def test_given_turns_that_stay_taken_when_waited_for_then_it_is_told_that_nobody_asked_for_a_rest() -> None:
    world = Processes(2, most=1)
    async with world.turns[0].turn(TEAM, within=AT_ONCE):
        with pytest.raises(Resting) as resting:
            await world.request(1, within=AT_ONCE)

    assert not resting.value.is_told
    assert world.tickets == 0
    await world.request(1, within=AT_ONCE)


async def test_given_a_request_that_is_cancelled_when_it_ends_then_its_turn_is_given_back() -> None:
    world = Processes(most=1)
    under_way = asyncio.create_task(world.request())
    await asyncio.sleep(0.005)

    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    await world.request(within=timedelta(seconds=60))

    assert world.tickets == 0


async def test_given_a_store_that_is_away_when_a_turn_is_wanted_then_nothing_is_requested() -> None:
    world = Processes()
    world.store.away = True

    with pytest.raises(Unavailable):
        await world.request(within=AT_ONCE)

    assert world.most == 0


async def test_given_a_store_that_comes_back_when_a_turn_is_wanted_then_it_is_waited_for() -> None:
    world = Processes()
    world.store.away = True

    asked = asyncio.create_task(world.request())
    await asyncio.sleep(0.01)
    world.store.away = False
    await asked

    assert (world.most, world.tickets) == (1, 0)


async def test_given_a_store_that_goes_away_when_the_request_ends_then_its_answer_is_not_lost() -> None:
    world = Processes()

    async with world.turns[0].turn(TEAM, within=AT_ONCE) as turn:
        world.store.away = True
        await turn.rest(SECOND)

    world.store.away = False
    assert world.tickets == 1, "its lease ends by itself"
