"""DeleteConfiguration: secrets are gone, what was accepted keeps its record and ends."""

from __future__ import annotations

import pytest

from domain.delivery import DeliveryState
from domain.errors import ConcurrentChange, NotFound
from domain.reasons import Reason
from tests.builders import CONFIGURATION_ID, OTHER_TENANT, a_configuration, a_delivery
from tests.unit.service.world import CALLER, World


async def test_given_a_configuration_when_deleted_then_nothing_of_it_is_stored() -> None:
    world = World()
    await world.given()

    await world.delete_configuration(CALLER, CONFIGURATION_ID)

    assert world.store.configurations == {}


@pytest.mark.parametrize("state", [DeliveryState.HELD, DeliveryState.RETRYING])
async def test_given_waiting_deliveries_when_deleted_then_they_fail_with_that_reason(state: DeliveryState) -> None:
    world = World()
    await world.given()
    waiting = await world.accepted(a_delivery(state=state, next_attempt_time=None))

    await world.delete_configuration(CALLER, CONFIGURATION_ID)
    after = await world.attempted()

    assert after.delivery_id == waiting.delivery_id
    assert after.state is DeliveryState.FAILED
    assert after.failure is not None
    assert after.failure.reason is Reason.NOT_CONFIGURED
    assert world.transport.submitted == []


async def test_given_a_stale_etag_when_deleted_then_stays() -> None:
    world = World()
    await world.given()
    before = world.snapshot()

    with pytest.raises(ConcurrentChange):
        await world.delete_configuration(CALLER, CONFIGURATION_ID, etag='"1"')

    assert world.snapshot() == before


async def test_given_a_foreign_configuration_when_deleted_then_stays_and_looks_missing() -> None:
    """P19: byte for byte."""
    world, empty = World(), World()
    await world.given(a_configuration(tenant=OTHER_TENANT))
    before = world.snapshot()

    with pytest.raises(NotFound) as foreign:
        await world.delete_configuration(CALLER, CONFIGURATION_ID, etag='"2"')
    with pytest.raises(NotFound) as missing:
        await empty.delete_configuration(CALLER, CONFIGURATION_ID, etag='"2"')

    assert vars(foreign.value) == vars(missing.value)
    assert world.snapshot() == before
