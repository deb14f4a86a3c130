"""What will bite later, told by CheckAccount and SendTest of a real server and a real name server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import dns.asyncresolver
import grpc
import pytest

from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.test_consent_commands import command, ended
from tests.end_to_end.test_journey import reason
from tests.peers.ca import TestCA, server_context
from tests.peers.dns_server import DnsServer
from tests.peers.fixtures import StartFaultySmtp

ROBOT = "robot@corp.de"
PASSWORDS = {ROBOT: "s3cr3t!"}
CHECK = api.CheckAccountRequest(configuration_id="alerts")


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[DnsServer]:
    """The name server that mailport asks for records."""
    async with DnsServer() as server:
        resolver = server.resolver()
        monkeypatch.setattr(dns.asyncresolver, "Resolver", lambda: resolver)
        yield server


def settings_for(port: int, ca: TestCA, *, sender: str = ROBOT) -> configuration_pb2.Settings:
    return configuration_pb2.Settings(
        from_address=sender,
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=port, ca_certificates=ca.pem),
        basic=configuration_pb2.BasicAuthentication(username=ROBOT, password=PASSWORDS[ROBOT]),
    )


async def configured(mailport: Mailport, settings: configuration_pb2.Settings) -> None:
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=settings))


def reasons(answer: api.CheckAccountResponse | api.SendTestResponse) -> list[str]:
    return [warning.reason for warning in answer.warnings]


async def test_given_a_server_and_a_domain_in_order_when_checked_then_nothing_is_warned_of_and_nothing_sent(
    mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA, names: DnsServer
) -> None:
    context = server_context(ca.issue("long", ends_in=timedelta(days=90)))
    server = await faulty_smtp(context=context, passwords=PASSWORDS)
    names.zone["corp.de", "TXT"] = ['"v=spf1 ip4:127.0.0.1 -all"']
    names.zone["_dmarc.corp.de", "TXT"] = ['"v=DMARC1; p=reject"']
    await configured(mailport, settings_for(server.port, ca))

    checked = await mailport.stub.CheckAccount(CHECK)

    assert reasons(checked) == []
    assert checked.tested == api.TESTED_SETTINGS_DRAFT
    assert server.messages == []
    assert not [command for command in server.commands if command.startswith("MAIL")]


async def test_given_all_that_bites_later_when_checked_and_when_tested_then_each_is_warned_of_and_nothing_fails(
    mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA, names: DnsServer
) -> None:
    context = server_context(ca.issue("short", ends_in=timedelta(days=2)), newest=ssl.TLSVersion.TLSv1_2)
    server = await faulty_smtp(context=context, passwords=PASSWORDS)
    names.zone["corp.de", "TXT"] = ['"v=spf1 ip4:192.0.2.1 -all"']
    await configured(mailport, settings_for(server.port, ca, sender="sales@corp.de"))

    checked = await mailport.stub.CheckAccount(CHECK)
    tested = await mailport.stub.SendTest(api.SendTestRequest(configuration_id="alerts", to="admin@x.example"))

    expected = [
        "FROM_ADDRESS_NOT_ACCOUNT",
        "SERVER_CERTIFICATE_EXPIRING",
        "TLS_1_3_NOT_SPOKEN",
        "DMARC_MISSING",
    ]
    assert reasons(checked) == reasons(tested) == expected
    assert all(warning.field and warning.message and warning.remedy for warning in checked.warnings)
    assert len(server.messages) == 1


async def test_given_a_name_server_that_does_not_know_the_domain_when_checked_then_that_is_said_and_nothing_warned_of(
    mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA, names: DnsServer
) -> None:
    context = server_context(ca.issue("long", ends_in=timedelta(days=90)))
    server = await faulty_smtp(context=context, passwords=PASSWORDS)
    names.zone["other.de", "NS"] = ["ns.other.de."]
    await configured(mailport, settings_for(server.port, ca))

    checked = await mailport.stub.CheckAccount(CHECK)

    assert reasons(checked) == []
    assert list(checked.unchecked) == [
        "The DNS asked from here does not know corp.de: its SPF and DMARC records were not judged."
    ]


async def test_given_a_name_server_that_says_nothing_when_checked_then_it_is_not_waited_for_long(
    mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA, names: DnsServer
) -> None:
    context = server_context(ca.issue("long", ends_in=timedelta(days=90)))
    server = await faulty_smtp(context=context, passwords=PASSWORDS)
    names.is_silent = True
    await configured(mailport, settings_for(server.port, ca))

    checked = await mailport.stub.CheckAccount(CHECK, timeout=3)

    assert reasons(checked) == []
    assert names.asked


async def test_given_a_wrong_password_when_checked_then_it_is_refused_as_a_test_mail_is(
    mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA, names: DnsServer
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("any")), passwords={ROBOT: "another"})
    await configured(mailport, settings_for(server.port, ca))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.CheckAccount(CHECK)

    assert reason(refused.value) == "AUTH_REJECTED"
    assert names.asked == []


async def test_given_a_refusal_with_a_fix_when_the_command_that_it_prints_is_run_then_the_draft_can_be_proven(
    mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("any")), passwords=PASSWORDS)
    settings = settings_for(server.port, ca)
    settings.smtp.security = configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS
    await configured(mailport, settings)

    async with command(mailport, "check-account", "alerts") as process:
        code, _, errors = await ended(process)
    printed = errors.splitlines()[-1].split("mailport ")[-1].split()
    async with command(mailport, *printed) as process:
        fixed, _, _ = await ended(process)
    async with command(mailport, "validate", "alerts", "--user-email", "admin@x.example") as process:
        proven, _, _ = await ended(process)

    assert code == 7
    assert printed[:3] == ["configure", "alerts", "--apply-fix"]
    assert (fixed, proven) == (0, 0)
