"""P6: a dead password is not tried by mail after mail, and a corrected one lets everything out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import Mailport, a_message
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.fixtures import StartFaultySmtp

WITHIN = timedelta(seconds=30)
USER = "robot@example.test"


@pytest.fixture
async def server(ca: TestCA, faulty_smtp: StartFaultySmtp) -> FaultySmtp:
    return await faulty_smtp(context=server_context(ca.issue("pause")), passwords={USER: "old password"})


async def configure(mailport: Mailport, server: FaultySmtp, ca: TestCA, password: str) -> None:
    await mailport.configure(
        configuration_pb2.Settings(
            from_address=USER,
            smtp=configuration_pb2.SmtpTransport(host="localhost", port=server.port, ca_certificates=ca.pem),
            basic=configuration_pb2.BasicAuthentication(username=USER, password=password),
        )
    )


async def send(mailport: Mailport, subject: str) -> str:
    sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=a_message(subject=subject)))
    return sent.delivery.delivery_id


async def health(mailport: Mailport) -> configuration_pb2.ConfigurationHealth:
    found = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
    return found.configuration.health


async def until_paused(mailport: Mailport) -> configuration_pb2.ConfigurationHealth:
    async with asyncio.timeout(WITHIN.total_seconds()):
        while True:
            shown = await health(mailport)
            if shown.state != configuration_pb2.HEALTH_STATE_HEALTHY:
                return shown
            await asyncio.sleep(0.05)


async def test_given_a_dead_password_when_five_mails_are_sent_then_it_is_tried_once_and_a_new_one_lets_all_out(
    mailport: Mailport, server: FaultySmtp, ca: TestCA
) -> None:
    await configure(mailport, server, ca, "old password")
    before = server.connections
    server.plan["auth"] = "535 5.7.8 Error: authentication failed"
    first = await send(mailport, "mail-0")
    shown = await until_paused(mailport)

    others = [await send(mailport, f"mail-{number}") for number in range(1, 5)]
    # The sandbox's own configuration goes on, which also shows that the worker has looked at the queue meanwhile.
    await mailport.configure(name="news")
    going_on = await mailport.stub.Send(
        api.SendRequest(configuration_id="news", message=a_message(subject="news"), wait=True)
    )
    tried = server.connections - before
    waiting = [await state(mailport, each) for each in others]
    del server.plan["auth"]
    server.passwords[USER] = "new password"
    await configure(mailport, server, ca, "new password")

    messages = await server.wait_for_messages(7, within=WITHIN)  # two validation mails and five others
    assert shown.state == configuration_pb2.HEALTH_STATE_MISCONFIGURED
    assert shown.failure.reason == "AUTH_REJECTED"
    assert shown.failure.provider_code.startswith("535")
    assert going_on.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    assert tried == 1
    assert waiting == [delivery_pb2.DELIVERY_STATE_QUEUED] * 4
    assert (await health(mailport)).state == configuration_pb2.HEALTH_STATE_HEALTHY
    for number in range(5):
        subject = f"Subject: mail-{number}\r\n".encode()
        assert sum(subject in message.content for message in messages) == 1
    await until_sent(mailport, first)


async def state(mailport: Mailport, delivery_id: str) -> int:
    found = await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))
    return found.delivery.state


async def until_sent(mailport: Mailport, delivery_id: str) -> None:
    async with asyncio.timeout(WITHIN.total_seconds()):
        while True:
            if await state(mailport, delivery_id) == delivery_pb2.DELIVERY_STATE_SENT:
                return
            await asyncio.sleep(0.05)
