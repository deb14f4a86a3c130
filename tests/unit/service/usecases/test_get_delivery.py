"""GetDelivery: a delivery with its attempts, its tenant's alone."""

from __future__ import annotations

import pytest

from domain.errors import NotFound
from tests.builders import OTHER_TENANT, a_delivery
from tests.unit.service.world import CALLER, World


async def test_given_a_sent_delivery_when_read_then_its_attempt_and_trace_are_there() -> None:
    world = World()
    await world.given()
    delivery = await world.accepted()
    await world.attempted()

    view = await world.get_delivery(CALLER, delivery.delivery_id)

    assert view.delivery.state == "SENT"
    assert [attempt.number for attempt in view.attempts] == [1]
    assert view.attempts[0].trace is not None
    assert view.attempts[0].end_time is not None


async def test_given_a_foreign_delivery_when_read_then_the_answer_is_that_of_a_missing_one() -> None:
    """P19: byte for byte."""
    world, empty = World(), World()
    delivery = await world.accepted(a_delivery(tenant=OTHER_TENANT))

    with pytest.raises(NotFound) as foreign:
        await world.get_delivery(CALLER, delivery.delivery_id)
    with pytest.raises(NotFound) as missing:
        await empty.get_delivery(CALLER, delivery.delivery_id)

    assert vars(foreign.value) == vars(missing.value)
    assert str(foreign.value) == str(missing.value)
