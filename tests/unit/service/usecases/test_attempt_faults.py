"""The attempt step when leases run out, the store is away, the process stops, or nobody foresaw it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from domain.delivery import Delivery, DeliveryState
from domain.message import InDoubtPolicy
from domain.reasons import Reason
from service.usecases.attempt import LEASE
from tests.builders import a_delivery
from tests.unit.service.world import World, until

TICK = timedelta(milliseconds=1)
PATIENCE_SECONDS = 5
"""For what takes milliseconds; only a broken test waits so long."""


async def a_world() -> World:
    world = World()
    await world.given()
    return world


async def for_ever() -> None:
    await asyncio.Event().wait()


def lease_end(world: World, delivery: Delivery) -> datetime:
    lease = world.store.deliveries[delivery.tenant, delivery.delivery_id].lease
    assert lease is not None
    return lease.until


def is_recording() -> bool:
    return any(task.get_name().startswith("record ") for task in asyncio.all_tasks())


async def test_given_a_lease_that_ran_out_before_content_when_it_would_leave_then_nothing_is_sent_or_recorded() -> None:
    """P5: a worker that wakes after its lease."""
    world = await a_world()
    await world.accepted()
    claim = await world.claim()
    before = world.snapshot()

    async def sleep_too_long() -> None:
        world.clock.advance(LEASE)

    world.transport.while_connecting = sleep_too_long

    after = await world.attempt(claim)

    assert after is None
    assert len(world.transport.submitted) == 1
    assert world.transport.accepted == []
    assert world.snapshot() == before


async def test_given_a_lease_that_ran_out_after_content_when_the_answer_comes_then_it_overwrites_nothing() -> None:
    """F45: a late finisher cannot overwrite a newer state."""
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()

    async def be_reaped() -> None:
        world.clock.advance(LEASE)
        await world.reap()

    world.transport.while_sending = be_reaped

    after = await world.attempt(claim)

    assert after is None
    assert len(world.transport.accepted) == 1
    assert world.store.delivery(delivery.delivery_id).state is DeliveryState.IN_DOUBT


async def test_given_a_slow_server_when_the_lease_is_renewed_then_the_worker_keeps_it() -> None:
    """F45: a slow but alive worker keeps its lease."""
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()

    async def take_ten_minutes() -> None:
        for _ in range(12):
            world.clock.advance(LEASE * 0.9)
            await until(lambda: lease_end(world, delivery) == world.clock.now() + LEASE)

    world.transport.while_sending = take_ten_minutes

    async with asyncio.timeout(PATIENCE_SECONDS):
        after = await world.an_attempt_step(renew_every=TICK)(claim)

    assert after is not None
    assert after.state is DeliveryState.SENT


async def test_given_a_store_away_for_a_moment_when_the_lease_is_renewed_then_the_work_goes_on() -> None:
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()

    async def wait_for_the_renewal_after_the_next() -> None:
        world.store.fail_next("deliveries.renew")
        world.clock.advance(LEASE * 0.5)
        await until(lambda: lease_end(world, delivery) == world.clock.now() + LEASE)

    world.transport.while_connecting = wait_for_the_renewal_after_the_next

    async with asyncio.timeout(PATIENCE_SECONDS):
        after = await world.an_attempt_step(renew_every=TICK)(claim)

    assert after is not None
    assert after.state is DeliveryState.SENT


async def test_given_a_lease_that_is_lost_when_the_server_still_thinks_then_the_work_is_cancelled() -> None:
    world = await a_world()
    await world.accepted()
    claim = await world.claim()
    world.transport.while_connecting = for_ever
    world.clock.advance(LEASE)
    before = world.snapshot()

    async with asyncio.timeout(PATIENCE_SECONDS):
        after = await world.an_attempt_step(renew_every=TICK)(claim)

    task = asyncio.current_task()
    assert after is None
    assert world.transport.accepted == []
    assert world.snapshot() == before
    assert task is not None
    assert task.cancelling() == 0, "the cancelling was the heartbeat's own and is over"


async def test_given_a_store_away_when_the_answer_is_recorded_then_it_is_stored_later_and_once() -> None:
    """F46: the answer is kept until the store takes it."""
    world = await a_world()
    delivery = await world.accepted()

    async def go_away() -> None:
        for _ in range(5):
            world.store.fail_next("deliveries.record")

    world.transport.while_sending = go_away

    after = await world.attempted()

    assert after.state is DeliveryState.SENT
    assert len(world.transport.accepted) == 1
    assert len(world.store.attempts(delivery.delivery_id)) == 1


async def test_given_a_commit_whose_answer_is_lost_when_the_answer_is_recorded_then_it_stays_as_it_is() -> None:
    world = await a_world()
    delivery = await world.accepted()

    async def lose_the_answer() -> None:
        world.store.fail_next("commit", afterwards=True)

    world.transport.while_sending = lose_the_answer

    await world.attempted()

    assert world.store.delivery(delivery.delivery_id).state is DeliveryState.SENT
    assert len(world.transport.accepted) == 1


async def test_given_a_store_away_when_the_attempt_begins_then_it_waits_and_goes_on() -> None:
    world = await a_world()
    await world.accepted()
    claim = await world.claim()
    world.store.fail_next("enter")
    world.store.fail_next("configurations.find")
    world.store.fail_next("deliveries.content")

    after = await world.attempt(claim)

    assert after is not None
    assert after.state is DeliveryState.SENT
    assert len(world.transport.submitted) == 1


@pytest.mark.parametrize("afterwards", [False, True], ids=["not stored", "stored, answer lost"])
async def test_given_a_store_away_at_the_point_of_no_return_when_recorded_then_nothing_was_sent_and_nothing_is_in_doubt(
    afterwards: bool,
) -> None:
    """P28, P4: no content leaves, so even a policy of HOLD has nothing to hold."""
    world = await a_world()
    delivery = await world.accepted(a_delivery(in_doubt_policy=InDoubtPolicy.HOLD))

    async def go_away() -> None:
        world.store.fail_next("commit", afterwards=afterwards)

    world.transport.while_connecting = go_away

    after = await world.attempted()

    assert world.transport.accepted == []
    assert after.state is DeliveryState.RETRYING
    assert after.doubt_count == 0
    assert after.failure is not None
    assert after.failure.reason is Reason.DATABASE_UNAVAILABLE
    assert world.store.attempts(delivery.delivery_id)[0].failure == after.failure


class Bug(Exception):
    """What nobody foresaw."""


async def fail() -> None:
    raise Bug


async def test_given_a_fault_of_ours_before_content_when_attempted_then_is_raised_and_the_delivery_waits_longer() -> (
    None
):
    """F04: a poisoned delivery must neither stop others nor be tried at every tick."""
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()
    world.transport.while_connecting = fail

    with pytest.raises(Bug):
        await world.attempt(claim)

    after = world.store.delivery(delivery.delivery_id)
    assert after.state is DeliveryState.RETRYING
    assert after.next_attempt_time is not None
    assert after.next_attempt_time > world.clock.now()
    assert after.failure is not None
    assert after.failure.reason is Reason.INTERNAL


async def test_given_a_fault_of_ours_after_content_when_attempted_then_is_raised_and_the_delivery_is_in_doubt() -> None:
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()
    world.transport.while_sending = fail

    with pytest.raises(Bug):
        await world.attempt(claim)

    after = world.store.delivery(delivery.delivery_id)
    assert after.state is DeliveryState.IN_DOUBT
    assert after.doubt_count == 1
    assert world.store.attempts(delivery.delivery_id)[0].in_doubt


async def test_given_a_server_that_thinks_when_cancelled_then_ends_at_once_and_gives_the_delivery_back() -> None:
    """P25, P26: another worker need not wait for the lease."""
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()
    connecting = asyncio.Event()

    async def connect() -> None:
        connecting.set()
        await for_ever()

    world.transport.while_connecting = connect
    task = asyncio.create_task(world.attempt(claim))
    await connecting.wait()
    task.cancel()

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await task

    given_back = world.store.delivery(delivery.delivery_id)
    (attempt,) = world.store.attempts(delivery.delivery_id)
    assert given_back.state is DeliveryState.QUEUED
    assert given_back.next_attempt_time == world.clock.now()
    assert attempt.end_time is not None
    assert not attempt.in_doubt


async def test_given_an_answer_that_is_being_stored_when_cancelled_then_it_is_stored_all_the_same() -> None:
    """P4: an answer in hand is not thrown away, or the delivery would be in doubt."""
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()
    task = asyncio.create_task(world.attempt(claim))

    async def stop_while_the_answer_is_stored() -> None:
        world.store.fail_next("deliveries.record")
        world.store.fail_next("deliveries.record")
        loop = asyncio.get_running_loop()

        def when_recording() -> None:
            if is_recording():
                task.cancel()
            else:
                loop.call_soon(when_recording)

        loop.call_soon(when_recording)

    world.transport.while_sending = stop_while_the_answer_is_stored

    with pytest.raises(asyncio.CancelledError):
        await task

    assert world.store.delivery(delivery.delivery_id).state is DeliveryState.SENT


async def test_given_an_answer_and_a_store_that_stays_away_when_cancelled_then_ends_after_a_last_moment() -> None:
    """P26: stopping never hangs."""
    world = await a_world()
    delivery = await world.accepted()
    claim = await world.claim()
    away = asyncio.Event()

    async def go_away() -> None:
        world.store.away = True
        away.set()

    world.transport.while_sending = go_away
    task = asyncio.create_task(world.attempt(claim))
    await away.wait()
    await until(is_recording)
    task.cancel()

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await task

    assert world.store.delivery(delivery.delivery_id).state is DeliveryState.SENDING
    assert not is_recording()
