"""From SMTP to Graph at Microsoft: without a new consent when the scopes were granted, else told what is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest

from adapters.system.resolver import SystemResolver
from domain.ports.network import PeerAddress
from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as api
from service.cli.fixes import Change, apply_change
from service.sandbox.identity.behaviour import Behaviour
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import (
    authorize,
    complete,
    configure,
    consented,
    read,
    returned,
    sandbox_settings,
    sent,
    subjects_to,
    validate,
)
from tests.end_to_end.graphs import ACCOUNT, OFFLINE, SEND, SMTP, graph_root, graph_settings, simulator
from tests.end_to_end.scripted import MICROSOFT, ROBOT, Scripted, tokens
from tests.end_to_end.test_fixes_oauth import OUTLOOK, applied, failure_of
from tests.end_to_end.test_journey import details, reason
from tests.integration.oauth.token_endpoint import TokenEndpoint
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp
from tests.peers.graph import started_graph

NEEDS = configuration_pb2.REVISION_STATE_NEEDS_AUTHORIZATION
READY = configuration_pb2.REVISION_STATE_READY_TO_VALIDATE


def smtp_settings(mailport: Mailport, *scopes: str) -> configuration_pb2.Settings:
    settings = sandbox_settings(mailport, Behaviour.MICROSOFT, ACCOUNT)
    settings.oauth.scopes[:] = [*scopes, OFFLINE]
    return settings


async def test_given_a_consent_to_both_resources_when_switched_to_graph_then_nobody_consents_again(
    mailport: Mailport,
) -> None:
    await configure(mailport.stub, smtp_settings(mailport, SMTP, SEND))
    await consented(mailport, ACCOUNT)
    await validate(mailport.stub)
    await sent(mailport.stub, "by SMTP")

    switched = await configure(mailport.stub, graph_settings(mailport, SEND))
    proven = await validate(mailport.stub)
    await sent(mailport.stub, "by Graph")

    assert switched.draft.state == READY
    assert proven.active.settings.HasField("graph")
    assert subjects_to(mailport, "anna@example.com", ACCOUNT) == ["by SMTP", "by Graph"]
    assert simulator(mailport).sent()[0].fields.subject == "by Graph"
    counters = mailport.sandbox.identity.counters(Behaviour.MICROSOFT)
    assert counters.consents == 1
    assert counters.token_calls["refresh_token"] >= 1, "one consent, a token for each resource"


async def test_given_a_consent_to_smtp_alone_when_switched_then_what_is_missing_is_named_and_smtp_goes_on(
    mailport: Mailport,
) -> None:
    await configure(mailport.stub, smtp_settings(mailport, SMTP))
    await consented(mailport, ACCOUNT)
    await validate(mailport.stub)

    switched = await configure(mailport.stub, graph_settings(mailport, SEND))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@sandbox.example")
        )
    await sent(mailport.stub, "still by SMTP")
    await consented(mailport, ACCOUNT)
    await validate(mailport.stub)
    await sent(mailport.stub, "by Graph")

    info = details(refused.value)["ErrorInfo"]
    assert switched.draft.state == NEEDS
    assert reason(refused.value) == "NEEDS_AUTHORIZATION"
    assert info.metadata["missing_scopes"] == SEND  # type: ignore[attr-defined]
    assert SEND in (refused.value.details() or "")
    assert subjects_to(mailport, "anna@example.com", ACCOUNT) == ["still by SMTP", "by Graph"]


async def test_given_scopes_of_smtp_when_graph_is_configured_then_the_scope_that_it_needs_is_named(
    mailport: Mailport,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await configure(mailport.stub, graph_settings(mailport, SMTP))

    (violation,) = details(refused.value)["BadRequest"].field_violations  # type: ignore[attr-defined]
    assert (violation.field, violation.reason) == ("settings.oauth.scopes", "SCOPE_NEEDED")
    assert SEND in violation.description


async def test_given_a_switch_back_when_the_consent_was_for_both_then_smtp_needs_none_either(
    mailport: Mailport,
) -> None:
    await configure(mailport.stub, graph_settings(mailport, SEND, SMTP))
    await consented(mailport, ACCOUNT)
    await validate(mailport.stub)

    switched = await configure(mailport.stub, smtp_settings(mailport, SMTP))
    await validate(mailport.stub)
    await sent(mailport.stub, "by SMTP again")

    assert switched.draft.state == READY
    assert "by SMTP again" not in [each.fields.subject for each in simulator(mailport).sent()]
    assert mailport.sandbox.identity.counters(Behaviour.MICROSOFT).consents == 1


@pytest.fixture
async def peers(mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA) -> AsyncIterator[Scripted]:
    context = server_context(ca.issue("switch", names=("localhost", OUTLOOK)))
    server = await faulty_smtp(context=context, tokens={ROBOT: "AT1"})
    async with TokenEndpoint() as endpoint:
        yield Scripted(mailport.stub, endpoint, server, ca, mailport, provider=MICROSOFT)


async def test_given_smtp_auth_switched_off_when_the_fix_is_applied_then_graph_sends(
    peers: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Issue 6's "graph instead of smtp": advised, taken by Configure as it is, and it works."""

    async def resolve(_: SystemResolver, host: str, port: int) -> tuple[PeerAddress, ...]:
        return (PeerAddress("127.0.0.1", peers.server.port if host == OUTLOOK else port, 4),)

    monkeypatch.setattr(SystemResolver, "resolve", resolve)
    off = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant."
    settings = peers.settings()
    settings.smtp.host, settings.smtp.port = OUTLOOK, 587
    settings.oauth.scopes[:] = [SMTP, SEND, OFFLINE]
    peers.endpoint.answers[:] = [tokens()]
    await configure(peers.stub, settings)
    await consent(peers)
    peers.server.plan["auth"] = off
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await validate(peers.stub)
    failure = failure_of(refused.value)
    (fix,) = failure.fixes
    fixed = applied(settings, fix)

    async with started_graph() as graph:
        token = graph.graph.access_token(ROBOT, "Mail.Send")
        apply_change(fixed, Change(("graph", "base_url"), graph.root))  # where Graph is in this test
        peers.endpoint.answers[:] = [tokens(2, access_token=token)]
        stored = await configure(peers.stub, fixed)
        proven = await validate(peers.stub)
        await sent(peers.stub, "by Graph")
        subjects = [each.fields.subject for each in graph.graph.sent()]

    assert failure.reason == "SMTP_AUTH_DISABLED"
    assert "send through Microsoft Graph" in failure.remedy
    assert (fix.field, fix.value, fix.also[0].field) == ("settings.graph", "{}", "settings.oauth.scopes")
    assert stored.draft.state == READY, "both scopes were consented to at once"
    assert proven.active.settings.WhichOneof("transport") == "graph"
    assert subjects[0] == "by Graph"


async def consent(peers: Scripted) -> None:
    session = await authorize(peers.stub)
    await complete(peers.stub, returned(session, code="C0DE"))


async def test_given_graph_settings_when_read_then_the_root_of_the_sandbox_is_theirs(mailport: Mailport) -> None:
    await configure(mailport.stub, graph_settings(mailport))

    assert (await read(mailport.stub)).draft.settings.graph.base_url == graph_root(mailport)
