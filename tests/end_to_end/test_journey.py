"""The main job from end to end: configure, prove, send, follow, read in the inbox."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from mailport.v1 import (
    configuration_pb2,
    delivery_pb2,
    failure_pb2,
)
from mailport.v1 import (
    mail_service_pb2 as api,
)
from tests.end_to_end.conftest import Mailport, a_message

SOON = timedelta(seconds=20)


def details(error: grpc.aio.AioRpcError) -> dict[str, object]:
    """Returns the error's google.rpc details by their message's name."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    found: dict[str, object] = {}
    kinds = (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.PreconditionFailure,
        error_details_pb2.RetryInfo,
        error_details_pb2.Help,
        failure_pb2.Failure,
        failure_pb2.Trace,
    )
    for detail in status.details:
        for kind in kinds:
            message = kind()
            if detail.Unpack(message):
                found[kind.DESCRIPTOR.name] = message
    return found


def reason(error: grpc.aio.AioRpcError) -> str:
    info = details(error)["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert info.domain == "mailport"
    return str(info.reason)


async def test_given_the_sandbox_when_the_whole_journey_is_made_then_the_mail_is_in_the_inbox(
    mailport: Mailport,
) -> None:
    stub = mailport.stub
    options = await stub.GetOptions(api.GetOptionsRequest())
    configured = await stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=mailport.settings()))
    tested = await stub.SendTest(api.SendTestRequest(configuration_id="alerts", to="admin@sandbox.example"))
    validated = await stub.ValidateAndSave(
        api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@sandbox.example")
    )

    sent = await stub.Send(
        api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1", wait=True)
    )

    assert options.callback_url.endswith("/oauth/callback")
    assert configured.configuration.draft.state == configuration_pb2.REVISION_STATE_READY_TO_VALIDATE
    assert not configured.configuration.HasField("active")
    assert tested.tested == api.TESTED_SETTINGS_DRAFT
    assert tested.trace.steps[0].stage == failure_pb2.FAILURE_STAGE_DNS
    assert validated.configuration.active.state == configuration_pb2.REVISION_STATE_ACTIVE
    assert not validated.configuration.HasField("draft")
    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    followed = (await stub.GetDelivery(api.GetDeliveryRequest(delivery_id=sent.delivery.delivery_id))).delivery
    assert followed.attempt_count == 1
    assert [step.succeeded for step in followed.attempts[0].trace.steps] == [True] * len(
        followed.attempts[0].trace.steps
    )
    received = await mailport.sandbox.inbox.wait_for(lambda mail: mail.subject == "Disk full", SOON)
    assert received.message_id == sent.delivery.message_id
    assert received.recipients == ("anna@example.com",)
    assert received.tls_version == "TLSv1.3"


async def test_given_a_stored_password_when_anything_is_read_then_it_is_nowhere(mailport: Mailport) -> None:
    """P14: write only."""
    await mailport.configure()

    one = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
    listed = await mailport.stub.ListConfigurations(api.ListConfigurationsRequest())

    assert mailport.sandbox.password not in f"{one}{listed}"
    assert one.configuration.active.settings.basic.password_set
    assert listed.configurations[0].active.settings.basic.password_set


async def test_given_a_key_used_before_when_sent_again_then_answers_the_first_delivery_and_sends_nothing(
    mailport: Mailport,
) -> None:
    await mailport.configure()
    request = api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1", wait=True)
    first = await mailport.stub.Send(request)

    again = await mailport.stub.Send(request)

    assert again.replayed
    assert again.delivery.delivery_id == first.delivery.delivery_id
    copies = [mail for mail in mailport.sandbox.inbox if mail.subject == "Disk full"]
    assert len(copies) == 1


async def test_given_a_key_used_before_when_sent_with_other_content_then_is_refused_and_nothing_stored(
    mailport: Mailport,
) -> None:
    await mailport.configure()
    await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1"))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Send(
            api.SendRequest(configuration_id="alerts", message=a_message(subject="Other"), idempotency_key="k1")
        )

    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert reason(refused.value) == "IDEMPOTENCY_KEY_REUSED"
    listed = await mailport.stub.ListDeliveries(api.ListDeliveriesRequest())
    assert len(listed.deliveries) == 1


