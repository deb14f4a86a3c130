"""F35 and F36 through gRPC: attachments around Graph's bounds, and throttling that is not made worse."""

from __future__ import annotations

import asyncio
import hashlib
import random
from datetime import UTC, timedelta
from email import message_from_bytes

import grpc
import pytest

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.consents import WITHIN, reaches, read, send
from tests.end_to_end.graphs import ACCOUNT, SEND, WRITE, graph_settings, ready, simulator
from tests.end_to_end.test_journey import reason

RETRYING = delivery_pb2.DELIVERY_STATE_RETRYING
SENT = delivery_pb2.DELIVERY_STATE_SENT
THROTTLED = Fault(operation=Operation.SEND_MAIL, status=429, retry_after=timedelta(seconds=120))
LARGEST = 25_000_000
"""The API's own bound for a message is 25 MiB; Graph's for a file is 150 MB."""


def a_file(size: int, name: str = "a.bin") -> delivery_pb2.Attachment:
    return delivery_pb2.Attachment(
        file_name=name, content_type="application/octet-stream", content=random.Random(size).randbytes(size)
    )


async def send_files(mailport: Mailport, *files: delivery_pb2.Attachment) -> delivery_pb2.Delivery:
    """Sends a mail with *files* on a stream, and returns its delivery once it is sent or waits again."""
    message = a_message(subject="Files", attachments=files)
    request = api.SendStreamRequest(client_reference="1", configuration_id="alerts", message=message)
    (answer,) = [each async for each in mailport.stub.SendStream(iter([request]))]
    states = (SENT, RETRYING, delivery_pb2.DELIVERY_STATE_FAILED, delivery_pb2.DELIVERY_STATE_IN_DOUBT)
    return await reaches(mailport.stub, answer.delivery.delivery_id, *states)


def arrived(mailport: Mailport) -> list[str]:
    """Returns the digests of the files that came with the last mail, in order."""
    parts = message_from_bytes(list(mailport.sandbox.inbox)[-1].raw).walk()
    contents = [part.get_payload(decode=True) for part in parts if part.get_filename()]
    return [hashlib.sha256(each).hexdigest() for each in contents if isinstance(each, bytes)]


@pytest.mark.parametrize(
    "sizes",
    [(0,), (2_500_000,), (2_900_000,), (3_100_000,), (3_800_000,), (4_100_000,), (LARGEST,), (2_000_000,) * 3,
     (20_000_000, 10_000)],
    ids=str,
)  # fmt: skip
async def test_given_f35_files_of_any_size_when_sent_then_they_arrive_byte_for_byte_and_no_draft_is_left(
    mailport: Mailport, sizes: tuple[int, ...]
) -> None:
    await ready(mailport, graph_settings(mailport, SEND, WRITE))
    files = [a_file(size, f"{number}.bin") for number, size in enumerate(sizes)]

    delivery = await send_files(mailport, *files)

    assert delivery.state == SENT, delivery
    assert sorted(arrived(mailport)) == sorted(hashlib.sha256(each.content).hexdigest() for each in files)
    assert simulator(mailport).drafts() == []
    assert all(each.size_bytes <= 4 * 1024 * 1024 for each in simulator(mailport).records)


async def test_given_f35_an_upload_that_breaks_when_sent_then_it_is_resumed_and_one_whole_message_arrives(
    mailport: Mailport,
) -> None:
    await ready(mailport, graph_settings(mailport, SEND, WRITE))
    simulator(mailport).fail_next(Fault(operation=Operation.UPLOAD_RANGE, skip=2, cut=True))
    file = a_file(20_000_000)

    delivery = await send_files(mailport, file)

    assert (delivery.state, delivery.attempt_count) == (SENT, 1)
    assert arrived(mailport) == [hashlib.sha256(file.content).hexdigest()]
    assert simulator(mailport).drafts() == []


