"""A worker of the process under test, and what it works on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from domain.data_center import Reach
from domain.delivery import Delivery, DeliveryState
from domain.host import Host
from domain.message import Envelope
from domain.ports.acceptance import Accepted, NewDelivery
from domain.ports.transport import BeforeContent, Earlier, Patience, Report, TokenSource
from domain.settings.model import MailSettings, SmtpTransport
from service.allowances import Allowances
from service.commit_together import CommitTogether
from service.in_flow import PLENTY, InFlow
from service.straight_on import StraightOn
from service.usecases.send import Send
from service.worker import Worker
from tests.builders import CONFIGURATION_ID, TENANT, a_configuration, a_message, an_smtp_transport, some_settings
from tests.fakes.signals import FakeSignals
from tests.fakes.storage import FakeUnitOfWork
from tests.fakes.transport import FakeTransport
from tests.unit.service.world import CALLER, MINUTE, World

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
        earlier: Earlier = Earlier.NOTHING,
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


def sending_straight_on(world: World, worker: Worker, *, plenty: int = PLENTY) -> Send:
    """Returns a Send whose messages go to *worker* from memory, *plenty* of an account at once."""
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
        entering=InFlow(lanes=worker, plenty=plenty).entering,
    )


async def sent(send: Send, name: str = CONFIGURATION_ID) -> Delivery:
    done = await send(CALLER, name, a_message(), key="", wait=False, time_left=MINUTE)
    return done.view.delivery
