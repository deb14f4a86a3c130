"""RetryDelivery: the caller's decision to try once more, also what has ended or is in doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.delivery import Delivery, DeliveryState, RecipientState
from domain.errors import InputInvalid, NotFound, NotReady, Violation
from domain.reasons import Reason
from tests.builders import OTHER_TENANT, a_caller, a_delivery, a_recipient, an_idempotency_record
from tests.unit.service.world import CALLER, World

DAY = timedelta(days=1)


def a_failed_delivery() -> Delivery:
    rejected = replace(a_recipient(), state=RecipientState.REJECTED)
    return a_delivery(state=DeliveryState.FAILED, recipients=(rejected,), next_attempt_time=None)


async def test_given_a_failed_delivery_when_retried_then_it_goes_out() -> None:
    world = World()
    await world.given()
    failed = await world.accepted(a_failed_delivery())

    view = await world.retry_delivery(CALLER, failed.delivery_id, expire_after=None)
    due = world.signals.due_count
    after = await world.attempted()

    assert view.delivery.state is DeliveryState.QUEUED
    assert view.delivery.expire_time == world.clock.now() + DAY
    assert due == 1  # queued again; what was stored had failed, and was not due
    assert after.state is DeliveryState.SENT


async def test_given_a_delivery_with_a_key_when_retried_for_longer_then_the_key_lives_as_long() -> None:
    """Rule 10: else a repeated Send would make a second delivery beside it."""
    world = World()
    await world.given()
    record = an_idempotency_record()
    failed = await world.accepted(a_failed_delivery(), key=record)

    await world.retry_delivery(CALLER, failed.delivery_id, expire_after=timedelta(days=7))

    (stored,) = world.store.keys.values()
    assert stored.record.expire_time == world.clock.now() + timedelta(days=7)


async def test_given_shredded_content_when_retried_then_is_refused_and_nothing_changes() -> None:
    world = World()
    failed = await world.accepted(a_failed_delivery())
    world.store.shred(failed.delivery_id)
    before = world.snapshot()

    with pytest.raises(NotReady) as raised:
        await world.retry_delivery(CALLER, failed.delivery_id, expire_after=None)

    assert raised.value.reason is Reason.DELIVERY_FINAL
    assert world.snapshot() == before


async def test_given_several_faults_when_retried_then_each_is_named() -> None:
    world = World()
    found = [Violation("delivery_id", Reason.FIELD_REQUIRED, "The id is missing.", "Name it.")]

    with pytest.raises(InputInvalid) as raised:
        await world.retry_delivery(CALLER, "", expire_after=timedelta(0), found=found)

    assert [each.field for each in raised.value.violations] == ["delivery_id", "expire_after"]


async def test_given_a_foreign_delivery_when_retried_then_looks_missing_and_stays() -> None:
    world = World()
    failed = await world.accepted(a_failed_delivery())

    with pytest.raises(NotFound):
        await world.retry_delivery(a_caller(tenant=OTHER_TENANT), failed.delivery_id, expire_after=None)

    assert world.store.delivery(failed.delivery_id) == failed
