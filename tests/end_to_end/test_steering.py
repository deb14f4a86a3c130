"""CancelDelivery and RetryDelivery through a running mailport: P7, and the caller's own decision."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import Mailport, a_message

TOMORROW = datetime.now(UTC) + timedelta(days=1)


async def reason_of(call: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call  # type: ignore[misc]
    status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return refused.value.code(), str(info.reason)


async def send(mailport: Mailport, **message: object) -> delivery_pb2.Delivery:
    request = api.SendRequest(configuration_id="alerts", message=a_message(**message))
    return (await mailport.stub.Send(request)).delivery


async def test_given_a_mail_for_tomorrow_when_cancelled_then_it_never_goes_and_repeating_is_fine(
    mailport: Mailport,
) -> None:
    await mailport.configure()
    later = Timestamp()
    later.FromDatetime(TOMORROW)
    queued = await send(mailport, send_time=later)
    request = api.CancelDeliveryRequest(delivery_id=queued.delivery_id)

    first = (await mailport.stub.CancelDelivery(request)).delivery
    again = (await mailport.stub.CancelDelivery(request)).delivery

    refused = await reason_of(mailport.stub.RetryDelivery(api.RetryDeliveryRequest(delivery_id=queued.delivery_id)))
    assert first.state == delivery_pb2.DELIVERY_STATE_CANCELLED
    assert [each.state for each in first.recipients] == [delivery_pb2.RECIPIENT_STATE_CANCELLED]
    assert first.HasField("final_time")
    assert again == first
    assert refused == (grpc.StatusCode.FAILED_PRECONDITION, "DELIVERY_FINAL")


async def test_given_a_mail_that_was_sent_when_cancelled_or_retried_then_both_are_refused(mailport: Mailport) -> None:
    await mailport.configure()
    request = api.SendRequest(configuration_id="alerts", message=a_message(), wait=True)
    sent = (await mailport.stub.Send(request)).delivery

    cancelled = await reason_of(mailport.stub.CancelDelivery(api.CancelDeliveryRequest(delivery_id=sent.delivery_id)))
    retried = await reason_of(mailport.stub.RetryDelivery(api.RetryDeliveryRequest(delivery_id=sent.delivery_id)))

    assert sent.state == delivery_pb2.DELIVERY_STATE_SENT
    assert cancelled == (grpc.StatusCode.FAILED_PRECONDITION, "DELIVERY_UNDER_WAY")
    assert retried == (grpc.StatusCode.FAILED_PRECONDITION, "DELIVERY_FINAL")


async def test_given_a_mail_for_tomorrow_when_retried_then_it_goes_at_once(mailport: Mailport) -> None:
    await mailport.configure()
    later = Timestamp()
    later.FromDatetime(TOMORROW)
    queued = await send(mailport, send_time=later)
    request = api.RetryDeliveryRequest(delivery_id=queued.delivery_id, expire_after=Duration(seconds=60))

    again = (await mailport.stub.RetryDelivery(request)).delivery

    assert again.state == delivery_pb2.DELIVERY_STATE_QUEUED
    assert again.expire_time.ToDatetime() - again.update_time.ToDatetime() == timedelta(minutes=1)
    async with asyncio.timeout(20):
        while True:
            found = await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=queued.delivery_id))
            if found.delivery.state == delivery_pb2.DELIVERY_STATE_SENT:
                break
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("delivery_id", "seconds", "reason"),
    [("", 60, "FIELD_REQUIRED"), ("d", 0, "VALUE_OUT_OF_RANGE"), ("d", 604_801, "VALUE_OUT_OF_RANGE")],
)
async def test_given_a_wrong_retry_when_called_then_says_what_is_wrong(
    mailport: Mailport, delivery_id: str, seconds: int, reason: str
) -> None:
    request = api.RetryDeliveryRequest(delivery_id=delivery_id, expire_after=Duration(seconds=seconds))

    assert await reason_of(mailport.stub.RetryDelivery(request)) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_given_no_such_delivery_when_steered_then_it_is_not_found(mailport: Mailport) -> None:
    missing = "0190f3c2-7b3a-7cc1-8f00-0000000000d1"

    cancelled = await reason_of(mailport.stub.CancelDelivery(api.CancelDeliveryRequest(delivery_id=missing)))
    retried = await reason_of(mailport.stub.RetryDelivery(api.RetryDeliveryRequest(delivery_id=missing)))

    assert cancelled == retried == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
