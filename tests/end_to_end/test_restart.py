"""P2, P3, F45: a killed process loses nothing that it accepted, and repeats nothing without saying so."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import a_message
from tests.end_to_end.process import MailportProcess, a_process
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import Fault, FaultySmtp
from tests.peers.fixtures import StartFaultySmtp

WITHIN = timedelta(seconds=30)
ENDED = (delivery_pb2.DELIVERY_STATE_SENT, delivery_pb2.DELIVERY_STATE_IN_DOUBT)
"""IN_DOUBT: killed while the server may have taken it; it waits ten minutes for its next attempt."""


@pytest.fixture
async def server(ca: TestCA, faulty_smtp: StartFaultySmtp) -> FaultySmtp:
    return await faulty_smtp(context=server_context(ca.issue("restart")), passwords={"robot@example.test": "s3cr3t!"})


async def configure(mailport: MailportProcess, server: FaultySmtp, ca: TestCA) -> None:
    settings = configuration_pb2.Settings(
        from_address="robot@example.test",
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=server.port, ca_certificates=ca.pem),
        basic=configuration_pb2.BasicAuthentication(username="robot@example.test", password="s3cr3t!"),
    )
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=settings))
    await mailport.stub.ValidateAndSave(
        api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@example.test")
    )


async def send(mailport: MailportProcess, subject: str) -> str:
    sent = await mailport.stub.Send(
        api.SendRequest(configuration_id="alerts", message=a_message(subject=subject), idempotency_key=subject)
    )
    return sent.delivery.delivery_id


def copies(server: FaultySmtp, subject: str) -> int:
    return sum(f"Subject: {subject}\r\n".encode() in message.content for message in server.messages)


async def test_given_an_accepted_mail_when_killed_before_delivery_then_arrives_once_after_the_start(
    tmp_path: Path, ca: TestCA, server: FaultySmtp
) -> None:
    folder = tmp_path / "data"
    async with a_process(folder) as mailport:
        await configure(mailport, server, ca)
        server.plan["mail"] = Fault.HANG
        delivery_id = await send(mailport, "first")
        await asyncio.wait_for(server.is_hanging.wait(), WITHIN.total_seconds())
        await mailport.kill()
    server.plan.clear()

    async with a_process(folder) as mailport:
        await server.wait_for_messages(2, within=WITHIN)  # the validation mail and this one
        delivery = await settled(mailport, delivery_id)

    assert copies(server, "first") == 1
    assert delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    assert [attempt.in_doubt for attempt in delivery.attempts] == [False, False]


async def test_given_a_mail_past_its_point_of_no_return_when_killed_then_is_in_doubt_and_not_sent_again_at_once(
    tmp_path: Path, ca: TestCA, server: FaultySmtp
) -> None:
    folder = tmp_path / "data"
    async with a_process(folder) as mailport:
        await configure(mailport, server, ca)
        server.plan["dot"] = Fault.HANG
        delivery_id = await send(mailport, "doubtful")
        await asyncio.wait_for(server.is_hanging.wait(), WITHIN.total_seconds())
        await mailport.kill()
    server.plan.clear()

    async with a_process(folder) as mailport:
        found = await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))

    delivery = found.delivery
    assert delivery.state == delivery_pb2.DELIVERY_STATE_IN_DOUBT
    assert delivery.recipients[0].state == delivery_pb2.RECIPIENT_STATE_IN_DOUBT
    waited = delivery.next_attempt_time.ToDatetime() - delivery.update_time.ToDatetime()
    assert waited >= timedelta(minutes=10)


async def test_given_twenty_mails_under_way_when_killed_at_once_then_each_arrives_or_is_in_doubt(
    tmp_path: Path, ca: TestCA, server: FaultySmtp
) -> None:
    folder = tmp_path / "data"
    subjects = [f"mail-{number}" for number in range(20)]
    async with a_process(folder) as mailport:
        await configure(mailport, server, ca)
        ids = await asyncio.gather(*(send(mailport, subject) for subject in subjects))
        await mailport.kill()

    async with a_process(folder) as mailport:
        deliveries = [await settled(mailport, delivery_id) for delivery_id in ids]

    for subject, delivery in zip(subjects, deliveries, strict=True):
        doubts = sum(attempt.in_doubt for attempt in delivery.attempts)
        if delivery.state == delivery_pb2.DELIVERY_STATE_SENT:
            assert 1 <= copies(server, subject) <= 1 + doubts
        else:
            assert delivery.state == delivery_pb2.DELIVERY_STATE_IN_DOUBT


async def settled(mailport: MailportProcess, delivery_id: str) -> delivery_pb2.Delivery:
    """Waits, by asking, until the delivery is sent or in doubt."""
    async with asyncio.timeout(WITHIN.total_seconds()):
        while True:
            delivery = (await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery
            if delivery.state in (delivery_pb2.DELIVERY_STATE_SENT, delivery_pb2.DELIVERY_STATE_IN_DOUBT):
                return delivery
            await asyncio.sleep(0.05)


async def test_given_a_running_mailport_when_told_to_stop_then_ends_cleanly(tmp_path: Path) -> None:
    """P26: exit code 0 within 30 seconds."""
    async with a_process(tmp_path / "data") as mailport, asyncio.timeout(30):
        code = await mailport.stop()

    assert code == 0


async def test_given_a_watch_when_mailport_is_killed_then_resumed_it_misses_nothing_and_shows_nothing_twice(
    tmp_path: Path, ca: TestCA, server: FaultySmtp
) -> None:
    folder = tmp_path / "data"
    lives: dict[str, list[tuple[int, int]]] = defaultdict(list)
    async with a_process(folder) as mailport:
        await configure(mailport, server, ca)
        watch: Any = mailport.stub.WatchDeliveries(api.WatchDeliveriesRequest())
        cursor = (await watch.read()).cursor
        identities = await asyncio.gather(*(send(mailport, f"watched-{number}") for number in range(20)))
        for _ in range(25):  # in the midst of it
            cursor = await _note(watch, lives)
        await mailport.kill()

    async with a_process(folder) as mailport, asyncio.timeout(WITHIN.total_seconds()):
        watch = mailport.stub.WatchDeliveries(api.WatchDeliveriesRequest(cursor=cursor))
        while not all(lives[each] and lives[each][-1][1] in ENDED for each in identities):
            await _note(watch, lives)
        watch.cancel()

    for life in (lives[each] for each in identities):
        befores, afters = zip(*life, strict=True)
        assert befores == (delivery_pb2.DELIVERY_STATE_UNSPECIFIED, *afters[:-1])
        assert all(before != after for before, after in life)


async def _note(watch: Any, lives: dict[str, list[tuple[int, int]]]) -> str:
    """Reads one answer and returns its cursor."""
    answer = await watch.read()
    assert isinstance(answer, api.WatchDeliveriesResponse)
    if answer.HasField("delivery"):
        lives[answer.delivery.delivery_id].append((answer.previous_state, answer.delivery.state))
    return answer.cursor
