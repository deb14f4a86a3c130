"""WatchDeliveries through running mailports: every change once and in order, across processes and ends."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from tests.end_to_end.conftest import Mailport, a_message, started, without_worker

WITHIN = 30.0
STRAIGHT_ON = [
    (delivery_pb2.DELIVERY_STATE_UNSPECIFIED, delivery_pb2.DELIVERY_STATE_SENDING),
    (delivery_pb2.DELIVERY_STATE_SENDING, delivery_pb2.DELIVERY_STATE_SENT),
]
"""In a process with a worker that has room."""
BY_A_CLAIM = [
    (delivery_pb2.DELIVERY_STATE_UNSPECIFIED, delivery_pb2.DELIVERY_STATE_QUEUED),
    (delivery_pb2.DELIVERY_STATE_QUEUED, delivery_pb2.DELIVERY_STATE_SENDING),
    (delivery_pb2.DELIVERY_STATE_SENDING, delivery_pb2.DELIVERY_STATE_SENT),
]


def reason(error: grpc.aio.AioRpcError) -> str:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return str(info.reason)


async def send(mailport: Mailport) -> str:
    sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=a_message()))
    return sent.delivery.delivery_id


async def following(watch: Any) -> api.WatchDeliveriesResponse:
    """The next change."""
    async with asyncio.timeout(WITHIN):
        while True:
            answer = await watch.read()
            assert isinstance(answer, api.WatchDeliveriesResponse)
            if answer.HasField("delivery"):
                return answer


async def read_to_the_end(watch: Any) -> None:
    """Reads what was written before the end, and is not handled."""
    async with asyncio.timeout(WITHIN):
        while await watch.read() is not grpc.aio.EOF:
            pass


async def standing(mailport: Mailport, **fields: Any) -> tuple[Any, str]:
    """A watch that stands, and its first cursor."""
    watch: Any = mailport.stub.WatchDeliveries(api.WatchDeliveriesRequest(**fields))
    async with asyncio.timeout(WITHIN):
        first = await watch.read()
    assert not first.HasField("delivery")
    return watch, first.cursor


async def test_given_a_watch_when_a_mail_goes_out_then_its_whole_life_comes_in_order(mailport: Mailport) -> None:
    await mailport.configure()
    watch, _ = await standing(mailport)

    identity = await send(mailport)
    answers = [await following(watch) for _ in STRAIGHT_ON]

    assert [(each.previous_state, each.delivery.state) for each in answers] == STRAIGHT_ON
    assert {each.delivery.delivery_id for each in answers} == {identity}
    assert [each.delivery.attempt_count for each in answers] == [1, 1]
    assert all(each.change_time == each.delivery.update_time for each in answers)
    assert all(not each.delivery.attempts for each in answers)
    assert answers[-1].delivery.recipients[0].state == delivery_pb2.RECIPIENT_STATE_SENT
    watch.cancel()


async def test_given_two_processes_and_a_restart_when_resumed_then_nothing_is_lost_twice_or_out_of_order(
    options: Options,
) -> None:
    lives: dict[str, list[tuple[int, int]]] = defaultdict(list)
    async with started(options) as worker:
        await worker.configure()
        async with started(without_worker(options)) as front:
            watch, _ = await standing(front)
            sent = await asyncio.gather(*(send(each) for each in (worker, front) for _ in range(5)))
            answer = None
            for _ in range(12):
                answer = await following(watch)
                lives[answer.delivery.delivery_id].append((answer.previous_state, answer.delivery.state))
            await front.service.drains[0]()
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await read_to_the_end(watch)
        assert answer is not None

    async with started(options) as again:
        watch, cursor = await standing(again, cursor=answer.cursor)
        while {life[-1] for life in lives.values()} != {STRAIGHT_ON[-1]} or len(lives) < len(sent):
            change = await following(watch)
            lives[change.delivery.delivery_id].append((change.previous_state, change.delivery.state))
        watch.cancel()

    assert cursor == answer.cursor
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert sorted(lives) == sorted(sent)
    assert all(life in (STRAIGHT_ON, BY_A_CLAIM) for life in lives.values())
    assert BY_A_CLAIM in lives.values(), "what a process without a worker accepts is claimed"


async def test_given_a_watch_when_the_process_stops_then_it_ends_at_once_and_says_why(options: Options) -> None:
    async with started(options) as mailport:
        watch, _ = await standing(mailport)
        async with asyncio.timeout(12):  # on a busy machine too, and before running calls are broken off
            stopping = asyncio.ensure_future(mailport.service.drains[0]())
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await watch.read()
            await stopping

    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(ended.value) == "SHUTTING_DOWN"


async def test_given_filters_when_watched_then_all_must_hold(mailport: Mailport) -> None:
    await mailport.configure()
    await mailport.configure(name="news")
    watch, _ = await standing(
        mailport, configuration_id="news", states=[delivery_pb2.DELIVERY_STATE_SENT, delivery_pb2.DELIVERY_STATE_FAILED]
    )

    await send(mailport)
    wanted = await mailport.stub.Send(api.SendRequest(configuration_id="news", message=a_message()))
    answer = await following(watch)

    assert answer.delivery.delivery_id == wanted.delivery.delivery_id
    assert answer.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    watch.cancel()


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [
        ({"cursor": "nonsense"}, grpc.StatusCode.FAILED_PRECONDITION, "CURSOR_INVALID"),
        ({"delivery_ids": ["d"] * 101}, grpc.StatusCode.INVALID_ARGUMENT, "VALUE_TOO_LONG"),
        ({"delivery_ids": [""]}, grpc.StatusCode.INVALID_ARGUMENT, "FIELD_REQUIRED"),
        ({"states": [99]}, grpc.StatusCode.INVALID_ARGUMENT, "VALUE_MALFORMED"),
    ],
)
async def test_given_a_wrong_watch_when_called_then_is_refused_before_it_stands(
    mailport: Mailport, fields: dict[str, Any], code: grpc.StatusCode, word: str
) -> None:
    watch = mailport.stub.WatchDeliveries(api.WatchDeliveriesRequest(**fields))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await watch.read()

    assert (refused.value.code(), reason(refused.value)) == (code, word)
