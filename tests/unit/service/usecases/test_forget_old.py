"""Forgetting: each kind of record for as long as the options say, in rounds that go on where they were stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pytest

from domain.caller import Caller
from domain.delivery import Delivery, DeliveryState
from domain.errors import NotReady, Unavailable
from domain.reasons import Reason
from domain.retention import Retention
from service.usecases.forget_old import ForgetOld
from service.usecases.retry_delivery import RetryDelivery
from tests.builders import TENANT, a_delivery
from tests.unit.service.world import World

DAY: Final = timedelta(days=1)
RETENTION: Final = Retention(content=2 * DAY, delivery=10 * DAY)


def forget_old(world: World, retention: Retention = RETENTION) -> ForgetOld:
    return ForgetOld(uow=world.uow, clock=world.clock, retention=retention)


def an_ended(at: datetime, state: DeliveryState = DeliveryState.SENT) -> Delivery:
    return a_delivery(now=at, state=state, final_time=at, next_attempt_time=None)


def kept(world: World, *deliveries: Delivery) -> list[str]:
    """Says of each delivery what is there: all of it, its record alone, or nothing."""
    rows = [world.store.deliveries.get((each.tenant, each.delivery_id)) for each in deliveries]
    return ["nothing" if row is None else "record" if row.content is None else "all" for row in rows]


async def test_given_deliveries_of_all_ages_when_a_round_is_over_then_each_has_lost_what_is_due() -> None:
    world = World()
    now = world.clock.now()
    ages = [timedelta(0), DAY, 3 * DAY, 9 * DAY, 11 * DAY]
    deliveries = [await world.accepted(an_ended(now - age)) for age in ages]

    await forget_old(world)()

    assert kept(world, *deliveries) == ["all", "all", "record", "record", "nothing"]


async def test_given_more_than_a_batch_when_a_round_is_over_then_nothing_old_is_left() -> None:
    world = World()
    old = [await world.accepted(an_ended(world.clock.now() - 11 * DAY)) for _ in range(401)]

    await forget_old(world)()

    assert set(kept(world, *old)) == {"nothing"}


async def test_given_no_time_for_content_when_mail_has_ended_then_its_content_goes_with_the_next_round() -> None:
    world = World()
    delivery = await world.accepted(an_ended(world.clock.now()))
    world.clock.advance(timedelta(microseconds=1))

    await forget_old(world, Retention(content=timedelta(0)))()

    assert kept(world, delivery) == ["record"]


async def test_given_changes_of_all_ages_when_a_round_is_over_then_those_of_the_last_seven_days_stay() -> None:
    world = World()
    now = world.clock.now()
    for age in (timedelta(days=9), timedelta(days=7, seconds=1), timedelta(days=6), timedelta(0)):
        await world.accepted(a_delivery(update_time=now - age))

    await forget_old(world)()

    assert [now - each.delivery.update_time for each in world.store.changes] == [timedelta(days=6), timedelta(0)]


async def test_given_a_store_that_goes_away_when_it_is_back_then_the_next_round_does_the_rest() -> None:
    world = World()
    old = [await world.accepted(an_ended(world.clock.now() - 11 * DAY)) for _ in range(3)]
    world.store.fail_next("leftovers.forget_deliveries")

    with pytest.raises(Unavailable):
        await forget_old(world)()
    between = kept(world, *old)
    await forget_old(world)()

    assert between == ["record"] * 3
    assert kept(world, *old) == ["nothing"] * 3


async def test_given_a_refused_mail_whose_content_is_shredded_when_retried_then_is_told_that_it_is_gone() -> None:
    world = World()
    at = world.clock.now() - 3 * DAY
    failed = await world.accepted(an_ended(at, DeliveryState.FAILED))
    await forget_old(world)()

    with pytest.raises(NotReady) as refused:
        await RetryDelivery(uow=world.uow, clock=world.clock)(
            Caller(tenant=TENANT, roles=frozenset()), failed.delivery_id, expire_after=None
        )

    assert refused.value.reason is Reason.DELIVERY_FINAL