async def test_given_a_wrong_password_when_validated_then_says_so_and_the_active_settings_stay(
    mailport: Mailport,
) -> None:
    await mailport.configure()
    before = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
    wrong = mailport.settings()
    wrong.basic.password = "not-the-password"
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=wrong))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@sandbox.example")
        )

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refused.value) == "AUTH_REJECTED"
    found = details(refused.value)
    failure, trace = found["Failure"], found["Trace"]
    assert isinstance(failure, failure_pb2.Failure)
    assert isinstance(trace, failure_pb2.Trace)
    assert failure.stage == failure_pb2.FAILURE_STAGE_AUTH
    assert failure.provider_code.startswith("535")
    assert failure.remedy
    assert trace.steps[-1].stage == failure_pb2.FAILURE_STAGE_AUTH
    assert not trace.steps[-1].succeeded
    after = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
    assert after.configuration.active == before.configuration.active
    sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=a_message(), wait=True))
    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT


async def test_given_a_confirmation_wanted_when_the_mailed_code_comes_back_then_is_active(mailport: Mailport) -> None:
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=mailport.settings()))
    validated = await mailport.stub.ValidateAndSave(
        api.ValidateAndSaveRequest(
            configuration_id="alerts", user_email="admin@sandbox.example", require_confirmation=True
        )
    )
    mail = await mailport.sandbox.inbox.wait_for(lambda mail: "admin@sandbox.example" in mail.recipients, SOON)
    code = re.search(r"\b\d{8}\b", mail.contents().text_body)
    assert code is not None

    confirmed = await mailport.stub.ConfirmValidation(
        api.ConfirmValidationRequest(configuration_id="alerts", code=code.group())
    )

    assert validated.configuration.draft.state == configuration_pb2.REVISION_STATE_AWAITING_CONFIRMATION
    assert validated.HasField("confirmation_expire_time")
    assert confirmed.configuration.active.state == configuration_pb2.REVISION_STATE_ACTIVE


async def test_given_many_calls_at_once_when_none_names_an_etag_then_each_is_answered_in_its_turn(
    mailport: Mailport,
) -> None:
    """F47: forty drafts, forty guesses, and the right code ten times."""
    stub, configuration_id = mailport.stub, "alerts"
    configure = api.ConfigureRequest(configuration_id=configuration_id, settings=mailport.settings())

    async def answers(code: str, count: int) -> Counter[str]:
        request = api.ConfirmValidationRequest(configuration_id=configuration_id, code=code)
        results = await asyncio.gather(*(stub.ConfirmValidation(request) for _ in range(count)), return_exceptions=True)
        return Counter(reason(each) if isinstance(each, grpc.aio.AioRpcError) else "" for each in results)

    async def mailed_code(nth: int) -> str:
        await stub.ValidateAndSave(
            api.ValidateAndSaveRequest(
                configuration_id=configuration_id, user_email=f"admin{nth}@sandbox.example", require_confirmation=True
            )
        )
        mail = await mailport.sandbox.inbox.wait_for(
            lambda mail: f"admin{nth}@sandbox.example" in mail.recipients, SOON
        )
        code = re.search(r"\b\d{8}\b", mail.contents().text_body)
        assert code is not None
        return code.group()

    configured = await asyncio.gather(*(stub.Configure(configure) for _ in range(40)))
    first = await mailed_code(1)
    guessed = await answers(f"{(int(first) + 1) % 10**8:08}", 40)
    confirmed = await answers(await mailed_code(2), 10)

    assert sorted(each.configuration.draft.number for each in configured) == list(range(1, 41))
    assert guessed == {"CONFIRMATION_CODE_WRONG": 5, "CONFIRMATION_EXPIRED": 35}
    assert confirmed == {"": 1, "NO_CONFIRMATION_PENDING": 9}


