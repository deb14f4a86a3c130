"""WatchDeliveries: a watch that stands, loses nothing, and never just goes quiet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import pytest

from domain.delivery import DeliveryState
from domain.errors import NotReady, Overloaded, Unavailable
from domain.ports.changes import ChangeFilter
from domain.reasons import Reason
from domain.retention import Retention
from service.usecases.forget_old import ForgetOld
from service.usecases.watch_deliveries import Watched
from tests.builders import OTHER_TENANT, a_delivery
from tests.unit.service.world import CALLER, World

SOON = 2.0


def a_watch(world: World, where: ChangeFilter | None = None, *, after: int | None = None) -> AsyncGenerator[Watched]:
    return world.watch_deliveries(CALLER, where or ChangeFilter(), after=after)


async def following(watch: AsyncGenerator[Watched]) -> Watched:
    """The next answer; signs of life that a fake clock brings early are passed over."""
    async with asyncio.timeout(SOON):
        while True:
            answer = await anext(watch)
            if answer.change is not None:
                return answer


async def test_given_a_watch_when_deliveries_change_then_it_stands_first_and_each_change_follows() -> None:
    world = World()
    async with aclosing(a_watch(world)) as watch:
        stands = await anext(watch)
        delivery = await world.accepted()
        first = await following(watch)
        await world.cancel_delivery(CALLER, delivery.delivery_id)
        second = await following(watch)

    assert stands.change is None
    assert first.change is not None
    assert second.change is not None
    assert (first.change.previous_state, first.change.delivery) == (None, delivery)
    assert (second.change.previous_state, second.change.delivery.state) == (
        DeliveryState.QUEUED,
        DeliveryState.CANCELLED,
    )
    assert first.number < second.number


async def test_given_a_watch_that_broke_when_resumed_behind_what_was_handled_then_nothing_is_missing_or_twice() -> None:
    world = World()
    async with aclosing(a_watch(world)) as watch:
        await anext(watch)
        first = await world.accepted()
        handled = await following(watch)
    second = await world.accepted()
    third = await world.accepted()

    async with aclosing(a_watch(world, after=handled.number)) as watch:
        stands = await anext(watch)
        rest = [await following(watch) for _ in range(2)]

    assert handled.change is not None
    assert handled.change.delivery == first
    assert (stands.number, stands.change) == (handled.number, None)
    assert [each.change.delivery for each in rest if each.change] == [second, third]


async def test_given_a_new_watch_when_there_was_something_before_then_it_begins_now() -> None:
    world = World()
    await world.accepted()
    async with aclosing(a_watch(world)) as watch:
        await anext(watch)
        later = await world.accepted()

        first = await following(watch)

    assert first.change is not None
    assert first.change.delivery == later


async def test_given_filters_and_another_tenant_when_watched_then_only_what_is_wanted_comes() -> None:
    world = World()
    async with aclosing(a_watch(world, ChangeFilter(configuration_id="news"))) as watch:
        await anext(watch)
        await world.accepted()
        await world.accepted(a_delivery(configuration_id="news", tenant=OTHER_TENANT))
        wanted = await world.accepted(a_delivery(configuration_id="news"))

        first = await following(watch)

    assert first.change is not None
    assert first.change.delivery == wanted


async def test_given_nothing_happens_when_watched_then_a_sign_of_life_comes_every_thirty_seconds() -> None:
    world = World()
    began = world.clock.monotonic()
    async with aclosing(a_watch(world)) as watch:
        answers = [await anext(watch) for _ in range(3)]

    assert [each.change for each in answers] == [None] * 3
    assert world.clock.monotonic() - began == timedelta(seconds=60)


async def test_given_many_changes_when_resumed_then_all_come_in_order() -> None:
    world = World()
    start = world.store.changes_logged
    deliveries = [await world.accepted() for _ in range(450)]  # more than is read at once, and not a multiple of it
    async with aclosing(a_watch(world, after=start)) as watch:
        await anext(watch)
        answers = [await following(watch) for _ in deliveries]

    assert [each.change.delivery for each in answers if each.change] == deliveries


async def test_given_a_cursor_older_than_what_is_kept_when_watched_then_is_refused_before_it_stands() -> None:
    world = World()
    await world.accepted(a_delivery(update_time=world.clock.now() - timedelta(days=8)))
    await ForgetOld(uow=world.uow, clock=world.clock, retention=Retention())()

    with pytest.raises(NotReady) as raised:
        await anext(a_watch(world, after=0))

    assert raised.value.reason is Reason.CURSOR_INVALID


async def test_given_a_store_that_hiccups_when_watched_then_the_watch_goes_on() -> None:
    world = World()
    async with aclosing(a_watch(world)) as watch:
        await anext(watch)
        world.store.fail_next("changes.after")
        world.store.fail_next("changes.after", Overloaded("Too much."))
        delivery = await world.accepted()

        first = await following(watch)

    assert first.change is not None
    assert first.change.delivery == delivery


async def test_given_a_store_that_stays_away_when_watched_then_ends_with_unavailable_before_a_sign_of_life_is_due() -> (
    None
):
    world = World()
    async with aclosing(a_watch(world)) as watch:
        await anext(watch)
        world.store.away = True
        began = world.clock.monotonic()

        with pytest.raises(Unavailable) as raised:
            await anext(watch)

    assert type(raised.value) is Unavailable
    assert "cursor" in raised.value.remedy
    assert world.clock.monotonic() - began < timedelta(seconds=30)


async def test_given_a_watch_that_ended_when_something_changes_then_nobody_listens() -> None:
    world = World()
    async with aclosing(a_watch(world)) as watch:
        await anext(watch)

    assert world.signals.listeners == 0
