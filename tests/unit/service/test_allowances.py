"""Workers keep to what accounts may send, all together, and what waits for it costs nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from domain.account import Account
from domain.delivery import Delivery, DeliveryState
from domain.failures.failure import FailureKind, Stage
from domain.host import Host
from domain.limits import AccountLimits
from domain.message import Envelope
from domain.ports.delivery_queue import Claim
from domain.ports.transport import BeforeContent, Earlier, Patience, Report, TokenSource
from domain.settings.model import MailSettings
from service.allowances import MOST_LANES_PER_ACCOUNT, SHARE_LEASE, Allowances
from service.usecases.attempt import LEASE
from tests.builders import (
    CONFIGURATION_ID,
    TENANT,
    a_configuration,
    a_delivery,
    a_failure,
    a_recipient,
    an_smtp_transport,
    some_settings,
)
from tests.fakes.transport import Answer, FakeTransport
from tests.unit.service.working import OneStuckServer, a_worker, at_work
from tests.unit.service.working import a_world as a_world_that_stands_still
from tests.unit.service.world import World, until

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ACCOUNT = Account(TENANT, CONFIGURATION_ID)
EXCHANGE = "smtp.office365.com"
THROTTLED = a_failure(FailureKind.THROTTLED, stage=Stage.DATA, code="432 4.3.2")
UNREACHABLE = a_failure(FailureKind.TRANSIENT, stage=Stage.CONNECT, code="")


class StrictServer(FakeTransport):
    """Takes so many messages in any minute of the world's clock, and refuses what is more as Exchange Online does."""

    def __init__(self, *, a_minute: int) -> None:
        super().__init__()
        self.a_minute = a_minute
        self.world: World | None = None
        self.taken: list[datetime] = []
        self.refusals = 0

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
        now = self.world.clock.now()
        if sum(1 for each in self.taken if each > now - MINUTE) >= self.a_minute:
            self.refusals += 1
            self.answers.append(Answer(failure=THROTTLED))
        else:
            self.taken.append(now)
        return await super().submit(settings, envelope, content, before_content=before_content, patience=patience)


async def given(world: World, host: str = "smtp.example.com", **limits: int) -> None:
    settings = some_settings(transport=an_smtp_transport(host=Host(host)), limits=AccountLimits(**limits))
    await world.given(a_configuration(settings=settings))


async def waiting(world: World, number: int, **changes: Any) -> list[Delivery]:
    return [await world.accepted(a_delivery(now=world.clock.now(), **changes)) for _ in range(number)]


def states(world: World, deliveries: list[Delivery]) -> Counter[DeliveryState]:
    return Counter(world.store.delivery(each.delivery_id).state for each in deliveries)


async def all_are_sent(world: World, mails: list[Delivery], *, hurry: timedelta = timedelta(0)) -> None:
    """Minutes pass on the world's clock, each second of which takes a hundredth."""
    async with asyncio.timeout(120):
        while states(world, mails)[DeliveryState.SENT] < len(mails):
            await asyncio.sleep(0.01)
            world.clock.advance(hurry)


def allowances(world: World, worker: str = "worker-1") -> Allowances:
    return Allowances(uow=world.uow, known=world.known, clock=world.clock, worker=worker)


async def claim(
    world: World, book: Allowances, *, limit: int = 10, held: int = 0, ahead: bool = False
) -> tuple[Claim, ...]:
    """Claims as a worker does."""
    async with world.uow() as work:
        admission = await book.admission(work, held=lambda _: held, ahead=ahead)
        claims = await work.deliveries.claim(worker="w", lease=LEASE, limit=limit, admit=admission)
        await work.commit()
    admission.committed()
    return claims


async def test_given_the_presets_limits_when_a_hundred_mails_wait_then_all_go_and_the_server_refuses_none() -> None:
    server = StrictServer(a_minute=30)
    world = World(transport=server)
    server.world = world
    await given(world, EXCHANGE)
    mails = await waiting(world, 100, expire_time=world.clock.now() + HOUR)
    begin = world.clock.now()

    async with at_work(a_worker(world)), at_work(a_worker(world, name="worker-2")):
        await all_are_sent(world, mails)

    assert server.refusals == 0
    assert all(world.store.delivery(each.delivery_id).attempt_count == 1 for each in mails)
    assert world.clock.now() - begin < 6 * MINUTE