async def test_given_f36_a_throttled_mailbox_when_fifty_mails_wait_then_it_is_left_alone_by_all_of_them(
    mailport: Mailport,
) -> None:
    """Two configurations name the mailbox, and somebody tests one of them meanwhile."""
    for name in ("alerts", "news"):
        await ready(mailport, graph_settings(mailport), name)
    simulator(mailport).fail_next(THROTTLED)
    first = await reaches(mailport.stub, await send(mailport.stub, "first"), RETRYING)
    requests = len(simulator(mailport).records)

    others = [await send(mailport.stub, f"mail-{number}", ("alerts", "news")[number % 2]) for number in range(50)]
    test = api.SendTestRequest(configuration_id="news", to="admin@sandbox.example")
    with pytest.raises(grpc.aio.AioRpcError, match="leave this mailbox alone") as refused:
        await mailport.stub.SendTest(test, timeout=WITHIN.total_seconds())
    await asyncio.sleep(3)
    found = [(await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=each))).delivery for each in others]
    shown = await read(mailport.stub)

    waits = first.next_attempt_time.ToDatetime(UTC) - first.attempts[0].end_time.ToDatetime(UTC)
    assert (first.failure.reason, first.attempt_count) == ("THROTTLED", 1)
    assert waits >= timedelta(seconds=119)
    assert reason(refused.value) == "THROTTLED"
    assert len(simulator(mailport).records) == requests, "nothing was requested"
    assert {each.state for each in found} <= {delivery_pb2.DELIVERY_STATE_QUEUED, delivery_pb2.DELIVERY_STATE_SENDING}
    assert shown.health.state == configuration_pb2.HEALTH_STATE_AT_RISK
    assert shown.health.allowance.HasField("wait_time")


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "a date"])
@pytest.mark.parametrize("status", [429, 503])
async def test_given_f36_a_retry_after_when_it_is_over_then_the_same_mail_goes_out_in_full(
    mailport: Mailport, status: int, as_date: bool
) -> None:
    await ready(mailport, graph_settings(mailport))
    again = timedelta(seconds=2)
    simulator(mailport).fail_next(
        Fault(operation=Operation.SEND_MAIL, status=status, retry_after=again, retry_after_as_date=as_date)
    )

    refused = await reaches(mailport.stub, await send(mailport.stub, "again"), RETRYING)
    await asyncio.sleep(again.total_seconds() + 1)
    await mailport.stub.RetryDelivery(api.RetryDeliveryRequest(delivery_id=refused.delivery_id))
    delivery = await reaches(mailport.stub, refused.delivery_id, SENT)

    first, second = simulator(mailport).records.of(Operation.SEND_MAIL)[-2:]
    assert delivery.attempt_count == 2
    assert (first.size_bytes, first.content_type) == (second.size_bytes, second.content_type)
    assert simulator(mailport).records.inside_retry_after(grace=timedelta(milliseconds=500)) == []


async def test_given_f36_a_gateway_that_stops_waiting_when_the_mail_was_sent_then_it_is_found_and_no_copy_follows(
    mailport: Mailport,
) -> None:
    await ready(mailport, graph_settings(mailport, SEND, WRITE))
    simulator(mailport).fail_next(Fault(operation=Operation.SEND_MAIL, status=504, takes_effect=True))

    delivery = await reaches(mailport.stub, await send(mailport.stub, "once"), SENT)

    assert delivery.attempt_count == 1
    assert [each.subject for each in mailport.sandbox.inbox if each.sender == ACCOUNT].count("once") == 1


async def test_given_a_wait_beside_an_acceptance_when_the_next_is_sent_then_it_is_sent_after_it(
    mailport: Mailport,
) -> None:
    await ready(mailport, graph_settings(mailport))
    simulator(mailport).fail_next(Fault(operation=Operation.SEND_MAIL, retry_after=timedelta(seconds=3)))

    first = await reaches(mailport.stub, await send(mailport.stub, "first"), SENT)
    second = await reaches(mailport.stub, await send(mailport.stub, "second"), SENT)

    sends = simulator(mailport).records.of(Operation.SEND_MAIL)[-2:]
    assert (first.attempt_count, second.attempt_count) == (1, 1)
    assert sends[1].start_time - sends[0].start_time >= timedelta(seconds=2.9)
    assert simulator(mailport).records.inside_retry_after() == []
