"""A real submission server: Dovecot over STARTTLS and implicit TLS, with basic authentication."""

from __future__ import annotations

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import BasicAuthentication, ConnectionSecurity
from tests.integration.smtp.sending import (
    IMPLICIT_TLS,
    ROBOT,
    STARTTLS,
    Sender,
    failure_of,
    some_settings,
    step_of,
)
from tests.peers.dovecot import Dovecot

MODES = pytest.mark.parametrize("security", [STARTTLS, IMPLICIT_TLS])


def port_of(dovecot: Dovecot, security: ConnectionSecurity) -> int:
    return dovecot.submission if security is STARTTLS else dovecot.submissions


@MODES
async def test_given_basic_settings_when_sent_then_the_mail_is_in_the_mailbox(
    sender: Sender, dovecot: Dovecot, security: ConnectionSecurity
) -> None:
    recipient = f"inbox-{security.lower()}@example.test"
    settings = some_settings(port_of(dovecot, security), security=security, authentication=ROBOT)

    report = await sender.submit(settings, recipient)

    assert report.failure is None
    assert [verdict.is_accepted for verdict in report.verdicts] == [True]
    assert report.verdicts[0].reply.startswith("250 ")
    assert b"\nHello\n" in dovecot.mail_of(recipient)[0]
    assert sender.passed_no_return == 1


@MODES
async def test_given_a_lane_when_mails_follow_each_other_then_dovecot_takes_them_over_one_session(
    sender: Sender, dovecot: Dovecot, security: ConnectionSecurity
) -> None:
    """Dovecot offers PIPELINING, so that its answers to a group are a real server's."""
    settings = some_settings(port_of(dovecot, security), security=security, authentication=ROBOT)
    recipients = [f"lane-{security.lower()}-{number}@example.test" for number in range(3)]

    reports = [await sender.submit(settings, recipient, lane="a") for recipient in recipients]

    assert [report.first_failure for report in reports] == [None] * 3
    assert [len(dovecot.mail_of(recipient)) for recipient in recipients] == [1] * 3
    assert [report.trace.steps[0].detail.partition(":")[0] for report in reports[1:]] == ["reused"] * 2


@MODES
async def test_given_a_sent_mail_when_traced_then_each_stage_tells_what_happened(
    sender: Sender, dovecot: Dovecot, security: ConnectionSecurity
) -> None:
    port = port_of(dovecot, security)
    settings = some_settings(port, security=security, authentication=ROBOT)

    report = await sender.submit(settings, "trace@example.test")

    secured = [Stage.EHLO, Stage.TLS, Stage.EHLO] if security is STARTTLS else [Stage.TLS, Stage.EHLO]
    stages = [Stage.DNS, Stage.CONNECT, *secured, Stage.AUTH, Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA]
    assert [step.stage for step in report.trace.steps] == stages
    assert all(step.succeeded for step in report.trace.steps)
    assert step_of(report, Stage.CONNECT).peer == f"127.0.0.1:{port}"
    tls = step_of(report, Stage.TLS).tls
    assert tls is not None
    assert tls.version == "TLSv1.3"
    assert (tls.certificate_subject, tls.certificate_issuer) == ("dovecot", "mailport test CA")
    assert tls.certificate_expire_time is not None
    assert tls.certificate_expire_time > report.trace.start_time
    assert step_of(report, Stage.AUTH).detail == "PLAIN"
    assert step_of(report, Stage.RCPT_TO).detail == "1 of 1 accepted"


@MODES
async def test_given_a_wrong_password_when_sent_then_the_sign_in_was_refused_and_nothing_left(
    sender: Sender, dovecot: Dovecot, security: ConnectionSecurity
) -> None:
    wrong = BasicAuthentication(username="robot@example.test", password=Secret("not it"))
    settings = some_settings(port_of(dovecot, security), security=security, authentication=wrong)

    report = await sender.submit(settings)

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.AUTH_REJECTED,
        FailureKind.MISCONFIGURED,
        Stage.AUTH,
    )
    assert failure.provider_code.startswith("535")
    assert sender.passed_no_return == 0


async def test_given_a_relay_that_refuses_one_recipient_when_sent_then_the_others_get_the_mail(
    sender: Sender, dovecot: Dovecot
) -> None:
    dovecot.relay.refuse["gone@example.test"] = "550 5.1.1 No such user"
    settings = some_settings(dovecot.submission, security=STARTTLS, authentication=ROBOT)

    report = await sender.submit(settings, "here@example.test", "gone@example.test")

    here, gone = report.verdicts
    assert here.is_accepted
    assert gone.failure is not None
    assert gone.failure.reason is Reason.RECIPIENT_UNKNOWN
    assert len(dovecot.mail_of("here@example.test")) == 1
