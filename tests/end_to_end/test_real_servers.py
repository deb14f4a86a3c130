"""Against Dovecot's submission service, through gRPC: basic authentication over both TLS modes."""

from __future__ import annotations

import grpc
import pytest

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.test_journey import details, reason
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot

STARTTLS = configuration_pb2.CONNECTION_SECURITY_STARTTLS
IMPLICIT = configuration_pb2.CONNECTION_SECURITY_IMPLICIT_TLS


def settings(
    dovecot: Dovecot, ca: TestCA, security: configuration_pb2.ConnectionSecurity.ValueType
) -> configuration_pb2.Settings:
    port = dovecot.submission if security == STARTTLS else dovecot.submissions
    return configuration_pb2.Settings(
        from_address="robot@example.test",
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=port, security=security, ca_certificates=ca.pem),
        basic=configuration_pb2.BasicAuthentication(username="robot@example.test", password="s3cr3t!"),
    )


@pytest.mark.parametrize(
    ("security", "recipient"), [(STARTTLS, "starttls@example.test"), (IMPLICIT, "tls@example.test")]
)
async def test_given_dovecot_when_configured_proven_and_sent_then_the_mail_lies_in_the_mailbox(
    mailport: Mailport,
    dovecot: Dovecot,
    ca: TestCA,
    security: configuration_pb2.ConnectionSecurity.ValueType,
    recipient: str,
) -> None:
    await mailport.configure(settings(dovecot, ca, security))

    sent = await mailport.stub.Send(
        api.SendRequest(
            configuration_id="alerts",
            message=a_message(to=[delivery_pb2.Address(address=recipient)], subject="Größe"),
            wait=True,
        )
    )

    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    (mail,) = dovecot.mail_of(recipient)
    assert sent.delivery.message_id.encode() in mail
    assert b"Bcc" not in mail


async def test_given_a_ca_that_is_not_trusted_when_validated_then_says_untrusted_and_nothing_is_saved(
    mailport: Mailport, dovecot: Dovecot, ca: TestCA
) -> None:
    """F17: the system's authorities do not know this one."""
    unknown = settings(dovecot, ca, STARTTLS)
    unknown.smtp.ca_certificates = ""
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=unknown))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@example.test")
        )

    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(refused.value) == "CERT_UNTRUSTED"
    failure = details(refused.value)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)
    assert failure.stage == failure_pb2.FAILURE_STAGE_TLS
    found = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="alerts"))
    assert not found.configuration.HasField("active")


async def test_given_the_wrong_tls_mode_when_validated_then_the_fix_makes_it_pass(
    mailport: Mailport, dovecot: Dovecot, ca: TestCA
) -> None:
    """F14 (a): what the failure offers as a fix is the cure."""
    wrong = settings(dovecot, ca, STARTTLS)
    wrong.smtp.security = IMPLICIT
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=wrong))
    request = api.ValidateAndSaveRequest(configuration_id="alerts", user_email="admin@example.test")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(request)
    failure = details(refused.value)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)

    (fix,) = failure.fixes
    wrong.smtp.security = configuration_pb2.ConnectionSecurity.Value(fix.value)
    await mailport.stub.Configure(api.ConfigureRequest(configuration_id="alerts", settings=wrong))
    validated = await mailport.stub.ValidateAndSave(request)

    assert failure.reason == "TLS_MODE_MISMATCH"
    assert fix.field == "settings.smtp.security"
    assert validated.configuration.active.settings.smtp.security == STARTTLS
