"""The worker: what is due goes out, and no trouble but its own holds it up."""

from __future__ import annotations

import asyncio
import logging

import pytest

from domain.data_center import Reach
from domain.delivery import DeliveryState
from service.allowances import LANES_PER_ACCOUNT
from service.logs import ATTEMPT_FAILED, CLAIM_FAILED, DELIVERY_SETTLED, REAP_FAILED, WORKER_WAITS_FOR_DATABASE
from service.usecases.attempt import LEASE
from tests.builders import a_delivery
from tests.fakes.storage import FakeUnitOfWork
from tests.unit.service.working import SignalsAlone, a_worker, a_world, at_work, state
from tests.unit.service.world import World, until


async def test_given_an_idle_worker_when_a_message_is_accepted_then_it_is_woken_and_sends() -> None:
    signals = SignalsAlone()
    world = World(signals=signals)
    await world.given()

    async with at_work(a_worker(world)):
        await signals.is_waited_for.wait()
        sent = await world.sent()
        await until(lambda: state(world, sent.view.delivery) is DeliveryState.SENT)

    assert len(world.transport.accepted) == 1


async def test_given_a_database_away_when_it_is_back_then_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """F46, P28."""
    world = a_world()
    await world.given()
    delivery = await world.accepted()
    world.store.away = True

    async with at_work(a_worker(world)):
        await until(lambda: caplog.messages.count(WORKER_WAITS_FOR_DATABASE) >= 3)
        world.store.away = False
        await until(lambda: state(world, delivery) is DeliveryState.SENT)

    assert len(world.transport.accepted) == 1


@pytest.mark.parametrize(
    ("operation", "event"), [("deliveries.claim", CLAIM_FAILED), ("deliveries.abandoned", REAP_FAILED)]
)
async def test_given_a_fault_of_ours_when_claiming_or_reaping_then_is_logged_and_work_goes_on(
    operation: str, event: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F04: one row that cannot be read must not end the worker."""
    world = a_world()
    await world.given()
    abandoned = await world.accepted()
    await world.claim()
    world.clock.advance(LEASE)
    fresh = await world.accepted()
    world.store.fail_next(operation, RuntimeError("a row that cannot be read"))

    async with at_work(a_worker(world)):
        await until(lambda: state(world, fresh) is DeliveryState.SENT)
        await until(lambda: state(world, abandoned) is DeliveryState.SENT)

    assert caplog.messages.count(event) == 1


async def test_given_a_poisoned_delivery_when_attempted_then_the_next_one_is_sent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F04."""
    world = a_world()
    await world.given()
    poisoned = await world.accepted()
    fresh = await world.accepted()
    failures = iter([RuntimeError("cannot be encoded")])

    async def fail_once() -> None:
        for error in failures:
            raise error

    world.transport.while_connecting = fail_once

    async with at_work(a_worker(world)):
        await until(lambda: state(world, fresh) is DeliveryState.SENT)
        await until(lambda: state(world, poisoned) is DeliveryState.RETRYING)

    (line,) = [record for record in caplog.records if record.message == ATTEMPT_FAILED]
    assert vars(line)["delivery_id"] == poisoned.delivery_id


async def test_given_a_delivery_that_settles_when_logged_then_names_it_and_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = a_world()
    await world.given()
    delivery = await world.accepted()

    with caplog.at_level(logging.INFO):
        async with at_work(a_worker(world)):
            await until(lambda: DELIVERY_SETTLED in caplog.messages)

    (line,) = [record for record in caplog.records if record.message == DELIVERY_SETTLED]
    fields = vars(line)
    assert (fields["delivery_id"], fields["state"], fields["attempt"]) == (delivery.delivery_id, "SENT", 1)
    assert [(each.delivery_id, each.state) for each in world.events.attempted] == [
        (delivery.delivery_id, DeliveryState.SENT)
    ]
    assert "@" not in caplog.text


async def test_given_a_data_center_when_at_work_then_other_sites_mail_is_left_to_them() -> None:
    world = a_world()
    await world.given()
    theirs = await world.accepted(a_delivery(data_center="us-1"))
    ours = await world.accepted(a_delivery(data_center="eu-1"))
    anyones = await world.accepted(a_delivery())

    async with at_work(a_worker(world, reach=Reach("eu-1"))):
        await until(lambda: state(world, ours) is DeliveryState.SENT)
        await until(lambda: state(world, anyones) is DeliveryState.SENT)

    assert state(world, theirs) is DeliveryState.QUEUED


async def test_given_nothing_to_do_when_at_work_then_the_store_is_asked_once_for_each_news() -> None:
    """A worker that asks again without news would be a busy loop."""
    world = a_world()
    await world.given()
    claims = 0

    class Counted(FakeUnitOfWork):
        async def begin(self, operation: str) -> None:
            nonlocal claims
            claims += operation == "deliveries.claim"
            await super().begin(operation)

    async with at_work(a_worker(world, uow=lambda: Counted(world.store))):
        await until(lambda: claims == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        idle = claims
        for number in range(LANES_PER_ACCOUNT * 4):
            await world.accepted()
            await until(lambda: len(world.transport.accepted) == number + 1)  # noqa: B023 - awaited at once
        for _ in range(100):
            await asyncio.sleep(0)

    assert idle == 1
    assert claims <= 1 + 2 * LANES_PER_ACCOUNT * 4
