"""A worker that stops: nothing is lost, nothing is begun, and what was not begun is given back (P26)."""

from __future__ import annotations

import asyncio

from domain.delivery import DeliveryState
from domain.ports.acceptance import NewDelivery
from service.usecases.attempt import LEASE
from tests.builders import CONTENT, a_delivery
from tests.fakes.storage import FakeUnitOfWork
from tests.unit.service.working import LONG, TICK, OneStuckServer, a_worker, a_world, given_server, state
from tests.unit.service.world import until


async def test_given_a_running_attempt_when_drained_then_is_waited_for_and_nothing_new_is_claimed() -> None:
    """P26."""
    world = a_world()
    await world.given()
    first = await world.accepted()
    connecting, go = asyncio.Event(), asyncio.Event()

    async def connect() -> None:
        connecting.set()
        await go.wait()

    world.transport.while_connecting = connect
    worker = a_worker(world)
    task = asyncio.create_task(worker.run())
    await connecting.wait()

    drain = asyncio.create_task(worker.drain(LONG))
    await until(task.done)
    late = await world.accepted()
    was_waiting = not drain.done()
    go.set()
    await drain

    assert was_waiting
    assert state(world, first) is DeliveryState.SENT
    assert state(world, late) is DeliveryState.QUEUED


async def test_given_an_attempt_that_does_not_end_when_drained_then_is_cancelled_and_can_be_taken_again() -> None:
    """P26: before its point of no return that costs nothing."""
    transport = OneStuckServer()
    world = a_world(transport)
    await given_server(world, "stuck.example.com", name="alerts")
    delivery = await world.accepted()
    worker = a_worker(world)
    task = asyncio.create_task(worker.run())
    await until(lambda: transport.connected.total() == 1)

    async with asyncio.timeout(LONG.total_seconds()):
        await worker.drain(TICK)
        await task

    world.clock.advance(LEASE)
    await world.reap()
    assert transport.connected.total() == 0
    assert state(world, delivery) is DeliveryState.QUEUED


async def test_given_a_claim_under_way_when_drained_then_what_it_took_is_given_back() -> None:
    """P26: a delivery that is claimed while the process stops must not be left to a lease that runs out."""
    world = a_world()
    await world.given()
    delivery = await world.accepted()
    claiming, go = asyncio.Event(), asyncio.Event()

    class SlowUnit(FakeUnitOfWork):
        async def commit(self) -> None:
            claiming.set()
            await go.wait()
            await super().commit()

    worker = a_worker(world, uow=lambda: SlowUnit(world.store))
    task = asyncio.create_task(worker.run())
    await claiming.wait()

    drain = asyncio.create_task(worker.drain(LONG))
    await asyncio.sleep(0)
    go.set()
    await drain
    await task

    assert state(world, delivery) is DeliveryState.QUEUED
    assert (await world.claim()).delivery.delivery_id == delivery.delivery_id


async def test_given_a_message_being_accepted_when_drained_then_it_is_given_back_uncounted() -> None:
    """P26."""
    world = a_world()
    world.known.learn(await world.given())
    worker = a_worker(world)
    task = asyncio.create_task(worker.run())
    await asyncio.sleep(0)
    delivery = a_delivery()
    new = NewDelivery(delivery, CONTENT, take=worker.reserve(delivery))

    drain = asyncio.create_task(worker.drain(LONG))
    await until(task.done)
    async with world.uow() as work:
        (accepted,) = await work.deliveries.accept_all([new])
        await work.commit()
    assert accepted is not None
    assert accepted.claim is not None
    worker.take_on(accepted.claim)
    await drain

    assert (state(world, delivery), world.store.attempts(delivery.delivery_id)) == (DeliveryState.QUEUED, ())
