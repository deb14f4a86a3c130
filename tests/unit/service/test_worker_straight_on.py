"""Mail that goes from its acceptance straight to a lane of this process, and what has to wait instead."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from domain.data_center import Reach
from domain.delivery import DeliveryState
from domain.errors import Unavailable
from domain.failures.failure import FailureKind, Stage
from domain.limits import AccountLimits
from domain.ports.acceptance import Accepted, NewDelivery
from service.allowances import LANES_PER_ACCOUNT
from service.commit_together import CommitTogether
from service.straight_on import StraightOn
from tests.builders import CONTENT, a_configuration, a_delivery, some_settings
from tests.fakes.storage import FakeUnitOfWork
from tests.fakes.transport import Answer, a_failure
from tests.unit.service.working import (
    OneStuckServer,
    a_worker,
    a_world,
    at_work,
    given_server,
    sending_straight_on,
    sent,
    state,
)
from tests.unit.service.world import until


async def test_given_a_worker_when_sent_then_the_message_goes_out_without_a_claim_or_a_signal() -> None:
    world = a_world()
    await world.given()
    worker = a_worker(world)
    send = sending_straight_on(world, worker)

    async with at_work(worker):
        await asyncio.sleep(0)
        world.store.fail_next("deliveries.content")  # the message is in memory
        accepted = await sent(send)
        await until(lambda: state(world, accepted) is DeliveryState.SENT)

    assert accepted.state is DeliveryState.SENDING
    assert world.signals.due_count == 0
    assert [each.number for each in world.store.attempts(accepted.delivery_id)] == [1]
    assert [(change.previous_state, change.delivery.state) for change in world.store.changes] == [
        (None, DeliveryState.SENDING),
        (DeliveryState.SENDING, DeliveryState.SENT),
    ]


async def test_given_a_caller_that_leaves_after_the_commit_when_sent_then_the_message_goes_out() -> None:
    world = a_world()
    await world.given()
    committing, go = asyncio.Event(), asyncio.Event()

    class SlowUnit(FakeUnitOfWork):
        async def commit(self) -> None:
            committing.set()
            await go.wait()
            await super().commit()

    worker = a_worker(world)
    straight_on = StraightOn(places=worker)
    commit: CommitTogether[NewDelivery, Accepted | None] = CommitTogether(
        uow=lambda: SlowUnit(world.store),
        apply=straight_on.apply,
        stored=straight_on.stored,
        failed=straight_on.failed,
    )

    async with at_work(worker):
        await asyncio.sleep(0)
        caller = asyncio.ensure_future(commit(NewDelivery(a_delivery(), CONTENT)))
        await committing.wait()
        caller.cancel()
        await asyncio.wait([caller])
        go.set()
        await until(lambda: len(world.transport.accepted) == 1)
        await until(lambda: all(stored.lease is None for stored in world.store.deliveries.values()))

    assert caller.cancelled()


async def test_given_a_stuck_server_when_sent_then_no_more_than_its_share_is_held_and_the_rest_waits() -> None:
    """P8."""
    transport = OneStuckServer()
    world = a_world(transport)
    await given_server(world, "stuck.example.com", name="stuck")
    await given_server(world, "fine.example.com", name="fine")
    worker = a_worker(world)
    send = sending_straight_on(world, worker)

    async with at_work(worker):
        stuck = [await sent(send, "stuck") for _ in range(20)]
        fine = [await sent(send, "fine") for _ in range(20)]
        await until(lambda: all(state(world, each) is DeliveryState.SENT for each in fine))
        waiting = Counter(state(world, each) for each in stuck)

    assert waiting == {DeliveryState.SENDING: LANES_PER_ACCOUNT, DeliveryState.QUEUED: 20 - LANES_PER_ACCOUNT}
    assert transport.most["stuck.example.com"] == LANES_PER_ACCOUNT


async def test_given_a_quick_server_that_gets_stuck_when_more_is_held_than_it_has_lanes_then_it_is_given_back() -> None:
    """P8: and what was given back counts no attempt and waits for nothing."""
    world = a_world()
    await world.given()
    worker = a_worker(world)
    send = sending_straight_on(world, worker)
    stuck, go = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        stuck.set()
        await go.wait()

    async with at_work(worker):
        first = await sent(send)
        await until(lambda: state(world, first) is DeliveryState.SENT)
        world.transport.while_connecting = hang
        held = [await sent(send) for _ in range(LANES_PER_ACCOUNT * 4)]
        await stuck.wait()
        ahead = [each for each in held if state(world, each) is DeliveryState.SENDING]
        world.transport.usual = Answer(failure=a_failure(FailureKind.TRANSIENT, stage=Stage.CONNECT))
        world.transport.while_connecting = None
        go.set()
        await until(lambda: all(state(world, each) is not DeliveryState.SENDING for each in held))
        attempts = Counter(world.store.delivery(each.delivery_id).attempt_count for each in held)

    assert len(ahead) > LANES_PER_ACCOUNT
    assert set(attempts) <= {0, 1}
    for each in held:
        kept = world.store.attempts(each.delivery_id)
        assert len(kept) == world.store.delivery(each.delivery_id).attempt_count


async def test_given_something_stored_when_sent_then_it_goes_behind_it_until_the_store_has_no_more() -> None:
    """What waits longest must not wait for ever because newer mail finds places."""
    world = a_world()
    await world.given()
    worker = a_worker(world)
    send = sending_straight_on(world, worker)
    go, next_one = asyncio.Event(), a_delivery()

    async def hang() -> None:
        await go.wait()

    world.transport.while_connecting = hang

    async with at_work(worker):
        await asyncio.sleep(0)
        held = [await sent(send) for _ in range(LANES_PER_ACCOUNT)]
        stored = await sent(send)
        late = await sent(send)
        was = [each.state for each in (*held, stored, late)]
        go.set()
        await until(lambda: len(world.transport.accepted) == LANES_PER_ACCOUNT + 2)
        await until(lambda: worker.reserve(next_one) is not None)
        worker.release(next_one)

    assert was == [DeliveryState.SENDING] * LANES_PER_ACCOUNT + [DeliveryState.QUEUED] * 2


async def test_given_an_account_with_limits_or_one_that_is_not_known_when_sent_then_it_waits_to_be_claimed() -> None:
    """What goes straight to a lane is not counted."""
    world = a_world()
    world.known.learn(await world.given())
    limited = some_settings(limits=AccountLimits(messages_per_minute=30))
    world.known.learn(await world.given(a_configuration(configuration_id="limited", settings=limited)))
    worker = a_worker(world)

    async with at_work(worker):
        await asyncio.sleep(0)
        free = worker.reserve(mine := a_delivery())
        worker.release(mine)
        others = [worker.reserve(a_delivery(configuration_id=name)) for name in ("limited", "unknown")]

    assert free is not None
    assert others == [None, None]


async def test_given_a_worker_that_does_not_run_or_another_site_when_sent_then_it_waits_to_be_claimed() -> None:
    world = a_world()
    world.known.learn(await world.given())
    worker = a_worker(world, reach=Reach("eu-1"))

    before = worker.reserve(a_delivery())
    async with at_work(worker):
        await asyncio.sleep(0)
        theirs = worker.reserve(a_delivery(data_center="us-1"))
        ours = worker.reserve(mine := a_delivery(data_center="eu-1"))
        worker.release(mine)
    afterwards = worker.reserve(a_delivery())

    assert (before, theirs, afterwards) == (None, None, None)
    assert ours is not None


async def test_given_a_commit_that_fails_when_sent_then_its_place_is_free_again() -> None:
    world = a_world()
    await world.given()
    worker = a_worker(world)
    send = sending_straight_on(world, worker)

    async with at_work(worker):
        await sent(send)
        for _ in range(LANES_PER_ACCOUNT * 2):
            world.store.fail_next("deliveries.accept")
            with pytest.raises(Unavailable):
                await sent(send)
        accepted = await sent(send)

    assert accepted.state is DeliveryState.SENDING


async def test_given_an_account_that_was_refused_a_place_when_one_is_free_then_what_is_stored_goes_first() -> None:
    world = a_world()
    world.known.learn(await world.given())
    worker = a_worker(world)
    first, *others = (a_delivery() for _ in range(LANES_PER_ACCOUNT))

    async with at_work(worker):
        await asyncio.sleep(0)
        places = [worker.reserve(each) for each in (first, *others)]
        refused = worker.reserve(a_delivery())
        worker.release(first)
        while_something_is_stored = worker.reserve(a_delivery())
        for each in others:
            worker.release(each)

    assert None not in places
    assert (refused, while_something_is_stored) == (None, None)


async def test_given_much_more_mail_than_places_when_sent_then_few_claims_and_signals_bring_it() -> None:
    """A claim or a signal for each would cost more than the sending."""
    world = a_world()
    world.known.learn(await world.given())
    claims = 0

    class Counted(FakeUnitOfWork):
        async def begin(self, operation: str) -> None:
            nonlocal claims
            claims += operation == "deliveries.claim"
            await super().begin(operation)

    worker = a_worker(world, uow=lambda: Counted(world.store))
    send = sending_straight_on(world, worker)
    many = 20 * LANES_PER_ACCOUNT
    async with at_work(worker):
        await asyncio.sleep(0)
        await asyncio.gather(*(sent(send) for _ in range(many)))
        await until(lambda: len(world.transport.accepted) == many)

    assert claims < many / 4
    assert world.signals.due_count < many / 4
