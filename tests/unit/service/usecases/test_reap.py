"""The reaper: what dead workers leave behind is neither lost nor doubled beyond what is written down."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.delivery import BROKEN_OFF, DeliveryState
from domain.errors import Unavailable
from domain.failures.failure import FailureKind
from domain.message import InDoubtPolicy
from domain.ports.delivery_queue import Claim
from domain.reasons import Reason
from domain.retry import DOUBT_PAUSE
from service.usecases.attempt import LEASE
from tests.builders import CONTENT, a_delivery, a_failure
from tests.fakes.transport import Answer
from tests.storing import pass_no_return
from tests.unit.service.world import World


async def a_world() -> World:
    world = World()
    await world.given()
    return world


async def mark_no_return(world: World, claim: Claim) -> None:
    async with world.uow() as work:
        await pass_no_return(work, claim)
        await work.commit()


async def test_given_a_worker_killed_before_content_when_its_lease_is_over_then_the_mail_goes_out_once() -> None:
    """F45 (a)."""
    world = await a_world()
    delivery = await world.accepted()
    await world.claim()
    world.clock.advance(LEASE)

    moved = await world.reap()
    queued = world.store.delivery(delivery.delivery_id)
    after = await world.attempted()

    assert moved == 1
    assert world.store.attempts(delivery.delivery_id)[0].end_time is not None
    assert world.store.attempts(delivery.delivery_id)[0].failure is None
    assert queued.state is DeliveryState.QUEUED
    assert queued.doubt_count == 0
    assert after.state is DeliveryState.SENT
    assert len(world.transport.accepted) == 1


async def test_given_a_worker_killed_after_content_when_its_lease_is_over_then_sends_the_same_again_after_a_pause() -> (
    None
):
    """F45 (b) and (c): nobody can tell them apart, so the doubt is written down and the octets are the same."""
    world = await a_world()
    delivery = await world.accepted()
    await mark_no_return(world, await world.claim())
    world.clock.advance(LEASE)

    await world.reap()
    doubtful = world.store.delivery(delivery.delivery_id)
    world.clock.set(doubtful.next_attempt_time or world.clock.now())
    reaped = world.clock.now() - (doubtful.update_time)
    after = await world.attempted()

    assert doubtful.state is DeliveryState.IN_DOUBT
    assert doubtful.doubt_count == 1
    assert doubtful.failure == doubtful.recipients[0].failure == BROKEN_OFF
    assert world.store.attempts(delivery.delivery_id)[0].failure == BROKEN_OFF
    assert reaped >= DOUBT_PAUSE
    assert after.state is DeliveryState.SENT
    assert [mail.content for mail in world.transport.accepted] == [CONTENT]


async def test_given_a_policy_of_hold_when_a_worker_was_killed_after_content_then_nothing_is_sent_again() -> None:
    """F45 (c), P3: at most one copy."""
    world = await a_world()
    delivery = await world.accepted(a_delivery(in_doubt_policy=InDoubtPolicy.HOLD))
    await mark_no_return(world, await world.claim())
    world.clock.advance(LEASE)

    await world.reap()
    world.clock.advance(timedelta(hours=12))
    await world.reap()

    after = world.store.delivery(delivery.delivery_id)
    assert after.is_settled
    assert after.state is DeliveryState.IN_DOUBT
    async with world.uow() as work:
        assert await work.deliveries.claim(worker="w", lease=LEASE, limit=10) == ()


async def test_given_a_live_lease_when_reaped_then_is_left_alone() -> None:
    world = await a_world()
    await world.accepted()
    await world.claim()
    world.clock.advance(LEASE - timedelta(seconds=1))
    before = world.snapshot()

    moved = await world.reap()

    assert moved == 0
    assert world.snapshot() == before


async def test_given_a_lifetime_that_is_over_when_reaped_then_is_expired_with_the_last_answer() -> None:
    """F21."""
    world = await a_world()
    await world.accepted()
    failure = a_failure(FailureKind.TRANSIENT, reason=Reason.GREYLISTED, code="450 4.2.0")
    world.transport.answers.append(Answer(failure=failure))
    waiting = await world.attempted()
    world.clock.set(waiting.expire_time)

    moved = await world.reap()

    after = world.store.delivery(waiting.delivery_id)
    assert moved == 1
    assert after.state is DeliveryState.EXPIRED
    assert after.failure == failure


async def test_given_a_killed_worker_and_a_lifetime_over_when_reaped_until_nothing_moves_then_is_expired() -> None:
    world = await a_world()
    delivery = await world.accepted()
    await world.claim()
    world.clock.set(delivery.expire_time)

    while await world.reap():
        pass

    assert world.store.delivery(delivery.delivery_id).state is DeliveryState.EXPIRED
    assert [each.state for each in world.events.settled] == [DeliveryState.EXPIRED]


async def test_given_a_doubt_whose_lifetime_is_over_when_reaped_then_is_kept_for_a_person_and_not_moved_again() -> None:
    world = await a_world()
    delivery = await world.accepted()
    await mark_no_return(world, await world.claim())
    world.clock.set(delivery.expire_time)

    while await world.reap():
        pass

    after = world.store.delivery(delivery.delivery_id)
    assert after.state is DeliveryState.IN_DOUBT
    assert after.is_settled


async def test_given_more_than_a_batch_when_reaped_until_nothing_moves_then_all_are_back() -> None:
    world = await a_world()
    deliveries = [await world.accepted() for _ in range(60)]
    for _ in deliveries:
        await world.claim()
    world.clock.advance(LEASE)
    moved = []

    while count := await world.reap():
        moved.append(count)

    assert sum(moved) == 60
    assert {world.store.delivery(each.delivery_id).state for each in deliveries} == {DeliveryState.QUEUED}


async def test_given_a_predecessor_that_died_when_started_again_then_its_work_is_back_at_once() -> None:
    """Killed between Send's OK and delivery: the mail arrives once, without waiting for a lease."""
    world = await a_world()
    before, after_content = await world.accepted(), await world.accepted()
    await world.claim()
    await mark_no_return(world, await world.claim())

    await world.reap.after_restart()

    assert world.store.delivery(before.delivery_id).state is DeliveryState.QUEUED
    assert world.store.delivery(after_content.delivery_id).state is DeliveryState.IN_DOUBT


async def test_given_a_commit_that_fails_when_reaped_then_nothing_is_half_moved() -> None:
    world = await a_world()
    await world.accepted()
    await world.claim()
    world.clock.advance(LEASE)
    before = world.snapshot()
    world.store.fail_next("commit")

    with pytest.raises(Unavailable):
        await world.reap()

    assert world.snapshot() == before