async def test_given_one_gone_and_one_greylisted_recipient_when_sent_then_each_has_its_own_answer(
    mailport: Mailport,
) -> None:
    """F20 through gRPC."""
    await mailport.configure()
    message = a_message(
        to=[
            delivery_pb2.Address(address=address)
            for address in ("ok@example.com", "gone@example.com", "greylist@example.com")
        ]
    )

    accepted = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=message))

    await mailport.sandbox.inbox.wait_for(lambda mail: "ok@example.com" in mail.recipients, SOON)
    delivery = await settled_attempt(mailport, accepted.delivery.delivery_id)
    states = {result.address: result.state for result in delivery.recipients}
    assert delivery.state == delivery_pb2.DELIVERY_STATE_RETRYING
    assert states == {
        "ok@example.com": delivery_pb2.RECIPIENT_STATE_SENT,
        "gone@example.com": delivery_pb2.RECIPIENT_STATE_REJECTED,
        "greylist@example.com": delivery_pb2.RECIPIENT_STATE_PENDING,
    }
    assert delivery.HasField("next_attempt_time")


async def settled_attempt(mailport: Mailport, delivery_id: str) -> delivery_pb2.Delivery:
    """Waits until the delivery's first attempt is recorded."""
    assert mailport.service.parts is not None
    async with mailport.service.parts.signals().listen(delivery_id) as news:
        while True:
            found = await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))
            if found.delivery.attempts and found.delivery.attempts[0].HasField("end_time"):
                return found.delivery
            assert await news.changed(SOON)


async def test_given_nothing_active_when_sent_then_says_not_configured(mailport: Mailport) -> None:
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=mailport.settings()))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=a_message()))

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refused.value) == "NOT_CONFIGURED"


async def test_given_no_address_of_the_user_when_validated_then_asks_for_one_and_connects_nowhere(
    mailport: Mailport,
) -> None:
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=mailport.settings()))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(api.ValidateAndSaveRequest(configuration_id="alerts"))

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refused.value) == "USER_EMAIL_MISSING"
    assert len(mailport.sandbox.inbox) == 0


async def test_given_many_wrong_fields_when_configured_then_names_them_all(mailport: Mailport) -> None:
    settings = configuration_pb2.Settings(
        from_address="not an address",
        smtp=configuration_pb2.SmtpTransport(host="https://smtp.example.com", port=70_000),
        basic=configuration_pb2.BasicAuthentication(username=""),
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=settings))

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    bad = details(refused.value)["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    fields = {violation.field for violation in bad.field_violations}
    assert fields == {
        "settings.from_address",
        "settings.smtp.host",
        "settings.smtp.port",
        "settings.basic.username",
        "settings.basic.password",
    }
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND


async def test_given_a_stale_etag_when_configured_then_is_aborted(mailport: Mailport) -> None:
    first = await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=mailport.settings()))
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=mailport.settings()))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Configure(
            api.ConfigureRequest(configuration_id="alerts", settings=mailport.settings(), etag=first.configuration.etag)
        )

    assert refused.value.code() is grpc.StatusCode.ABORTED
    assert reason(refused.value) == "ETAG_MISMATCH"


async def test_given_a_pasted_code_when_explained_then_there_is_a_cause_and_a_next_step(mailport: Mailport) -> None:
    explained = await mailport.stub.Explain(api.ExplainRequest(text="535 5.7.139"))

    assert explained.failure.reason == "SIGN_IN_BLOCKED"
    assert explained.failure.remedy
    assert explained.recognized


async def test_given_unsaved_settings_when_tested_then_sends_and_saves_nothing(mailport: Mailport) -> None:
    tested = await mailport.stub.SendTest(api.SendTestRequest(to="admin@sandbox.example", settings=mailport.settings()))

    assert tested.tested == api.TESTED_SETTINGS_UNSAVED
    assert len(mailport.sandbox.inbox) == 1
    listed = await mailport.stub.ListConfigurations(api.ListConfigurationsRequest())
    assert not listed.configurations


async def test_given_a_twenty_mebibyte_attachment_when_sent_then_arrives_byte_for_byte(mailport: Mailport) -> None:
    await mailport.configure()
    content = bytes(range(256)) * (20 * 1024 * 4)
    message = a_message(
        attachments=[
            delivery_pb2.Attachment(file_name="dump.bin", content_type="application/octet-stream", content=content)
        ]
    )

    sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=message, wait=True), timeout=60)

    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    mail = await mailport.sandbox.inbox.wait_for(lambda mail: mail.subject == "Disk full", SOON)
    assert mail.contents().attachments[0].content == content
