"""The worker: nobody's trouble is another's, and stopping loses nothing."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from domain.delivery import Delivery, DeliveryState
from domain.host import Host
from domain.message import Envelope
from domain.ports.transport import BeforeContent, Patience, Report, TokenSource
from domain.settings.model import MailSettings, SmtpTransport
from service.allowances import LANES_PER_ACCOUNT, Allowances
from service.logs import (
    ATTEMPT_FAILED,
    CLAIM_FAILED,
    DELIVERY_SETTLED,
    REAP_FAILED,
    WORKER_WAITS_FOR_DATABASE,
)
from service.usecases.attempt import LEASE
from service.worker import LANES, LANES_FREE, LANES_PER_TENANT, Worker
from tests.builders import CONTENT, OTHER_TENANT, TENANT, a_configuration, a_delivery, an_smtp_transport, some_settings
from tests.fakes.signals import FakeSignals
from tests.fakes.storage import FakeUnitOfWork
from tests.fakes.transport import FakeTransport
from tests.unit.service.world import World, until

TICK = timedelta(milliseconds=1)
LONG = timedelta(seconds=5)


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
    data_centers: tuple[str, ...] = (),
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
        data_centers=data_centers,
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

    async with at_work(a_worker(world, data_centers=("eu-1",))):
        await until(lambda: state(world, ours) is DeliveryState.SENT)
        await until(lambda: state(world, anyones) is DeliveryState.SENT)

    assert state(world, theirs) is DeliveryState.QUEUED
