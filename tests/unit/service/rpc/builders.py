"""Views that are valid by default, and secrets that must be found nowhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.address import EmailAddress, Host
from domain.configuration import Configuration, Revision
from domain.delivery import Attempt, Delivery, Recipient
from domain.errors import Warning
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.failures.trace import TlsSession, Trace, TraceStep
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import (
    BasicAuthentication,
    ConnectionSecurity,
    MailboxSettings,
    MailSettings,
    OAuthAuthentication,
    OAuthProvider,
    SmtpTransport,
)
from service.usecases.views import ConfigurationView, DeliveryView, view_configuration

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
PASSWORD = "CANARY-password-s3cr3t"
CLIENT_SECRET = "CANARY-client-s3cr3t"
MAILBOX_PASSWORD = "CANARY-mailbox-s3cr3t"
CODE_DIGEST = b"CANARY-code-digest"
ALERTS = EmailAddress("alerts", "example.com")
DELIVERY_ID = "0190f3c2-7b3a-7cc1-8f00-0000000000d1"


def a_transport(**changes: Any) -> SmtpTransport:
    plain = SmtpTransport(host=Host("smtp.example.com"), port=587, security=ConnectionSecurity.STARTTLS)
    return replace(plain, **changes)


def settings(**changes: Any) -> MailSettings:
    plain = MailSettings(
        from_address=ALERTS,
        transport=a_transport(),
        authentication=BasicAuthentication(username="alerts@example.com", password=Secret(PASSWORD)),
        mailbox=MailboxSettings(
            email=ALERTS,
            host=Host("imap.example.com"),
            port=993,
            security=ConnectionSecurity.IMPLICIT_TLS,
            password=Secret(MAILBOX_PASSWORD),
        ),
    )
    return replace(plain, **changes)


def an_oauth(**changes: Any) -> OAuthAuthentication:
    plain = OAuthAuthentication(
        provider=OAuthProvider.CUSTOM,
        client_id="client-1",
        client_secret=Secret(CLIENT_SECRET),
        authorization_endpoint="https://id.example.com/authorize",
        token_endpoint="https://id.example.com/token",
        scopes=("mail",),
        username="alerts@example.com",
        client_secret_expire_time=NOW + timedelta(days=90),
    )
    return replace(plain, **changes)


def a_warning(**changes: Any) -> Warning:
    plain = Warning("settings.smtp.minimum_tls_version", Reason.TLS_VERSION_OLD, "TLS 1.0 is old.", "Use 1.2.")
    return replace(plain, **changes)


def a_revision(number: int = 1, **changes: Any) -> Revision:
    return replace(Revision(number=number, settings=settings(), create_time=NOW), **changes)


def a_configuration(**changes: Any) -> Configuration:
    plain = Configuration(
        tenant="default",
        configuration_id="alerts",
        version=7,
        create_time=NOW - timedelta(days=1),
        update_time=NOW,
        last_revision=2,
        draft=a_revision(2),
        active=a_revision(1, validate_time=NOW),
    )
    return replace(plain, **changes)


def a_configuration_view(**changes: Any) -> ConfigurationView:
    return view_configuration(a_configuration(**changes), now=NOW)


def a_failure(**changes: Any) -> Failure:
    plain = Failure(
        reason=Reason.AUTH_REJECTED,
        kind=FailureKind.MISCONFIGURED,
        stage=Stage.AUTH,
        cause="The server does not accept the user name or password.",
        remedy="Enter the password again.",
        provider_code="535 5.7.8",
        provider_reply="Authentication credentials invalid",
        fixes=(Fix("settings.smtp.port", "465"),),
    )
    return replace(plain, **changes)


def a_trace(steps: int = 2, reply: str = "250 OK", detail: str = "") -> Trace:
    session = TlsSession("TLSv1.3", "TLS_AES_256_GCM_SHA384", "smtp.example.com", "An Authority", NOW)
    connect = TraceStep(Stage.CONNECT, True, timedelta(milliseconds=3), detail=detail, peer="192.0.2.10:587")
    tls = TraceStep(Stage.TLS, True, timedelta(milliseconds=8), tls=session)
    said = TraceStep(Stage.RCPT_TO, False, timedelta(microseconds=12), detail=detail, reply=reply)
    return Trace(start_time=NOW, steps=(connect, tls, *(said for _ in range(steps)))[:steps])


def a_delivery(**changes: Any) -> Delivery:
    plain = Delivery(
        tenant="default",
        delivery_id=DELIVERY_ID,
        configuration_id="alerts",
        message_id="<1@example.com>",
        sender=ALERTS,
        recipients=(Recipient(EmailAddress("jane", "example.org")),),
        create_time=NOW,
        update_time=NOW,
        expire_time=NOW + timedelta(days=1),
        next_attempt_time=NOW,
    )
    return replace(plain, **changes)


def an_attempt(number: int = 1, **changes: Any) -> Attempt:
    plain = Attempt(number=number, start_time=NOW, end_time=NOW, failure=a_failure(), trace=a_trace())
    return replace(plain, **changes)


def a_delivery_view(*attempts: Attempt, **changes: Any) -> DeliveryView:
    return DeliveryView(delivery=a_delivery(**changes), attempts=attempts)
