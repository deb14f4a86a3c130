"""Clients that no person consents for: configured, proven, and mail goes out, without Authorize."""

from __future__ import annotations

from datetime import UTC

import grpc
import pytest

from mailport.v1 import configuration_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.identity.behaviour import Behaviour
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import (
    PROVIDER,
    USER_EMAIL,
    configure,
    read,
    sandbox_settings,
    sent,
    subjects_to,
    validate,
)
from tests.end_to_end.test_journey import reason

ACCOUNT = "alerts@sandbox.example"
APP = configuration_pb2.OAUTH_GRANT_TYPE_CLIENT_CREDENTIALS
SERVICE_ACCOUNT = configuration_pb2.OAUTH_GRANT_TYPE_JWT_BEARER
KINDS = [(Behaviour.MICROSOFT, APP), (Behaviour.STRICT, APP), (Behaviour.GOOGLE, SERVICE_ACCOUNT)]
CALLS = {APP: "client_credentials", SERVICE_ACCOUNT: "urn:ietf:params:oauth:grant-type:jwt-bearer"}


def settings(
    mailport: Mailport, behaviour: Behaviour, grant_type: configuration_pb2.OauthGrantType.ValueType
) -> configuration_pb2.Settings:
    identity, web_url = mailport.sandbox.identity, mailport.service.web_url
    is_account = grant_type == SERVICE_ACCOUNT
    known = identity.service_account_key(web_url, behaviour) if is_account else identity.client_secret(behaviour)
    result = sandbox_settings(mailport, behaviour, ACCOUNT)
    result.oauth.CopyFrom(
        configuration_pb2.OAuthAuthentication(
            provider=PROVIDER[behaviour],
            grant_type=grant_type,
            client_id="" if is_account else identity.client_id(behaviour),
            client_secret=known,
            token_endpoint=identity.endpoints(web_url, behaviour).token,
            scopes=["https://mail.sandbox.example/"] if behaviour is Behaviour.STRICT else [],
            username=ACCOUNT,
        )
    )
    return result


@pytest.mark.parametrize(("behaviour", "grant_type"), KINDS)
async def test_given_a_client_without_a_person_when_configured_and_proven_then_mail_goes_out(
    mailport: Mailport, behaviour: Behaviour, grant_type: configuration_pb2.OauthGrantType.ValueType
) -> None:
    stub, identity = mailport.stub, mailport.sandbox.identity
    drafted = await configure(stub, settings(mailport, behaviour, grant_type))

    validated = await validate(stub)
    await sent(stub, "first")
    await sent(stub, "second")

    assert drafted.draft.state == configuration_pb2.REVISION_STATE_READY_TO_VALIDATE
    assert drafted.draft.settings.oauth.client_secret_set
    assert validated.active.state == configuration_pb2.REVISION_STATE_ACTIVE
    found = await read(stub)
    assert found.health.state == configuration_pb2.HEALTH_STATE_HEALTHY
    assert found.grant.state == configuration_pb2.GRANT_STATE_FRESH
    assert found.grant.access_token_expire_time.ToDatetime(UTC) > found.update_time.ToDatetime(UTC)
    assert not found.HasField("consent")
    assert found.active.settings.oauth.grant_type == grant_type
    assert not found.active.settings.oauth.client_secret
    assert subjects_to(mailport, "anna@example.com", ACCOUNT) == ["first", "second"]
    counters = identity.counters(behaviour)
    assert counters.token_calls == {CALLS[grant_type]: 1}  # the proof's token is what both mails went out with
    assert counters.consents == 0


@pytest.mark.parametrize(("behaviour", "grant_type"), KINDS)
async def test_given_a_token_that_ends_before_its_time_when_sent_then_another_one_is_asked_for(
    mailport: Mailport, behaviour: Behaviour, grant_type: configuration_pb2.OauthGrantType.ValueType
) -> None:
    stub, identity = mailport.stub, mailport.sandbox.identity
    await configure(stub, settings(mailport, behaviour, grant_type))
    await validate(stub)

    assert identity.withdraw_access_tokens() == 1
    await sent(stub, "after all")

    assert identity.counters(behaviour).token_calls == {CALLS[grant_type]: 2}
    assert identity.counters(behaviour).mail_sign_ins["invalid_token"] == 1


@pytest.mark.parametrize(("behaviour", "grant_type"), KINDS)
async def test_given_a_client_without_a_person_when_authorize_is_called_then_nobody_is_sent_to_a_browser(
    mailport: Mailport, behaviour: Behaviour, grant_type: configuration_pb2.OauthGrantType.ValueType
) -> None:
    await configure(mailport.stub, settings(mailport, behaviour, grant_type))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Authorize(api.AuthorizeRequest(configuration_id="alerts"))

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_given_a_client_secret_that_the_provider_refuses_when_validated_then_nothing_is_saved(
    mailport: Mailport,
) -> None:
    stub = mailport.stub
    wrong = settings(mailport, Behaviour.MICROSOFT, APP)
    wrong.oauth.client_secret = "its-id-instead"
    await configure(stub, wrong)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.ValidateAndSave(api.ValidateAndSaveRequest(configuration_id="alerts", user_email=USER_EMAIL))

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refused.value) == "CLIENT_CONFIG"
    assert not (await read(stub)).HasField("active")
    assert len(mailport.sandbox.inbox) == 0
