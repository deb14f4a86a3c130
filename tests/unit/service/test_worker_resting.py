"""What becomes of mail for a mailbox that may not be asked now: it waits, and nothing of it is an attempt."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from domain.delivery import Delivery, DeliveryState
from domain.message import Envelope
from domain.ports.transport import BeforeContent, Earlier, Patience, Report, TokenSource
from domain.settings.model import MailSettings
from domain.turns import Resting
from tests.builders import CONFIGURATION_ID, TENANT, a_configuration, a_delivery
from tests.fakes.transport import FakeTransport
from tests.unit.service.working import a_worker, at_work
from tests.unit.service.world import World, until

HOUR = timedelta(hours=1)
NAME = (TENANT, CONFIGURATION_ID)


class RestingMailbox(FakeTransport):
    """Takes as many messages as it is told; then nothing may be requested, or what it takes comes with a rest."""

    def __init__(self, *, rests_after: int = 0, rest_beside: timedelta | None = None, too_late: bool = False) -> None:
        super().__init__()
        self.rests_after = rests_after
        self.rest_beside = rest_beside
        self.too_late = too_late
        self.world: World | None = None
        self.asked = 0

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
        assert self.world is not None
        self.asked += 1
        if len(self.accepted) >= self.rests_after:
            if self.too_late:
                await before_content()
            raise Resting(HOUR, is_told=True)
        report = await super().submit(settings, envelope, content, before_content=before_content, patience=patience)
        return report if self.rest_beside is None else replace(report, rest_until=self._now + self.rest_beside)

    @property
    def _now(self) -> datetime:
        assert self.world is not None
        return self.world.clock.now()


async def a_world(mailbox: RestingMailbox) -> World:
    world = World(transport=mailbox)
    mailbox.world = world
    await world.given(a_configuration())
    return world


def waits(world: World) -> timedelta | None:
    """Returns for how long nothing of the account is claimed, by anybody."""
    _, wait_until = world.store.allowances.get(NAME, (None, None))
    return wait_until - world.clock.now() if wait_until is not None else None


def stored(world: World, mail: Delivery) -> Delivery:
    return world.store.delivery(mail.delivery_id)


def is_free(world: World, mail: Delivery) -> bool:
    return world.store.deliveries[mail.tenant, mail.delivery_id].lease is None


async def test_given_a_mailbox_that_may_not_be_asked_when_mail_is_claimed_then_it_is_queued_as_before_and_waits() -> (
    None
):
    mailbox = RestingMailbox()
    world = await a_world(mailbox)
    mails = [await world.accepted(a_delivery(now=world.clock.now())) for _ in range(3)]

    async with at_work(a_worker(world)):
        await until(lambda: waits(world) == HOUR and all(is_free(world, mail) for mail in mails))
        asked = mailbox.asked
        await asyncio.sleep(0.02)
        assert mailbox.asked == asked, "nothing is tried until the rest is over"
        world.clock.advance(HOUR)
        mailbox.rests_after = 3
        async with asyncio.timeout(10):
            while len(mailbox.accepted) < 3:  # noqa: ASYNC110 - a fake raises no event
                await asyncio.sleep(0.01)
        await until(lambda: all(stored(world, mail).state is DeliveryState.SENT for mail in mails))

    assert [stored(world, mail).attempt_count for mail in mails] == [1, 1, 1]
    allowance, _ = world.store.allowances[NAME]
    assert (allowance.factor, allowance.failure) == (1.0, None), "nobody was throttled"


async def test_given_a_rest_beside_what_was_taken_when_recorded_then_the_next_mail_is_not_asked_for_before() -> None:
    mailbox = RestingMailbox(rests_after=2, rest_beside=HOUR)
    world = await a_world(mailbox)
    first = await world.accepted(a_delivery(now=world.clock.now()))

    async with at_work(a_worker(world)):
        await until(lambda: stored(world, first).state is DeliveryState.SENT and waits(world) == HOUR)
        second = await world.accepted(a_delivery(now=world.clock.now()))
        await asyncio.sleep(0.02)

    assert mailbox.asked == 1
    assert stored(world, second).state is DeliveryState.QUEUED
    assert stored(world, first).attempt_count == 1


async def test_given_a_rest_that_is_met_past_the_point_of_no_return_when_recorded_then_it_is_a_doubt() -> None:
    """No transport does that; if one did, the mail would not go out twice for it."""
    world = await a_world(RestingMailbox(too_late=True))
    mail = await world.accepted(a_delivery(now=world.clock.now()))

    async with at_work(a_worker(world)):
        await until(lambda: stored(world, mail).state is DeliveryState.IN_DOUBT)

    assert stored(world, mail).doubt_count == 1
