"""The worker: nobody's trouble is another's, and stopping loses nothing."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from domain.data_center import Reach
from domain.delivery import Delivery, DeliveryState
from domain.errors import Unavailable
from domain.failures.failure import FailureKind, Stage
from domain.host import Host
from domain.limits import AccountLimits
from domain.message import Envelope
from domain.ports.storage import Accepted, NewDelivery
from domain.ports.transport import BeforeContent, Patience, Report, TokenSource
from domain.settings.model import MailSettings, SmtpTransport
from service.allowances import LANES_PER_ACCOUNT, Allowances
from service.commit_together import CommitTogether
from service.logs import (
    ATTEMPT_FAILED,
    CLAIM_FAILED,
    DELIVERY_SETTLED,
    REAP_FAILED,
    WORKER_WAITS_FOR_DATABASE,
)
from service.straight_on import StraightOn
from service.usecases.attempt import LEASE
from service.usecases.send import Send
from service.worker import LANES, LANES_FREE, LANES_PER_TENANT, Worker
from tests.builders import (
    CONFIGURATION_ID,
    CONTENT,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    a_delivery,
    a_message,
    an_smtp_transport,
    some_settings,
)
from tests.fakes.signals import FakeSignals
from tests.fakes.storage import FakeUnitOfWork
from tests.fakes.transport import Answer, FakeTransport, a_failure
from tests.unit.service.world import CALLER, MINUTE, World, until

TICK = timedelta(milliseconds=1)
LONG = timedelta(seconds=5)
ANYWHERE = Reach()


class SignalsAlone(FakeSignals):
    """Work that nobody tells about is never found: a test sees whether the worker was woken or looked by chance."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_for = asyncio.Event()

    async def work_due(self, within: timedelta) -> None:
        self.is_waited_for.set()
        await super().work_due(LONG * 10)


class OneStuckServer(FakeTransport):
    """Says nothing to whoever connects to stuck.example.com (F25); counts who is connected."""

    def __init__(self) -> None:
        super().__init__()
        self.connected: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    async def submit(
        self,
        settings: MailSettings,
        envelope: Envelope,
        content: bytes,
        *,
        before_content: BeforeContent,
        patience: Patience,
        tokens: TokenSource | None = None,
        lane: str = "",
    ) -> Report:
        assert isinstance(settings.transport, SmtpTransport)
        host = settings.transport.host.name
        self.connected[host] += 1
        self.most |= self.connected
        try:
            if host.startswith("stuck"):
                await asyncio.Event().wait()
            return await super().submit(settings, envelope, content, before_content=before_content, patience=patience)
        finally:
            self.connected[host] -= 1


def a_world(transport: FakeTransport | None = None) -> World:
    return World(signals=SignalsAlone(), transport=transport)


def a_worker(
    world: World,
    *,
    uow: Callable[[], FakeUnitOfWork] | None = None,
    reach: Reach = ANYWHERE,
    name: str = "worker-1",
) -> Worker:
    return Worker(
        uow=uow or world.uow,
        attempt=world.attempt,
        reap=world.reap,
        signals=world.signals,
        events=world.events,
        allowances=Allowances(uow=uow or world.uow, known=world.known, clock=world.clock, worker=name),
        name=name,
        reach=lambda: reach,
        pause_when_away=TICK,
        reap_every=TICK,
    )


@asynccontextmanager
async def at_work(worker: Worker) -> AsyncIterator[None]:
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        await worker.drain(TICK)
        await task


def state(world: World, delivery: Delivery) -> DeliveryState:
    return world.store.delivery(delivery.delivery_id).state


async def given_server(world: World, host: str, *, name: str, tenant: str = TENANT) -> None:
    settings = some_settings(transport=an_smtp_transport(host=Host(host)))
    await world.given(a_configuration(configuration_id=name, settings=settings, tenant=tenant))


async def test_given_an_idle_worker_when_a_message_is_accepted_then_it_is_woken_and_sends() -> None:
    signals = SignalsAlone()
    world = World(signals=signals)
    await world.given()

    async with at_work(a_worker(world)):
        await signals.is_waited_for.wait()
        sent = await world.sent()
        await until(lambda: state(world, sent.view.delivery) is DeliveryState.SENT)

    assert len(world.transport.accepted) == 1


