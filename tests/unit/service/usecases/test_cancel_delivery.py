"""CancelDelivery: what is stopped never goes out, and what may have gone out is never called stopped."""

from __future__ import annotations

import pytest

from domain.delivery import DeliveryState
from domain.errors import NotFound, NotReady
from domain.reasons import Reason
from tests.builders import OTHER_TENANT, a_caller
from tests.unit.service.world import CALLER, World


async def test_given_a_queued_delivery_when_cancelled_then_it_is_stored_told_and_never_claimed() -> None:
    world = World()
    delivery = await world.accepted()

    view = await world.cancel_delivery(CALLER, delivery.delivery_id)

    assert view.delivery.state is DeliveryState.CANCELLED
    assert world.store.delivery(delivery.delivery_id) == view.delivery
    assert world.events.settled == [view.delivery]
    assert world.signals.changes == [delivery.delivery_id]
    async with world.uow() as work:
        assert await work.deliveries.claim(worker="w", lease=delivery.expire_time - delivery.create_time, limit=9) == ()


async def test_given_a_cancelled_delivery_when_cancelled_again_then_it_is_the_same_and_told_once() -> None:
    world = World()
    delivery = await world.accepted()
    first = await world.cancel_delivery(CALLER, delivery.delivery_id)

    again = await world.cancel_delivery(CALLER, delivery.delivery_id)

    assert again == first
    assert len(world.events.settled) == 1


async def test_given_p7_an_attempt_under_way_when_cancelled_then_is_refused_and_nothing_changes() -> None:
    world = World()
    delivery = await world.accepted()
    await world.claim()
    before = world.snapshot()

    with pytest.raises(NotReady) as raised:
        await world.cancel_delivery(CALLER, delivery.delivery_id)

    assert raised.value.reason is Reason.DELIVERY_UNDER_WAY
    assert world.snapshot() == before


async def test_given_a_foreign_delivery_when_cancelled_then_looks_missing_and_stays() -> None:
    world = World()
    delivery = await world.accepted()

    with pytest.raises(NotFound):
        await world.cancel_delivery(a_caller(tenant=OTHER_TENANT), delivery.delivery_id)

    assert world.store.delivery(delivery.delivery_id) == delivery
