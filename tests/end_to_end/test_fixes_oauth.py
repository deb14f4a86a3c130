"""Fixes of consents and tokens: what the refusal offers can be configured as it is, and cures."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc.error_details_pb2 import Help

from adapters.system.resolver import SystemResolver
from domain.ports.network import PeerAddress
from mailport.v1 import configuration_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.cli.fixes import Change, apply_change
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import authorize, complete, configure, returned, validate
from tests.end_to_end.scripted import MICROSOFT, ROBOT, Scripted, refusal, tokens
from tests.end_to_end.test_journey import details
from tests.integration.oauth.token_endpoint import TokenEndpoint
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp

OUTLOOK = "smtp.office365.com"


@pytest.fixture
async def peers(mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA) -> AsyncIterator[Scripted]:
    context = server_context(ca.issue("fixes", names=("localhost", OUTLOOK)))
    server = await faulty_smtp(context=context, tokens={ROBOT: "AT1"})
    async with TokenEndpoint() as endpoint:
        yield Scripted(mailport.stub, endpoint, server, ca, mailport)


def failure_of(error: grpc.aio.AioRpcError) -> failure_pb2.Failure:
    failure = details(error)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)
    return failure


def help_of(error: grpc.aio.AioRpcError) -> Help:
    page = details(error)["Help"]
    assert isinstance(page, Help)
    return page


async def consent_refused(peers: Scripted) -> failure_pb2.Failure:
    session = await authorize(peers.stub)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(peers.stub, returned(session, code="C0DE"))
    return failure_of(refused.value)


def applied(settings: configuration_pb2.Settings, fix: failure_pb2.Fix) -> configuration_pb2.Settings:
    for each in (fix, *fix.also):
        apply_change(settings, Change(tuple(each.field.removeprefix("settings.").split(".")), each.value))
    return settings


async def test_given_no_refresh_token_when_the_fix_asks_for_offline_access_then_the_draft_can_be_proven(
    peers: Scripted,
) -> None:
    peers.endpoint.answers[:] = [tokens(refresh_token=...)]
    settings = peers.settings()
    await configure(peers.stub, settings)
    failure = await consent_refused(peers)

    (fix,) = failure.fixes
    await configure(peers.stub, applied(settings, fix))
    peers.endpoint.answers[:] = [tokens()]
    await complete(peers.stub, returned(await authorize(peers.stub), code="C0DE-2"))
    proven = await validate(peers.stub)

    assert (failure.reason, fix.field) == ("REFRESH_TOKEN_MISSING", "settings.oauth.scopes")
    assert proven.active.settings.oauth.scopes[-1] == "offline_access"


async def test_given_the_wrong_directory_when_refused_then_the_fix_names_the_right_one_and_is_taken(
    peers: Scripted,
) -> None:
    peers.provider = MICROSOFT
    peers.endpoint.answers[:] = [
        refusal("invalid_request", error_description="AADSTS9002331: Application is for Microsoft Account users only.")
    ]
    settings = peers.settings()
    settings.oauth.directory_tenant = "organizations"
    await configure(peers.stub, settings)

    failure = await consent_refused(peers)
    (fix,) = failure.fixes
    stored = await configure(peers.stub, applied(settings, fix))

    assert (fix.field, fix.value) == ("settings.oauth.directory_tenant", "consumers")
    assert stored.draft.settings.oauth.directory_tenant == "consumers"


async def test_given_smtp_auth_switched_off_when_consented_then_graph_is_advised_with_its_scopes(
    peers: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def resolve(_: SystemResolver, host: str, port: int) -> tuple[PeerAddress, ...]:
        return (PeerAddress("127.0.0.1", peers.server.port if host == OUTLOOK else port, 4),)

    monkeypatch.setattr(SystemResolver, "resolve", resolve)
    peers.provider = MICROSOFT
    peers.server.plan["auth"] = (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    )
    settings = peers.settings()
    settings.smtp.host, settings.smtp.port = OUTLOOK, 587
    await configure(peers.stub, settings)
    peers.endpoint.answers[:] = [tokens()]
    session = await authorize(peers.stub)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(peers.stub, returned(session, code="C0DE"))

    failure = failure_of(refused.value)

    (fix,) = failure.fixes
    assert (failure.reason, fix.field, fix.value) == ("SMTP_AUTH_DISABLED", "settings.graph", "{}")
    assert [(each.field, each.value) for each in fix.also] == [
        ("settings.oauth.scopes", "https://graph.microsoft.com/Mail.Send offline_access")
    ]
    assert "Turn on Authenticated SMTP" in failure.remedy
    assert "send through Microsoft Graph" in failure.remedy
    assert [link.url for link in help_of(refused.value).links] == ["https://aka.ms/smtp_auth_disabled"]


async def test_given_a_password_when_smtp_auth_is_switched_off_then_no_fix_is_offered_that_settings_cannot_take(
    peers: Scripted,
) -> None:
    peers.server.plan["auth"] = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled"
    settings = peers.settings()
    settings.basic.CopyFrom(configuration_pb2.BasicAuthentication(username=ROBOT, password="s3cr3t!"))
    await configure(peers.stub, settings)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await peers.stub.ValidateAndSave(api.ValidateAndSaveRequest(configuration_id="alerts", user_email=ROBOT))

    failure = failure_of(refused.value)
    assert (failure.reason, len(failure.fixes)) == ("SMTP_AUTH_DISABLED", 0)
