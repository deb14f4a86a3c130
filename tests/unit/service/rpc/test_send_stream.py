"""SendStream's bounds, its end, and its faults, over a Send that does what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from domain.caller import Caller, Role
from domain.errors import InputInvalid, Unavailable, Violation
from domain.reasons import Reason
from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc import send_stream
from service.rpc.call import Call, begin
from service.rpc.ending import Ending
from service.rpc.send_stream import MOST_IN_WORK, SendStream
from service.usecases.send import Sent
from tests.fakes.environment import FakeClock, FakeEntropy
from tests.unit.service.rpc.builders import a_delivery_view
from tests.unit.service.world import until

LONG = 5.0


class Gate:
    """A Send that waits until it is let go; what it raises is by configuration."""

    def __init__(self, *, is_open: bool = False) -> None:
        self.open = asyncio.Event()
        if is_open:
            self.open.set()
        self.at_once = 0
        self.most_at_once = 0
        self.begun: list[str] = []
        self.cancelled = 0
        self.errors: dict[str, Exception] = {}
        self.callers: set[str] = set()

    async def __call__(self, caller: Caller, configuration_id: str, *_: object, **__: object) -> Sent:
        self.callers.add(caller.tenant)
        self.begun.append(configuration_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.at_once -= 1
        if configuration_id in self.errors:
            raise self.errors[configuration_id]
        return Sent(a_delivery_view(), is_replay=False)


class Requests:
    """Gives requests one by one, counts those taken, then ends, waits for ever, or raises."""

    def __init__(self, *requests: pb.SendStreamRequest, then: Callable[[], Exception] | None = None) -> None:
        self.left = list(requests)
        self.taken = 0
        self.stays_open = False
        self.then = then

    def __aiter__(self) -> AsyncIterator[pb.SendStreamRequest]:
        return self

    async def __anext__(self) -> pb.SendStreamRequest:
        await asyncio.sleep(0)
        if not self.left:
            if self.then is not None:
                raise self.then()
            if self.stays_open:
                await asyncio.Event().wait()
            raise StopAsyncIteration
        self.taken += 1
        return self.left.pop(0)


def a_request(number: int = 1, *, size: int = 0, **fields: Any) -> pb.SendStreamRequest:
    message = delivery_pb2.Message(text_body="x" * size)
    values: dict[str, Any] = {"client_reference": f"r{number}", "configuration_id": f"c{number}", "message": message}
    return pb.SendStreamRequest(**{**values, **fields})


def streamed(gate: Gate, requests: Requests, ending: Ending | None = None) -> AsyncIterator[pb.SendStreamResponse]:
    clock = FakeClock()
    begin(Call(caller=Caller("acme", frozenset({Role.SEND}), ""), clock=clock, deadline=None))
    stream = SendStream(send=cast("Any", gate), entropy=FakeEntropy(clock=clock))
    return stream(requests, ending=ending or Ending())


async def all_of(stream: AsyncIterator[pb.SendStreamResponse]) -> list[pb.SendStreamResponse]:
    async with asyncio.timeout(LONG):
        return [each async for each in stream]


async def until_idle() -> None:
    """Lets everything run that can."""
    for _ in range(1000):
        await asyncio.sleep(0)


async def test_given_many_messages_when_none_is_stored_then_no_more_are_read_than_may_be_in_work() -> None:
    gate, requests = Gate(), Requests(*(a_request(number) for number in range(500)))
    answers = asyncio.create_task(all_of(streamed(gate, requests)))
    await until(lambda: requests.taken >= MOST_IN_WORK)
    await until_idle()
    taken = requests.taken

    gate.open.set()
    answered = await answers

    assert taken == MOST_IN_WORK
    assert sorted(each.client_reference for each in answered) == sorted(f"r{number}" for number in range(500))
    assert gate.callers == {"acme"}


async def test_given_answers_that_nobody_takes_when_messages_come_then_reading_stops() -> None:
    gate, requests = Gate(is_open=True), Requests(*(a_request(number) for number in range(500)))
    stream = streamed(gate, requests)
    await anext(stream)

    await until_idle()
    taken = requests.taken

    assert taken == MOST_IN_WORK
    assert len(await all_of(stream)) == 499


async def test_given_large_messages_when_none_is_stored_then_their_bytes_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(send_stream, "MOST_BYTES_IN_WORK", 10_000)
    gate, requests = Gate(), Requests(*(a_request(number, size=4000) for number in range(10)))
    answers = asyncio.create_task(all_of(streamed(gate, requests)))
    await until(lambda: requests.taken >= 3)
    await until_idle()
    taken = requests.taken

    gate.open.set()

    assert taken == 3
    assert len(await answers) == 10


async def test_given_several_streams_when_all_are_full_then_together_they_store_no_more_at_once_than_one() -> None:
    gate = Gate()
    clock = FakeClock()
    begin(Call(caller=Caller("acme", frozenset({Role.SEND}), ""), clock=clock, deadline=None))
    whole = SendStream(send=cast("Any", gate), entropy=FakeEntropy(clock=clock))
    sides = [Requests(*(a_request(number) for number in range(100))) for _ in range(3)]
    answers = [asyncio.create_task(all_of(whole(each, ending=Ending()))) for each in sides]
    await until(lambda: all(each.taken >= MOST_IN_WORK for each in sides))
    await until_idle()
    gate.open.set()

    counts = [len(await each) for each in answers]

    assert counts == [100] * 3
    assert gate.most_at_once == MOST_IN_WORK


async def test_given_faults_and_refusals_when_answered_then_each_is_told_and_the_others_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate(is_open=True)
    gate.errors["c1"] = RuntimeError("s3cr3t")
    gate.errors["c2"] = Unavailable("The database is away.", retry_after=timedelta(seconds=3))
    gate.errors["c3"] = InputInvalid([Violation("message.to", Reason.FIELD_REQUIRED, "Nobody.", "Name somebody.")])
    requests = Requests(a_request(1), a_request(2), a_request(3), a_request(4))

    answers = {each.client_reference: each for each in await all_of(streamed(gate, requests))}

    fault, away, wrong = (answers[each].error for each in ("r1", "r2", "r3"))
    assert (fault.code, fault.reason) == (13, "INTERNAL")
    assert "s3cr3t" not in fault.message + caplog.text
    assert (away.code, away.reason, away.retry_delay.seconds) == (14, "DATABASE_UNAVAILABLE", 3)
    assert (wrong.code, wrong.message, wrong.remedy) == (3, "message.to: Nobody.", "Name somebody.")
    assert [(each.field, each.reason, each.message, each.remedy) for each in wrong.violations] == [
        ("message.to", "FIELD_REQUIRED", "Nobody.", "Name somebody.")
    ]
    assert not wrong.HasField("retry_delay")
    assert answers["r4"].HasField("delivery")


async def test_given_the_process_ends_when_messages_are_in_work_then_they_are_answered_and_no_more_are_read() -> None:
    gate, requests, ending = Gate(), Requests(a_request(1), a_request(2)), Ending()
    requests.stays_open = True
    stream = streamed(gate, requests, ending)
    first = asyncio.ensure_future(anext(stream))
    await until(lambda: len(gate.begun) == 2)

    ending.begin()
    await until_idle()
    gate.open.set()
    answered = [await first, await anext(stream)]

    with pytest.raises(Unavailable) as raised:
        await anext(stream)
    assert {each.client_reference for each in answered} == {"r1", "r2"}
    assert raised.value.reason is Reason.SHUTTING_DOWN


async def test_given_the_process_ends_when_the_stream_is_full_then_it_ends_all_the_same() -> None:
    gate, ending = Gate(), Ending()
    requests = Requests(*(a_request(number) for number in range(100)))
    stream = streamed(gate, requests, ending)
    first = asyncio.ensure_future(anext(stream))
    await until(lambda: requests.taken == MOST_IN_WORK)

    ending.begin()
    gate.open.set()
    await first

    with pytest.raises(Unavailable):
        await all_of(stream)
    assert requests.taken == MOST_IN_WORK


async def test_given_a_request_that_cannot_be_read_when_others_are_in_work_then_they_are_answered_first() -> None:
    broken = InputInvalid([Violation("", Reason.VALUE_MALFORMED, "Broken.", "Mend it.")])
    gate, requests = Gate(), Requests(a_request(1), then=lambda: broken)
    stream = streamed(gate, requests)
    first = asyncio.ensure_future(anext(stream))
    await until(lambda: gate.begun == ["c1"])
    await until_idle()

    gate.open.set()
    answered = await first

    assert answered.HasField("delivery")
    with pytest.raises(InputInvalid):
        await anext(stream)


async def test_given_a_client_that_is_gone_when_messages_are_in_work_then_they_are_cancelled() -> None:
    gate, requests = Gate(), Requests(a_request(1), a_request(2))
    answers = asyncio.create_task(all_of(streamed(gate, requests)))
    await until(lambda: len(gate.begun) == 2)

    answers.cancel()

    with pytest.raises(asyncio.CancelledError):
        await answers
    await until(lambda: gate.cancelled == 2)


async def test_given_a_client_that_is_gone_when_all_was_read_and_is_in_work_then_no_task_is_left() -> None:
    before = asyncio.all_tasks()
    gate, requests = Gate(), Requests(a_request(1), a_request(2))
    answers = asyncio.create_task(all_of(streamed(gate, requests)))
    await until(lambda: len(gate.begun) == 2)
    await until_idle()

    answers.cancel()

    with pytest.raises(asyncio.CancelledError):
        await answers
    await until(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize(("reference", "reason"), [("", "FIELD_REQUIRED"), ("x" * 256, "VALUE_TOO_LONG")])
async def test_given_a_wrong_reference_when_answered_then_it_is_told_beside_all_else(
    reference: str, reason: str
) -> None:
    async def send(*_: object, found: tuple[Violation, ...], **__: object) -> Sent:
        raise InputInvalid(found)

    requests = Requests(a_request(client_reference=reference, configuration_id=""))
    (answer,) = await all_of(streamed(cast("Any", send), requests))

    assert [(each.field, each.reason) for each in answer.error.violations] == [
        ("client_reference", reason),
        ("configuration_id", "FIELD_REQUIRED"),
    ]
    assert answer.client_reference == reference[:255]