async def test_given_no_limits_when_the_server_throttles_then_it_is_sent_to_more_slowly_and_all_arrive() -> None:
    server = StrictServer(a_minute=30)
    world = World(transport=server)
    server.world = world
    await given(world)
    mails = await waiting(world, 100, expire_time=world.clock.now() + 24 * HOUR)

    async with at_work(a_worker(world)):
        await all_are_sent(world, mails, hurry=4 * SECOND)

    assert 0 < server.refusals < 30  # of which five were under way with the first, and each further one halves
    assert ACCOUNT.configuration_id in {name for _, name in world.store.allowances}


async def test_given_more_than_the_allowance_when_claimed_then_the_rest_is_no_attempt_and_waits_for_its_time() -> None:
    world = World()
    await given(world, messages_per_minute=30)
    mails = await waiting(world, 5)
    book = allowances(world)

    first, second = await claim(world, book), await claim(world, book)
    world.clock.advance(3 * SECOND)
    third = await claim(world, book)

    assert (len(first), len(second), len(third)) == (3, 0, 1)
    assert states(world, mails) == {DeliveryState.SENDING: 4, DeliveryState.QUEUED: 1}
    last = world.store.delivery(mails[-1].delivery_id)
    assert (last.attempt_count, world.store.attempts(last.delivery_id)) == (0, ())


async def test_given_an_account_that_has_to_wait_when_its_time_comes_then_who_waits_for_that_is_told() -> None:
    world = World()
    await given(world, messages_per_minute=600)
    await waiting(world, 100)
    book = allowances(world)

    await claim(world, book, limit=100)

    async with asyncio.timeout(5):
        await book.someone_may_go()


async def test_given_nobody_who_has_to_wait_when_waited_for_then_it_does_not_end() -> None:
    waits = asyncio.create_task(allowances(World()).someone_may_go())
    await asyncio.sleep(0.01)

    assert not waits.done()
    waits.cancel()


async def test_given_recipients_a_day_when_a_mail_has_more_than_are_left_then_it_waits_for_the_next_day() -> None:
    world = World()
    await given(world, recipients_per_day=3)
    pair = (a_recipient("a@example.com"), a_recipient("b@example.com"))
    await waiting(world, 2, recipients=pair, expire_time=world.clock.now() + 48 * HOUR)
    book = allowances(world)

    today = await claim(world, book)
    world.clock.advance(23 * HOUR)
    still = await claim(world, book)
    world.clock.advance(2 * HOUR)
    tomorrow = await claim(world, book)

    assert (len(today), len(still), len(tomorrow)) == (1, 0, 1)


async def test_given_three_connections_when_two_workers_have_stuck_mails_then_together_they_open_three() -> None:
    server = OneStuckServer()
    world = a_world_that_stands_still(server)
    await given(world, "stuck.example.com", connections=3)
    mails = await waiting(world, 20)

    async with at_work(a_worker(world)), at_work(a_worker(world, name="worker-2")):
        await until(lambda: server.connected.total() == 3)
        for _ in range(300):
            await asyncio.sleep(0)
        counted = states(world, mails)

    assert server.most.total() == 3
    assert counted == {DeliveryState.SENDING: 3, DeliveryState.QUEUED: 17}


async def test_given_one_who_has_all_connections_when_they_are_not_used_any_more_then_the_other_gets_them() -> None:
    world = World()
    await given(world, connections=3)
    await waiting(world, 9)
    one, other = allowances(world, "one"), allowances(world, "other")

    taken = await claim(world, one)
    refused = await claim(world, other)
    was_passed_over = other.passed_over()
    world.clock.advance(10 * SECOND)
    await one.keep(lambda _: 3)
    world.clock.advance(20 * SECOND)
    await one.keep(lambda _: 0)
    after = await claim(world, other)

    assert (len(taken), len(refused), len(after)) == (3, 0, 3)
    assert was_passed_over == {ACCOUNT}
    assert other.passed_over() == frozenset()
    assert (one.lanes(ACCOUNT), other.lanes(ACCOUNT)) == (5, 3)


async def test_given_shares_in_use_when_kept_then_they_outlive_their_lease_and_without_that_they_do_not() -> None:
    world = World()
    await given(world, connections=3)
    await waiting(world, 9, expire_time=world.clock.now() + HOUR)
    one, other = allowances(world, "one"), allowances(world, "other")
    await claim(world, one)

    for _ in range(4):
        world.clock.advance(SHARE_LEASE / 2)
        await one.keep(lambda _: 3)
    refused = await claim(world, other)
    world.clock.advance(SHARE_LEASE)
    after_its_death = await claim(world, other)

    assert (len(refused), len(after_its_death)) == (0, 3)


