"""Data centers end to end: three processes on one database, of which two have workers at sites of their own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest

import domain.data_center
import service.usecases.roster
from mailport.v1 import configuration_pb2, delivery_pb2, mail_service_pb2_grpc
from mailport.v1 import mail_service_pb2 as api
from service.options import Options, ProcessRole
from service.running import running
from tests.end_to_end.conftest import Mailport, a_message
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp

WITHIN = timedelta(seconds=30)
SITES = ("eu-1", "us-1")


def of(options: Options, role: ProcessRole, site: str = "") -> Options:
    return replace(options, roles=frozenset({role}), data_center=site, data_centers=SITES, egress_allow="127.0.0.0/8")


async def sent(mailport: Mailport, name: str, *, wait: bool = True) -> delivery_pb2.Delivery:
    """Sends with the configuration *name*; returns the delivery as GetDelivery tells it."""
    request = api.SendRequest(configuration_id=name, message=a_message(), wait=wait)
    answer = await mailport.stub.Send(request, timeout=WITHIN.total_seconds())
    return await told(mailport, answer.delivery.delivery_id)


async def told(mailport: Mailport, delivery_id: str) -> delivery_pb2.Delivery:
    return (await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery


async def until_sent(mailport: Mailport, delivery_id: str) -> delivery_pb2.Delivery:
    while True:
        delivery = await told(mailport, delivery_id)
        if delivery.state == delivery_pb2.DELIVERY_STATE_SENT:
            return delivery
        await asyncio.sleep(0.05)


async def health(mailport: Mailport, name: str) -> configuration_pb2.ConfigurationHealth:
    found = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id=name))
    return found.configuration.health


async def test_given_a_site_that_stops_when_mail_is_sent_then_preferred_goes_from_the_next_and_strict_waits_and_says_so(
    options: Options, ca: TestCA, faulty_smtp: StartFaultySmtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (domain.data_center, service.usecases.roster):
        monkeypatch.setattr(module, "TAKEN_OVER_AFTER", timedelta(milliseconds=100))
    server = await faulty_smtp(context=server_context(ca.issue("sites")))
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(running(of(options, ProcessRole.API)))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(front.grpc_address))
        mailport = Mailport(front, mail_service_pb2_grpc.MailServiceStub(channel))
        for name, policy in (
            ("preferred", configuration_pb2.DATA_CENTER_POLICY_PREFERRED),
            ("strict", configuration_pb2.DATA_CENTER_POLICY_STRICT),
        ):
            smtp = configuration_pb2.SmtpTransport(host="localhost", port=server.port, ca_certificates=ca.pem)
            settings = configuration_pb2.Settings(
                from_address="robot@example.test", smtp=smtp, data_center="eu-1", data_center_policy=policy
            )
            await mailport.configure(settings, name)
        async with running(of(options, ProcessRole.WORKER, "eu-1")):
            await stack.enter_async_context(running(of(options, ProcessRole.WORKER, "us-1")))
            at_home = [await sent(mailport, name) for name in ("preferred", "strict")]

        taken_over = await sent(mailport, "preferred")
        waiting = await sent(mailport, "strict", wait=False)
        ill = await health(mailport, "strict")
        well = await health(mailport, "preferred")
        async with running(of(options, ProcessRole.WORKER, "eu-1")), asyncio.timeout(WITHIN.total_seconds()):
            after = await until_sent(mailport, waiting.delivery_id)

    assert [each.data_center for each in at_home] == ["eu-1", "eu-1"]
    assert (taken_over.state, taken_over.data_center) == (delivery_pb2.DELIVERY_STATE_SENT, "us-1")
    assert [each.data_center for each in taken_over.attempts] == ["us-1"]
    assert (waiting.state, waiting.attempt_count) == (delivery_pb2.DELIVERY_STATE_QUEUED, 0)
    assert waiting.failure.reason == "DATA_CENTER_AWAY"
    assert (ill.state, ill.failure.reason) == (configuration_pb2.HEALTH_STATE_MISCONFIGURED, "DATA_CENTER_AWAY")
    assert well.state == configuration_pb2.HEALTH_STATE_HEALTHY
    assert (after.data_center, after.HasField("failure")) == ("eu-1", False)
