"""Real input through gRPC: many recipients, other programs' messages, empty bodies, limits."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.test_journey import details, reason, settled_attempt

ADDRESS_WITH_A_COMMAND = delivery_pb2.Address(address="a@example.com\r\nRCPT TO:<eve@example.net>")
FILE_WITH_A_LINE_BREAK = delivery_pb2.Attachment(file_name="a\nb", content=b"x")


async def test_given_a_hundred_recipients_when_three_are_refused_then_the_rest_have_one_copy(
    mailport: Mailport,
) -> None:
    await mailport.configure()
    refused = {"gone@a.example", "gone@b.example", "full@a.example"}
    everybody = sorted(refused | {f"r{number}@example.com" for number in range(97)})
    message = a_message(
        to=[delivery_pb2.Address(address=each) for each in everybody[:50]],
        bcc=[delivery_pb2.Address(address=each) for each in everybody[50:]],
    )

    sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=message, wait=True))

    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_PARTIALLY_SENT
    rejected = {
        result.address for result in sent.delivery.recipients if result.state == delivery_pb2.RECIPIENT_STATE_REJECTED
    }
    assert rejected == refused
    assert all(result.failure.remedy for result in sent.delivery.recipients if result.address in refused)
    (mail,) = [mail for mail in mailport.sandbox.inbox if mail.subject == "Disk full"]
    assert set(mail.recipients) == set(everybody) - refused
    assert b"bcc" not in mail.raw.lower().split(b"\r\n\r\n")[0]


async def test_given_a_raw_message_of_another_program_when_sent_then_arrives_without_its_bcc(
    mailport: Mailport,
) -> None:
    """F09: recipients come from its header; the Bcc line does not leave."""
    await mailport.configure()
    raw = (
        b"From: Robot <robot@sandbox.example>\nTo: anna@example.com\nBcc: secret@example.com\n"
        b"Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\nMessage-ID: <other-program-1@sandbox.example>\n"
        b"Date: Sun, 01 Nov 2026 12:00:00 +0000\nMIME-Version: 1.0\n"
        b"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGr\xc3\xbc\xc3\x9fe\n.\n"
    )

    sent = await mailport.stub.Send(
        api.SendRequest(configuration_id="alerts", message=delivery_pb2.Message(raw_mime=raw), wait=True)
    )

    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    assert sent.delivery.message_id == "<other-program-1@sandbox.example>"
    (mail,) = [mail for mail in mailport.sandbox.inbox if mail.subject == "Größe"]
    assert set(mail.recipients) == {"anna@example.com", "secret@example.com"}
    assert b"secret@" not in mail.raw
    assert mail.contents().text_body.splitlines() == ["Grüße", "."]


async def test_given_an_empty_body_when_sent_then_arrives_empty(mailport: Mailport) -> None:
    await mailport.configure()

    sent = await mailport.stub.Send(
        api.SendRequest(configuration_id="alerts", message=a_message(text_body=""), wait=True)
    )

    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    (mail,) = [mail for mail in mailport.sandbox.inbox if mail.subject == "Disk full"]
    assert mail.contents().text_body.strip() == ""


async def test_given_an_international_domain_when_sent_then_the_wire_has_a_labels(mailport: Mailport) -> None:
    """F03."""
    await mailport.configure()
    message = a_message(to=[delivery_pb2.Address(address="info@bücher.example", name="Jörg, Müller")])

    sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=message, wait=True))

    assert sent.delivery.recipients[0].address == "info@xn--bcher-kva.example"
    (mail,) = [mail for mail in mailport.sandbox.inbox if mail.subject == "Disk full"]
    assert mail.recipients == ("info@xn--bcher-kva.example",)
    assert mail.raw.isascii()


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (a_message(subject="Hi\r\nBcc: eve@example.net"), "message.subject"),
        (
            a_message(to=[delivery_pb2.Address(address="a@example.com\r\nRCPT TO:<e@x.example>")]),
            "message.to[0].address",
        ),
        (a_message(headers=[delivery_pb2.Header(name="X-A:\r\nBcc", value="x")]), "message.headers[0].name"),
        (a_message(headers=[delivery_pb2.Header(name="bcc", value="x@example.com")]), "message.headers[0].name"),
        (a_message(**{"from": delivery_pb2.Address(address="eve@example.net")}), "message.from"),
        (a_message(to=[]), "message.to"),
        (
            a_message(attachments=[delivery_pb2.Attachment(file_name="a\nb", content=b"x")]),
            "message.attachments[0].file_name",
        ),
    ],
)
async def test_given_a_wrong_message_when_sent_then_names_the_field_and_stores_nothing(
    mailport: Mailport, message: delivery_pb2.Message, field: str
) -> None:
    """F04, F09: refused where it enters, not in the sender loop."""
    await mailport.configure()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=message, idempotency_key="k1"))

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    bad = details(refused.value)["BadRequest"]
    assert isinstance(bad, error_details_pb2.BadRequest)
    assert any(violation.field.startswith(field) for violation in bad.field_violations)
    assert not (await mailport.stub.ListDeliveries(api.ListDeliveriesRequest())).deliveries
    again = await mailport.stub.Send(
        api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1")
    )
    assert not again.replayed


async def test_given_a_request_above_the_limit_when_sent_then_is_refused_and_nothing_stored(mailport: Mailport) -> None:
    """F43."""
    await mailport.configure()
    message = a_message(attachments=[delivery_pb2.Attachment(file_name="a.bin", content=b"x" * (33 * 1024 * 1024))])

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=message))

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not (await mailport.stub.ListDeliveries(api.ListDeliveriesRequest())).deliveries


async def test_given_graph_settings_that_nobody_consented_to_when_proven_then_a_consent_is_asked_for(
    mailport: Mailport,
) -> None:
    settings = configuration_pb2.Settings(
        from_address="robot@example.com",
        graph=configuration_pb2.GraphTransport(),
        oauth=configuration_pb2.OAuthAuthentication(
            provider=configuration_pb2.OAUTH_PROVIDER_MICROSOFT,
            client_id="11111111-2222-3333-4444-555555555555",
            client_secret="CS-SECRET",
            scopes=["https://graph.microsoft.com/Mail.Send"],
            username="robot@example.com",
        ),
    )
    configured = await mailport.stub.Configure(api.ConfigureRequest(configuration_id="graph", settings=settings))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id="graph", user_email="admin@example.com")
        )

    draft = configured.configuration.draft
    assert draft.state == configuration_pb2.REVISION_STATE_NEEDS_AUTHORIZATION
    assert draft.settings.oauth.client_secret_set
    assert not draft.settings.oauth.client_secret
    assert "offline_access" in draft.settings.oauth.scopes
    assert any(warning.reason == "OFFLINE_ACCESS_ADDED" for warning in configured.warnings)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refused.value) == "NEEDS_AUTHORIZATION"


async def test_given_a_greylisting_server_when_sent_then_the_same_message_waits_for_its_next_attempt(
    mailport: Mailport,
) -> None:
    """F11, F21: one Message-ID, a stored time for the next attempt, nothing lost and nothing hammered."""
    await mailport.configure()
    message = a_message(to=[delivery_pb2.Address(address="greylist@example.com")])

    accepted = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=message))

    delivery = await settled_attempt(mailport, accepted.delivery.delivery_id)
    wait = delivery.next_attempt_time.ToDatetime() - delivery.update_time.ToDatetime()
    assert delivery.state == delivery_pb2.DELIVERY_STATE_RETRYING
    assert delivery.message_id == accepted.delivery.message_id
    assert timedelta(minutes=1) <= wait <= timedelta(minutes=30)
    assert delivery.failure.kind == failure_pb2.FAILURE_KIND_TRANSIENT
