"""ListDeliveries: newest first, page by page, a tenant's own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import InputInvalid
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from tests.builders import NOW, OTHER_TENANT, a_delivery
from tests.unit.service.world import CALLER, World


async def test_given_three_deliveries_when_paged_by_two_then_each_comes_once_newest_first() -> None:
    world = World()
    stored = [await world.accepted(a_delivery(create_time=NOW + timedelta(seconds=n))) for n in range(3)]

    first = await world.list_deliveries(CALLER, DeliveryFilter(), size=2, after=None)
    last = first.items[-1].delivery
    position = DeliveryPosition(last.create_time, last.delivery_id)
    second = await world.list_deliveries(CALLER, DeliveryFilter(), size=2, after=position)

    ids = [view.delivery.delivery_id for view in (*first.items, *second.items)]
    assert ids == [delivery.delivery_id for delivery in reversed(stored)]
    assert (first.has_more, second.has_more) == (True, False)


async def test_given_a_filter_when_listed_then_the_others_and_foreign_ones_are_left_out() -> None:
    world = World()
    wanted = await world.accepted(a_delivery(configuration_id="billing"))
    await world.accepted(a_delivery())
    await world.accepted(a_delivery(tenant=OTHER_TENANT, configuration_id="billing"))

    page = await world.list_deliveries(CALLER, DeliveryFilter(configuration_id="billing"), size=0, after=None)

    assert [view.delivery.delivery_id for view in page.items] == [wanted.delivery_id]


async def test_given_a_negative_size_when_listed_then_is_refused() -> None:
    world = World()

    with pytest.raises(InputInvalid):
        await world.list_deliveries(CALLER, DeliveryFilter(), size=-5, after=None)
