"""GetDelivery: a delivery with its attempts, its tenant's alone."""

from __future__ import annotations

import pytest

from domain.errors import NotFound
from service.usecases.get_delivery import GetDelivery
from tests.builders import OTHER_TENANT, a_delivery
from tests.fakes.storage import FakeUnitOfWork
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


async def test_given_an_attempt_recorded_while_it_is_read_when_answered_then_state_and_attempts_agree() -> None:
    world = World()
    await world.given()
    delivery = await world.accepted()
    claims = [await world.claim()]

    class RacedUnit(FakeUnitOfWork):
        async def begin(self, operation: str) -> None:
            if operation == "deliveries.attempts" and claims:
                await world.attempt(claims.pop())
            await super().begin(operation)

    view = await GetDelivery(uow=lambda: RacedUnit(world.store), clock=world.clock)(CALLER, delivery.delivery_id)

    assert view.delivery.state == "SENT"
    assert view.attempts[-1].end_time is not None


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
