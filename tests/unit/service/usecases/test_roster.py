"""The roster: who lives is known within seconds, told once, and never guessed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from domain.data_center import LIVES_FOR, TAKEN_OVER_AFTER, Presence, Reach
from domain.errors import Unavailable
from service.usecases.roster import Roster
from tests.fakes.events import FakeEvents
from tests.unit.service.world import World, until

ORDER = ("eu-1", "us-1")
TICK = timedelta(milliseconds=1)


def a_roster(world: World, site: str = "us-1", *, events: FakeEvents | None = None, has_worker: bool = True) -> Roster:
    return Roster(
        uow=world.uow,
        clock=world.clock,
        events=events or world.events,
        name=f"worker at {site}",
        data_center=site,
        order=ORDER,
        has_worker=has_worker,
        every=TICK,
    )


async def present(world: World) -> tuple[Presence, ...]:
    async with world.uow() as work:
        return await work.workers.present()


async def test_given_a_worker_when_it_looks_then_it_is_seen_and_lives_for_a_while() -> None:
    world = World()

    await a_roster(world).look()

    assert await present(world) == (Presence("us-1", 1),)
    world.clock.advance(LIVES_FOR)
    assert await present(world) == (Presence("us-1", 0),)


async def test_given_a_process_without_worker_when_it_looks_then_it_is_not_counted() -> None:
    world = World()
    roster = a_roster(world, has_worker=False)

    await roster.look()
    await roster.leave()

    assert await present(world) == ()


async def test_given_a_site_that_dies_when_others_look_then_the_next_takes_its_mail_after_a_while_and_returns_it() -> (
    None
):
    world = World()
    theirs, ours = a_roster(world, "eu-1"), a_roster(world, "us-1")
    before = ours.reach()
    world.clock.advance(TAKEN_OVER_AFTER)
    await theirs.look()
    await ours.look()
    with_them = ours.reach()

    world.clock.advance(LIVES_FOR + TAKEN_OVER_AFTER - TICK)
    await ours.look()
    too_early = ours.reach()
    world.clock.advance(TICK)
    await ours.look()
    without_them = ours.reach()
    await theirs.look()
    await ours.look()

    assert before == with_them == Reach("us-1")
    assert too_early == Reach("us-1", frozenset({"eu-1", "us-1"}))
    assert without_them == Reach("us-1", frozenset({"us-1"}))
    assert ours.reach() == Reach("us-1")


async def test_given_a_fresh_start_when_others_are_not_there_yet_then_their_mail_waits_for_them_a_while() -> None:
    world = World()
    ours = a_roster(world)

    await ours.look()
    at_first = ours.reach()
    world.clock.advance(TAKEN_OVER_AFTER)
    await ours.look()

    assert at_first == Reach("us-1")
    assert ours.reach() == Reach("us-1", frozenset({"us-1"}))


async def test_given_a_worker_that_leaves_when_looked_up_then_it_is_gone_at_once_and_stays_so() -> None:
    world = World()
    roster = a_roster(world)
    await roster.look()

    await roster.leave()
    await roster.look()

    assert await present(world) == (Presence("us-1", 0),)


async def test_given_a_store_that_is_away_when_leaving_then_the_process_may_end_all_the_same() -> None:
    world = World()
    roster = a_roster(world)
    await roster.look()
    world.store.away = True

    await roster.leave()

    world.store.away = False
    assert await present(world) == (Presence("us-1", 1),)


@pytest.mark.parametrize("error", [Unavailable("away"), ZeroDivisionError()])
async def test_given_trouble_when_running_then_it_looks_again(error: Exception) -> None:
    world = World()
    world.store.fail_next("workers.seen", error)

    running = asyncio.create_task(a_roster(world).run())
    await until(lambda: bool(world.events.present))

    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert world.events.present == (Presence("eu-1", 0), Presence("us-1", 1))


async def test_given_nobody_when_a_process_without_worker_looks_then_that_is_told_once_after_a_while_and_its_end() -> (
    None
):
    world = World()
    api = a_roster(world, has_worker=False)

    await api.look()
    at_first = list(world.events.missing)
    world.clock.advance(TAKEN_OVER_AFTER)
    await api.look()
    await api.look()
    told = list(world.events.missing)
    await a_roster(world, "eu-1", events=FakeEvents()).look()
    await a_roster(world, "us-1", events=FakeEvents()).look()
    await api.look()

    assert (at_first, told) == ([], [""])
    assert world.events.missing == [""]
    assert world.events.back == [""]


async def test_given_one_site_without_worker_when_looked_at_then_it_is_named_once() -> None:
    world = World()
    ours = a_roster(world)
    await ours.look()

    world.clock.advance(TAKEN_OVER_AFTER)
    await ours.look()
    await ours.look()
    world_was = list(world.events.missing)
    await a_roster(world, "eu-1", events=FakeEvents()).look()
    await ours.look()

    assert world_was == ["eu-1"]
    assert world.events.missing == ["eu-1"]
    assert world.events.back == ["eu-1"]
    assert world.events.present == (Presence("eu-1", 1), Presence("us-1", 1))