async def test_given_twenty_mails_for_a_silent_server_when_others_have_mail_too_then_theirs_goes_out() -> None:
    """F25, P8."""
    transport = OneStuckServer()
    world = a_world(transport)
    await given_server(world, "stuck.example.com", name="stuck")
    await given_server(world, "fine.example.com", name="fine")
    stuck = [await world.accepted(a_delivery(configuration_id="stuck")) for _ in range(20)]
    fine = [await world.accepted(a_delivery(configuration_id="fine")) for _ in range(20)]

    async with at_work(a_worker(world)):
        await until(lambda: all(state(world, each) is DeliveryState.SENT for each in fine))
        waiting = Counter(state(world, each) for each in stuck)

    assert waiting == {DeliveryState.SENDING: LANES_PER_ACCOUNT, DeliveryState.QUEUED: 20 - LANES_PER_ACCOUNT}


async def test_given_a_silent_server_with_most_of_its_lanes_when_more_comes_then_it_gets_no_more_than_its_share() -> (
    None
):
    """P8."""
    transport = OneStuckServer()
    world = a_world(transport)
    await given_server(world, "stuck.example.com", name="stuck")
    await given_server(world, "fine.example.com", name="fine")
    for _ in range(LANES_PER_ACCOUNT - 1):
        await world.accepted(a_delivery(configuration_id="stuck"))

    async with at_work(a_worker(world)):
        await until(lambda: transport.connected["stuck.example.com"] == LANES_PER_ACCOUNT - 1)
        async with world.uow() as work:
            for _ in range(20):
                await work.deliveries.accept(a_delivery(configuration_id="stuck"), CONTENT, None)
            await work.commit()
        fine = await world.accepted(a_delivery(configuration_id="fine"))
        await until(lambda: state(world, fine) is DeliveryState.SENT)

    assert transport.most["stuck.example.com"] == LANES_PER_ACCOUNT


async def test_given_more_stuck_accounts_than_lanes_when_at_work_then_some_lanes_stay_free_for_who_comes_next() -> None:
    """P8, P27: every pool is bounded, and a tenant alone has all of it but for what lets another one in."""
    transport = OneStuckServer()
    world = a_world(transport)
    for number in range(10):
        await given_server(world, f"stuck{number}.example.com", name=f"stuck{number}")
        for _ in range(LANES_PER_ACCOUNT):
            await world.accepted(a_delivery(configuration_id=f"stuck{number}"))

    async with at_work(a_worker(world)):
        await until(lambda: transport.connected.total() == LANES - LANES_FREE)
        for _ in range(200):
            await asyncio.sleep(0)
        used = transport.connected.total()
        await given_server(world, "fine.example.com", name="fine", tenant=OTHER_TENANT)
        fine = await world.accepted(a_delivery(configuration_id="fine", tenant=OTHER_TENANT))
        await until(lambda: state(world, fine) is DeliveryState.SENT)

    assert used == LANES - LANES_FREE


async def test_given_two_tenants_with_more_stuck_accounts_than_lanes_when_at_work_then_each_has_its_half() -> None:
    """P8."""
    transport = OneStuckServer()
    world = a_world(transport)
    for tenant in (TENANT, OTHER_TENANT):
        for number in range(10):
            await given_server(world, f"stuck.{tenant}.example.com", name=f"stuck{number}", tenant=tenant)
            for _ in range(LANES_PER_ACCOUNT):
                await world.accepted(a_delivery(configuration_id=f"stuck{number}", tenant=tenant))

    async with at_work(a_worker(world)):
        await until(lambda: transport.connected.total() == LANES)
        for _ in range(200):
            await asyncio.sleep(0)
        used = [transport.connected[f"stuck.{tenant}.example.com"] for tenant in (TENANT, OTHER_TENANT)]

    assert used == [LANES_PER_TENANT, LANES_PER_TENANT]


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


def sending_straight_on(world: World, worker: Worker) -> Send:
    """Returns a Send whose messages go to *worker* from memory."""
    straight_on = StraightOn(places=worker)
    commit: CommitTogether[NewDelivery, Accepted | None] = CommitTogether(
        uow=world.uow, apply=straight_on.apply, stored=straight_on.stored, failed=straight_on.failed
    )
    return Send(
        uow=world.uow,
        commit=commit,
        known=world.known,
        clock=world.clock,
        entropy=world.entropy,
        vault=world.vault,
        signals=world.signals,
    )


async def sent(send: Send, name: str = CONFIGURATION_ID) -> Delivery:
    done = await send(CALLER, name, a_message(), key="", wait=False, time_left=MINUTE)
    return done.view.delivery


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
