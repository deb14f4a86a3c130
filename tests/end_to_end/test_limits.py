"""P6: an account's limits are kept by all processes together, and learnt where nobody has told them."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.process import MailportProcess, a_process
from tests.peers.ca import TestCA, server_context
from tests.peers.metered_smtp import MeteredSmtp

WITHIN = timedelta(seconds=90)
USER = "robot@example.test"
MAILS = 60
LIMITS = configuration_pb2.SendingLimits(max_connections=3, messages_per_minute=240)


def server(ca: TestCA, *, in_span: int = 45, delay: timedelta = timedelta(milliseconds=50)) -> MeteredSmtp:
    """Returns a server that 240 messages a minute keep to: 24 at once and 3.6 a second make 42 in five seconds."""
    return MeteredSmtp(
        at_once=3,
        in_span=in_span,
        span=timedelta(seconds=5),
        delay=delay,
        context=server_context(ca.issue("limits")),
        passwords={USER: "correct horse"},
    )


def settings(
    metered: MeteredSmtp, ca: TestCA, limits: configuration_pb2.SendingLimits | None = None
) -> configuration_pb2.Settings:
    return configuration_pb2.Settings(
        from_address=USER,
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=metered.port, ca_certificates=ca.pem),
        basic=configuration_pb2.BasicAuthentication(username=USER, password="correct horse"),
        limits=limits,
    )


async def configure(mailport: Mailport | MailportProcess, written: configuration_pb2.Settings) -> None:
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=written))
    await mailport.stub.ValidateAndSave(api.ValidateAndSaveRequest(configuration_id="alerts", user_email=USER))


async def send(mailport: Mailport | MailportProcess, subject: str) -> str:
    sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=a_message(subject=subject)))
    return sent.delivery.delivery_id


async def find(mailport: Mailport | MailportProcess, delivery_id: str) -> delivery_pb2.Delivery:
    return (await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery


async def health(mailport: Mailport | MailportProcess) -> configuration_pb2.ConfigurationHealth:
    found = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
    return found.configuration.health


def copies(metered: MeteredSmtp) -> Counter[bytes]:
    """Counts what the server took by subject, without the mail that proved the settings."""
    subjects = [message.content.partition(b"Subject: mail-")[2].partition(b"\r\n")[0] for message in metered.messages]
    return Counter(subject for subject in subjects if subject)


async def test_given_limits_when_two_processes_send_sixty_mails_then_the_server_refuses_none(
    options: Options, tmp_path: Path, ca: TestCA
) -> None:
    assert options.database_url is not None
    shared = {"MAILPORT_DATABASE_URL": options.database_url.reveal(), "MAILPORT_KEYS_FILE": str(options.keys_file)}
    async with (
        server(ca) as metered,
        a_process(tmp_path / "one", **shared) as one,
        a_process(tmp_path / "other", **shared) as other,
    ):
        await configure(one, settings(metered, ca, LIMITS))
        await metered.wait_until_left()  # the mail that proved the settings has a connection of its own
        metered.most_open_connections = 0
        sent = await asyncio.gather(*(send((one, other)[number % 2], f"mail-{number}") for number in range(MAILS)))
        waiting = await health(other)
        await metered.wait_for_messages(MAILS + 1, within=WITHIN)
        found = [await until_sent(one, each) for each in sent]

    assert metered.refusals == 0
    assert metered.most_open_connections <= 3
    assert copies(metered) == {str(number).encode(): 1 for number in range(MAILS)}
    assert [each.attempt_count for each in found] == [1] * MAILS
    assert waiting.allowance.limits == LIMITS
    assert waiting.allowance.percent == 100


async def until_sent(mailport: Mailport | MailportProcess, delivery_id: str) -> delivery_pb2.Delivery:
    async with asyncio.timeout(WITHIN.total_seconds()):
        while True:
            found = await find(mailport, delivery_id)
            if found.state == delivery_pb2.DELIVERY_STATE_SENT:
                return found
            await asyncio.sleep(0.05)


async def test_given_no_limits_when_the_server_throttles_then_they_are_learnt_shown_and_all_mail_arrives(
    mailport: Mailport, ca: TestCA
) -> None:
    async with server(ca, in_span=10_000, delay=timedelta(milliseconds=500)) as metered:
        await configure(mailport, settings(metered, ca))
        sent = await asyncio.gather(*(send(mailport, f"mail-{number}") for number in range(20)))
        shown = await until_lowered(mailport)
        async with asyncio.timeout(WITHIN.total_seconds()):
            while len(copies(metered)) < len(sent):
                await retry(mailport, sent)
                await asyncio.sleep(1)

    assert shown.state == configuration_pb2.HEALTH_STATE_AT_RISK
    assert shown.allowance.failure.provider_code == "432 4.3.2"
    assert 0 < shown.allowance.limits.max_connections < 5
    assert shown.allowance.HasField("wait_time")
    assert set(copies(metered).values()) == {1}
    assert 0 < metered.refusals < len(sent)


async def until_lowered(mailport: Mailport) -> configuration_pb2.ConfigurationHealth:
    async with asyncio.timeout(WITHIN.total_seconds()):
        while True:
            shown = await health(mailport)
            if shown.allowance.HasField("failure"):
                return shown
            await asyncio.sleep(0.05)


async def retry(mailport: Mailport, deliveries: list[str]) -> None:
    """Spares the test the minutes that a throttled mail waits."""
    for each in deliveries:
        if (await find(mailport, each)).state == delivery_pb2.DELIVERY_STATE_RETRYING:
            await mailport.stub.RetryDelivery(api.RetryDeliveryRequest(delivery_id=each))
