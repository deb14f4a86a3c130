"""SendStream through a running mailport: each message answered for itself, bounded, and drained."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_status import rpc_status

from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from service.rpc.send_stream import MOST_IN_WORK
from tests.end_to_end.conftest import Mailport, a_message, started

WITHIN = 30.0


def a_request(reference: str, **fields: Any) -> api.SendStreamRequest:
    values: dict[str, Any] = {"configuration_id": "alerts", "message": a_message(), "client_reference": reference}
    return api.SendStreamRequest(**{**values, **fields})


async def answers_to(mailport: Mailport, *requests: api.SendStreamRequest) -> dict[str, api.SendStreamResponse]:
    async with asyncio.timeout(WITHIN):
        answers = [each async for each in mailport.stub.SendStream(iter(requests))]
    assert len(answers) == len(requests)
    return {each.client_reference: each for each in answers}


async def test_given_more_messages_than_are_taken_at_once_when_streamed_then_each_is_durable_under_its_reference(
    mailport: Mailport,
) -> None:
    await mailport.configure()
    references = [f"r{number}" for number in range(MOST_IN_WORK * 2 + 3)]

    answers = await answers_to(mailport, *(a_request(each) for each in references))

    assert sorted(answers) == sorted(references)
    ids = {each.delivery.delivery_id for each in answers.values()}
    assert len(ids) == len(references)
    assert all(not each.delivery.attempts for each in answers.values())
    found = await mailport.stub.ListDeliveries(api.ListDeliveriesRequest(page_size=500))
    assert {each.delivery_id for each in found.deliveries} >= ids


async def test_given_a_key_twice_on_a_stream_when_sent_then_there_is_one_delivery(mailport: Mailport) -> None:
    await mailport.configure()

    answers = await answers_to(mailport, a_request("1", idempotency_key="k"), a_request("2", idempotency_key="k"))

    assert answers["1"].delivery.delivery_id == answers["2"].delivery.delivery_id
    assert sorted(each.replayed for each in answers.values()) == [False, True]


async def test_given_refused_messages_when_streamed_then_each_is_told_what_send_tells_and_the_others_go(
    mailport: Mailport,
) -> None:
    await mailport.configure()
    wrong = a_message(expire_after=Duration(seconds=1), to=[delivery_pb2.Address(address="no address")])
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=wrong))
    status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]
    info, bad = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)

    answers = await answers_to(
        mailport,
        a_request("wrong", message=wrong),
        a_request("nobody", configuration_id="missing"),
        a_request("", configuration_id=""),
        a_request("good"),
    )

    error = answers["wrong"].error
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], info.reason)
    assert [(each.field, each.reason) for each in error.violations] == [
        (each.field, each.reason) for each in bad.field_violations
    ]
    assert status.message == f"{error.message} {error.remedy}"
    assert (answers["nobody"].error.code, answers["nobody"].error.reason) == (5, "NOT_FOUND")
    assert [each.field for each in answers[""].error.violations][:2] == ["client_reference", "configuration_id"]
    assert answers["good"].delivery.state in (delivery_pb2.DELIVERY_STATE_QUEUED, delivery_pb2.DELIVERY_STATE_SENDING)


async def test_given_an_open_stream_when_the_process_stops_then_what_was_taken_is_answered_and_it_says_why(
    options: Options,
) -> None:
    async with started(options) as mailport:
        await mailport.configure()
        stream: Any = mailport.stub.SendStream()
        await stream.write(a_request("1"))
        first = await stream.read()

        async with asyncio.timeout(5):
            stopping = asyncio.ensure_future(mailport.service.drains[0]())
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await stream.read()
            await stopping

    status = rpc_status.from_call(ended.value)  # type: ignore[arg-type]
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert first.client_reference == "1"
    assert (ended.value.code(), info.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
