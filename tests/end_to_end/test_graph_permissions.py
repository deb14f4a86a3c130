"""What an account may do at Graph, told by the proofs and by Send; and that Google has no such way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc
import pytest

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.graph.directory import MailboxState, Right
from service.sandbox.graph.operations import Operation
from service.sandbox.identity.behaviour import Behaviour
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.consents import USER_EMAIL, configure, consented, reaches, sandbox_settings, sent, validate
from tests.end_to_end.graphs import (
    ACCOUNT,
    SEND,
    SEND_SHARED,
    WRITE,
    graph_root,
    graph_settings,
    ready,
    simulator,
)
from tests.end_to_end.test_journey import details, reason

TEAM = "team@sandbox.example"
SHARED = "shared@sandbox.example"
APP = configuration_pb2.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS
NO_DRAFT = configuration_pb2.REVISION_STATE_READY_TO_VALIDATE


async def refused(mailport: Mailport, call: str, name: str = "alerts") -> failure_pb2.Failure:
    """Returns why a proof was refused; nothing is saved, and nothing was sent."""
    stub = mailport.stub
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "ValidateAndSave": lambda: stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id=name, user_email=USER_EMAIL)
        ),
        "SendTest": lambda: stub.SendTest(api.SendTestRequest(configuration_id=name, to=USER_EMAIL)),
        "CheckAccount": lambda: stub.CheckAccount(api.CheckAccountRequest(configuration_id=name)),
    }
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await calls[call]()
    failure = details(error.value)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)
    found = await stub.GetConfiguration(api.GetConfigurationRequest(configuration_id=name))
    assert not found.configuration.HasField("active")
    assert len(mailport.sandbox.inbox) == 0
    return failure


PROOFS = ["ValidateAndSave", "SendTest", "CheckAccount"]


def app_settings(mailport: Mailport, mailbox: str = "") -> configuration_pb2.Settings:
    """Returns settings of an app on its own, which needs no person."""
    settings = graph_settings(mailport, account=ACCOUNT, mailbox=mailbox)
    settings.oauth.grant_type = APP
    settings.oauth.ClearField("authorization_endpoint")
    return settings


async def test_given_an_app_on_its_own_when_set_up_then_it_sends_from_the_mailbox_that_is_named(
    mailport: Mailport,
) -> None:
    drafted = await configure(mailport.stub, app_settings(mailport, TEAM))
    await validate(mailport.stub)
    checked = await mailport.stub.CheckAccount(api.CheckAccountRequest(configuration_id="alerts"))
    await sent(mailport.stub, "From the app")

    assert drafted.draft.state == NO_DRAFT
    assert list(drafted.draft.settings.oauth.scopes) == ["https://graph.microsoft.com/.default"]
    assert checked.trace.steps[-1].succeeded
    requests = simulator(mailport).records
    assert {each.mailbox for each in requests} == {TEAM}
    assert {each.operation for each in requests if each.operation is Operation.SEND_MAIL} == {Operation.SEND_MAIL}
    assert mailport.sandbox.identity.counters(Behaviour.MICROSOFT).consents == 0


@pytest.mark.parametrize("call", PROOFS)
async def test_given_an_app_without_permission_when_proven_then_mail_send_is_named(
    mailport: Mailport, call: str
) -> None:
    simulator(mailport).directory.app_roles = frozenset({"user.read.all"})
    await configure(mailport.stub, app_settings(mailport, TEAM))

    failure = await refused(mailport, call)

    assert failure.reason in ("PERMISSION_MISSING", "MISSING_SCOPE")
    assert failure.kind == failure_pb2.FAILURE_KIND_MISCONFIGURED
    assert failure.stage == failure_pb2.FAILURE_STAGE_API
    assert "Mail.Send" in failure.cause + failure.remedy
    assert "admin" in failure.remedy


@pytest.mark.parametrize("call", PROOFS)
async def test_given_an_access_policy_that_leaves_the_mailbox_out_when_proven_then_the_policy_is_named(
    mailport: Mailport, call: str
) -> None:
    simulator(mailport).directory.app_mailboxes = frozenset({"else@sandbox.example"})
    await configure(mailport.stub, app_settings(mailport, TEAM))

    failure = await refused(mailport, call)

    assert failure.reason == "PERMISSION_MISSING"
    assert "access policy" in failure.cause


async def test_given_a_shared_mailbox_when_the_user_has_its_rights_then_mail_is_from_it(mailport: Mailport) -> None:
    await ready(mailport, graph_settings(mailport, SEND_SHARED, mailbox=SHARED))
    await sent(mailport.stub, "From all of us")

    assert list(mailport.sandbox.inbox)[-1].sender == SHARED
    assert {each.mailbox for each in simulator(mailport).records} == {SHARED}


@pytest.mark.parametrize("call", PROOFS[:2])
async def test_given_a_shared_mailbox_without_the_right_to_send_as_it_when_proven_then_send_as_is_named(
    mailport: Mailport, call: str
) -> None:
    simulator(mailport).directory.allow(ACCOUNT, TEAM, Right.FULL_ACCESS)
    await configure(mailport.stub, graph_settings(mailport, SEND_SHARED, mailbox=TEAM))
    await consented(mailport, ACCOUNT)

    failure = await refused(mailport, call)

    assert (failure.reason, failure.kind) == ("SENDER_REFUSED", failure_pb2.FAILURE_KIND_MISCONFIGURED)
    assert "Send As" in failure.remedy


async def test_given_a_shared_mailbox_when_the_scope_for_it_is_missing_then_configure_names_it(
    mailport: Mailport,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await configure(mailport.stub, graph_settings(mailport, SEND, mailbox=SHARED))

    (violation,) = details(error.value)["BadRequest"].field_violations  # type: ignore[attr-defined]
    assert (violation.field, violation.reason) == ("settings.oauth.scopes", "SCOPE_NEEDED")
    assert SEND_SHARED in violation.description


@pytest.mark.parametrize("call", PROOFS)
async def test_given_a_user_without_a_mailbox_when_proven_then_the_licence_is_named(
    mailport: Mailport, call: str
) -> None:
    simulator(mailport).directory.set_state(ACCOUNT, MailboxState.NOT_ENABLED)
    await configure(mailport.stub, graph_settings(mailport))
    await consented(mailport, ACCOUNT)

    failure = await refused(mailport, call)

    assert failure.reason == "MAILBOX_NOT_FOUND"
    assert "licence" in failure.remedy


async def test_given_no_permission_to_write_when_proven_and_sent_then_only_what_needs_it_is_refused_and_named(
    mailport: Mailport,
) -> None:
    """F35 (e): Mail.ReadWrite is for large files alone, so that no proof asks for it; without it nothing is sent."""
    await ready(mailport, graph_settings(mailport, SEND))
    large = delivery_pb2.Attachment(file_name="a.bin", content=b"a" * 3_800_000)

    await sent(mailport.stub, "small")
    request = api.SendRequest(configuration_id="alerts", message=a_message(subject="large", attachments=[large]))
    delivery_id = (await mailport.stub.Send(request)).delivery.delivery_id
    delivery = await reaches(mailport.stub, delivery_id, delivery_pb2.DELIVERY_STATE_RETRYING)

    assert delivery.failure.reason == "MISSING_SCOPE"
    assert "Mail.ReadWrite" in delivery.failure.cause
    assert WRITE in delivery.failure.fixes[0].value.split()
    assert [each.subject for each in list(mailport.sandbox.inbox)[1:]] == ["small"]
    assert simulator(mailport).drafts() == []


GOOGLE_HOST = "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize(
    ("told_by", "field"),
    [
        ("provider", "settings.oauth.provider"),
        ("token endpoint", "settings.oauth.token_endpoint"),
        ("base url", "settings.graph.base_url"),
        ("scope", "settings.oauth.scopes[0]"),
    ],
)
async def test_given_google_when_graph_is_configured_then_it_is_refused_and_smtp_is_named(
    mailport: Mailport, told_by: str, field: str
) -> None:
    settings = graph_settings(mailport)
    match told_by:
        case "provider":
            settings.oauth.provider = configuration_pb2.OAUTH_PROVIDER_GOOGLE
        case "token endpoint":
            settings.oauth.provider = configuration_pb2.OAUTH_PROVIDER_CUSTOM
            settings.oauth.token_endpoint = GOOGLE_HOST
        case "base url":
            settings.graph.base_url = "https://gmail.googleapis.com"
        case _:
            settings.oauth.provider = configuration_pb2.OAUTH_PROVIDER_CUSTOM
            settings.oauth.scopes[:] = ["https://mail.google.com/"]

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await configure(mailport.stub, settings)

    found = {(each.field, each.reason) for each in details(error.value)["BadRequest"].field_violations}  # type: ignore[attr-defined]
    assert (field, "GRAPH_NOT_FOR_GOOGLE") in found
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert not (await mailport.stub.ListConfigurations(api.ListConfigurationsRequest())).configurations


async def test_given_unsaved_graph_settings_of_google_when_tested_then_they_are_refused_alike(
    mailport: Mailport,
) -> None:
    settings = sandbox_settings(mailport, Behaviour.GOOGLE, ACCOUNT)
    settings.graph.base_url = graph_root(mailport)

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await mailport.stub.SendTest(api.SendTestRequest(to=USER_EMAIL, settings=settings))

    assert reason(error.value) == "GRAPH_NOT_FOR_GOOGLE"
    assert len(simulator(mailport).records) == 0
