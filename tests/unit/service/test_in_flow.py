"""InFlow: mail is let in as fast as its server takes it, nobody waits for another account, and nobody for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.account import Account
from domain.delivery import Delivery, DeliveryState
from service.in_flow import InFlow
from tests.builders import CONFIGURATION_ID, a_delivery, a_delivery_id
from tests.unit.service.working import a_worker, a_world, at_work, sending_straight_on, sent
from tests.unit.service.world import until

LONG = timedelta(minutes=10)
SHORT = timedelta(milliseconds=5)


class FakeLanes:
    """Holds what a test says; *ahead* None: a server that is slow, or not ours."""

    def __init__(self, ahead: int | None = 0) -> None:
        self.ahead: dict[str, int | None] = {}
        self.usual = ahead
        self._listener: Callable[[Account], None] = lambda account: None

    def ahead_of(self, delivery: Delivery) -> int | None:
        return self.ahead.get(delivery.configuration_id, self.usual)

    def hear_of_room(self, listener: Callable[[Account], None]) -> None:
        self._listener = listener

    def set(self, ahead: int | None, of: Delivery) -> None:
        self.ahead[of.configuration_id] = ahead
        self._listener(Account(of.tenant, of.configuration_id))


class Callers:
    """Who goes in, in which order, and stays until let out."""

    def __init__(self, flow: InFlow, within: timedelta = LONG) -> None:
        self.inside: list[str] = []
        self._flow = flow
        self._within = within
        self._out: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, delivery: Delivery) -> None:
        self._out[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._enter(name, delivery))
        await turns()

    async def leave(self, name: str) -> None:
        self._out[name].set()
        await self.tasks[name]
        await turns()

    async def _enter(self, name: str, delivery: Delivery) -> None:
        async with self._flow.entering(delivery, self._within):
            self.inside.append(name)
            await self._out[name].wait()
            self.inside.remove(name)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def mail(configuration_id: str = "alerts") -> Delivery:
    return a_delivery(delivery_id=a_delivery_id(), configuration_id=configuration_id)


async def test_given_room_when_entering_then_nobody_waits() -> None:
    callers = Callers(InFlow(lanes=FakeLanes(ahead=0), plenty=3))

    for name in "abc":
        await callers.come(name, mail())

    assert callers.inside == ["a", "b", "c"]


async def test_given_plenty_when_room_comes_then_those_go_in_who_waited_longest() -> None:
    """What is being accepted counts as well as what is here."""
    lanes = FakeLanes(ahead=2)
    callers = Callers(InFlow(lanes=lanes, plenty=3))
    for name in "abcd":
        await callers.come(name, mail())
    assert callers.inside == ["a"]

    lanes.set(1, mail())
    await turns()
    first = list(callers.inside)
    await callers.leave("a")

    assert first == ["a", "b"]
    assert callers.inside == ["b", "c"]


async def test_given_plenty_of_one_account_when_another_enters_then_it_does_not_wait() -> None:
    lanes = FakeLanes(ahead=0)
    lanes.set(99, mail("busy"))
    callers = Callers(InFlow(lanes=lanes, plenty=3))
    await callers.come("busy", mail("busy"))

    await callers.come("other", mail("other"))

    assert callers.inside == ["other"]


async def test_given_a_slow_server_when_entering_then_nobody_waits_since_it_would_not_help() -> None:
    callers = Callers(InFlow(lanes=FakeLanes(ahead=None), plenty=1))

    for name in "abc":
        await callers.come(name, mail())

    assert callers.inside == ["a", "b", "c"]


async def test_given_those_who_wait_when_the_server_turns_out_slow_then_all_go_in() -> None:
    lanes = FakeLanes(ahead=3)
    callers = Callers(InFlow(lanes=lanes, plenty=3))
    for name in "abc":
        await callers.come(name, mail())
    assert callers.inside == []

    lanes.set(None, mail())
    await turns()

    assert callers.inside == ["a", "b", "c"]


@pytest.mark.parametrize(("within", "delay"), [(SHORT, LONG), (LONG, SHORT)])
async def test_given_no_room_when_the_delay_or_the_callers_time_is_over_then_it_goes_in_all_the_same(
    within: timedelta, delay: timedelta
) -> None:
    lanes = FakeLanes(ahead=3)
    flow = InFlow(lanes=lanes, plenty=3, delay=delay)

    async with asyncio.timeout(5), flow.entering(mail(), within):
        lanes.set(2, mail())
        others = Callers(flow)
        await others.come("b", mail())
        while_inside = list(others.inside)
    await turns()

    assert while_inside == []  # who went in late is counted too
    assert others.inside == ["b"]


async def test_given_callers_who_leave_at_any_moment_when_room_comes_then_no_place_is_lost() -> None:
    lanes = FakeLanes(ahead=3)
    callers = Callers(InFlow(lanes=lanes, plenty=4))
    for name in "abcde":
        await callers.come(name, mail())
    assert callers.inside == ["a"]

    callers.tasks["b"].cancel()  # still waiting
    await turns()
    lanes.set(2, mail())
    callers.tasks["c"].cancel()  # let in, and not told yet
    await turns()
    assert callers.inside == ["a", "d"]
    callers.tasks["a"].cancel()  # inside
    await turns()

    assert callers.inside[-1] == "e"


async def test_given_callers_that_are_faster_than_the_server_when_they_send_then_all_goes_straight_on() -> None:
    """What was stored for later would have to be claimed: the store is asked for nothing."""
    world = a_world()
    await world.given()
    worker = a_worker(world)
    send = sending_straight_on(world, worker, plenty=4)

    async with at_work(worker):
        first = await sent(send)
        await until(lambda: world.store.delivery(first.delivery_id).state is DeliveryState.SENT)
        await until(lambda: worker.ahead_of(mail(CONFIGURATION_ID)) == 0)
        world.store.fail_next("deliveries.claim", AssertionError("asked for more"))
        done = await asyncio.gather(*(sent(send) for _ in range(40)))
        await until(lambda: all(world.store.delivery(each.delivery_id).state is DeliveryState.SENT for each in done))

    assert all(each.state is DeliveryState.SENDING for each in done)


async def test_given_a_worker_that_stops_when_sent_then_nobody_waits_for_it() -> None:
    world = a_world()
    await world.given()
    worker = a_worker(world)
    async with at_work(worker):
        accepted = await sent(sending_straight_on(world, worker))
        await until(lambda: worker.ahead_of(mail(CONFIGURATION_ID)) == 0)
        assert accepted.state is DeliveryState.SENDING

    assert worker.ahead_of(mail(CONFIGURATION_ID)) is None