async def test_given_a_worker_that_ends_when_others_ask_then_its_connections_are_free() -> None:
    world = World()
    await given(world, connections=3)
    await waiting(world, 9)
    one, other = allowances(world, "one"), allowances(world, "other")
    await claim(world, one)

    await one.end()

    assert len(await claim(world, other)) == 3


async def test_given_lanes_that_are_taken_when_claimed_then_only_as_many_come_as_are_free_but_ahead_more() -> None:
    world = World()
    await given(world, connections=2)
    await waiting(world, 9)
    book = allowances(world)

    at_first = await claim(world, book)
    full = await claim(world, book, held=2)
    ahead = await claim(world, book, held=2, ahead=True)

    assert (len(at_first), len(full), len(ahead)) == (2, 0, 7)


async def test_given_limits_that_are_lifted_when_claimed_then_connections_are_not_counted_any_more() -> None:
    world = World()
    await given(world, connections=2)
    await waiting(world, 9)
    book = allowances(world)
    await claim(world, book)

    async with world.uow() as work:
        stored = await work.configurations.find(TENANT, CONFIGURATION_ID)
        assert stored is not None
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=stored.version)
        await work.configurations.add(a_configuration(version=stored.version + 1))
        await work.commit()
    claims = await claim(world, book)

    assert len(claims) == 7
    assert book.lanes(ACCOUNT) == 5


async def test_given_a_throttling_answer_when_learnt_then_every_worker_waits_and_goes_on_more_slowly() -> None:
    world = World()
    await given(world)
    await waiting(world, 9)
    one, other = allowances(world, "one"), allowances(world, "other")
    (first, *_) = await claim(world, one, limit=1)

    await one.attempted(first, a_delivery(failure=THROTTLED))
    resting = len(await claim(world, one)), len(await claim(world, other))
    world.clock.advance(11 * SECOND)
    slowly = await claim(world, other)

    assert resting == (0, 0)
    assert len(slowly) == 2  # half of the connections that it is taken to have
    assert not one.may_go_straight(ACCOUNT)


async def test_given_a_server_that_was_not_reached_when_learnt_then_the_days_count_forgets_it() -> None:
    world = World()
    await given(world, messages_per_day=1)
    await waiting(world, 2)
    book = allowances(world)
    (first, *_) = await claim(world, book)

    await book.attempted(first, a_delivery(failure=UNREACHABLE))

    assert len(await claim(world, book)) == 1


async def test_given_no_limits_when_claimed_then_the_allowances_are_not_touched() -> None:
    world = World()
    await given(world)
    await waiting(world, 50)
    world.store.fail_next("allowances.lock", AssertionError("asked for"))
    book = allowances(world)
    async with world.uow() as work:
        await book.admission(work, held=lambda _: 0)
    world.store.fail_next("allowances.lowered", AssertionError("asked for again within the second"))

    assert len(await claim(world, book, limit=50)) == 50
    assert book.may_go_straight(ACCOUNT)
    assert world.store.allowances == {}


async def test_given_a_store_that_is_away_when_learning_then_nothing_is_raised() -> None:
    world = World()
    await given(world)
    await waiting(world, 1)
    book = allowances(world)
    (first,) = await claim(world, book)
    world.store.away = True

    await book.attempted(first, a_delivery(failure=THROTTLED))
    await book.end()


async def test_given_more_connections_than_usual_when_set_then_a_process_opens_up_to_half_of_its_lanes() -> None:
    world = World()
    await given(world, connections=40)
    await waiting(world, 60)
    book = allowances(world)

    await claim(world, book, limit=50, ahead=True)

    assert book.lanes(ACCOUNT) == MOST_LANES_PER_ACCOUNT
    assert book.may_go_straight(ACCOUNT)


async def test_given_connections_that_others_have_when_claimed_then_nothing_goes_without_asking() -> None:
    """Straight on is for a process that need not ask: it would never get what others give back."""
    world = World()
    await given(world, connections=10)
    await waiting(world, 60)
    one, other = allowances(world, "one"), allowances(world, "other")
    await claim(world, one, limit=4)

    await claim(world, other, limit=50, ahead=True)

    assert (one.lanes(ACCOUNT), other.lanes(ACCOUNT)) == (4, 6)
    assert not one.may_go_straight(ACCOUNT)
    assert not other.may_go_straight(ACCOUNT)


async def test_given_another_limit_beside_connections_when_all_are_here_then_mail_is_asked_for() -> None:
    world = World()
    await given(world, connections=2, messages_per_minute=600)
    await waiting(world, 10)
    book = allowances(world)

    await claim(world, book, limit=2)

    assert book.lanes(ACCOUNT) == 2
    assert not book.may_go_straight(ACCOUNT)
