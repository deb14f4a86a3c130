"""Domain values that are valid by default; a test changes the one field it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

from domain.address import EmailAddress
from domain.caller import Caller, Role
from domain.configuration import Configuration, Revision
from domain.delivery import Attempt, Delivery, Recipient
from domain.errors import Warning
from domain.failures.failure import Stage
from domain.failures.trace import TlsSession, Trace, TraceStep
from domain.host import Host
from domain.message import NamedAddress, OutgoingMessage, WrittenAddress, WrittenMessage
from domain.ports.acceptance import IdempotencyRecord
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import (
    BasicAuthentication,
    ConnectionSecurity,
    GraphTransport,
    MailboxSettings,
    MailSettings,
    OAuthAuthentication,
    OAuthProvider,
    SmtpTransport,
)
from domain.settings.written import WrittenBasic, WrittenSettings, WrittenSmtp
from domain.verdict import Verdict
from tests.fakes.environment import START
from tests.fakes.transport import a_failure

__all__ = [
    "CONFIGURATION_ID",
    "CONTENT",
    "NOW",
    "OTHER_TENANT",
    "TENANT",
    "a_caller",
    "a_configuration",
    "a_delivery",
    "a_delivery_id",
    "a_draft",
    "a_failure",
    "a_graph_transport",
    "a_mailbox",
    "a_message",
    "a_recipient",
    "a_revision",
    "a_trace",
    "a_verdict",
    "a_warning",
    "an_address",
    "an_attempt",
    "an_idempotency_record",
    "an_oauth_authentication",
    "an_outgoing_message",
    "an_smtp_transport",
    "some_basic_authentication",
    "some_settings",
    "some_written_settings",
]

NOW: Final = START
"""Where a `FakeClock` stands at first; values for a store that has a clock of its own get another *now*."""
TENANT: Final = "acme"
OTHER_TENANT: Final = "globex"
CONFIGURATION_ID: Final = "alerts"
CONTENT: Final = b"From: robot@example.com\r\nTo: anna@example.com\r\n\r\nHello.\r\n"

_NUMBERS = count(1)


def an_address(text: str = "anna@example.com") -> EmailAddress:
    """Returns an address, unchecked."""
    local_part, _, domain = text.rpartition("@")
    return EmailAddress(local_part, domain)


def a_caller(**changes: Any) -> Caller:
    """Returns a caller of `TENANT` that may do everything and has an address."""
    return replace(Caller(tenant=TENANT, roles=frozenset(Role), email="olga@example.com"), **changes)


def an_smtp_transport(**changes: Any) -> SmtpTransport:
    """Returns submission over STARTTLS."""
    valid = SmtpTransport(host=Host("smtp.example.com"), port=587, security=ConnectionSecurity.STARTTLS)
    return replace(valid, **changes)


def a_graph_transport(**changes: Any) -> GraphTransport:
    """Returns Microsoft Graph in the public cloud."""
    return replace(GraphTransport(base_url="https://graph.microsoft.com"), **changes)


def some_basic_authentication(**changes: Any) -> BasicAuthentication:
    """Returns a user name and a password."""
    return replace(BasicAuthentication(username="robot@example.com", password=Secret("correct horse")), **changes)


def an_oauth_authentication(**changes: Any) -> OAuthAuthentication:
    """Returns an OAuth client of an identity provider of one's own."""
    valid = OAuthAuthentication(
        provider=OAuthProvider.CUSTOM,
        client_id="client-1",
        client_secret=Secret("client secret"),
        authorization_endpoint="https://id.example.com/authorize",
        token_endpoint="https://id.example.com/token",
        scopes=("mail",),
        username="robot@example.com",
    )
    return replace(valid, **changes)


def a_mailbox(**changes: Any) -> MailboxSettings:
    """Returns a mailbox with a password."""
    valid = MailboxSettings(
        email=an_address("robot@example.com"),
        host=Host("imap.example.com"),
        port=993,
        security=ConnectionSecurity.IMPLICIT_TLS,
        password=Secret("battery staple"),
    )
    return replace(valid, **changes)


def some_settings(**changes: Any) -> MailSettings:
    """Returns settings that send over SMTP with a password, without a mailbox."""
    valid = MailSettings(
        from_address=an_address("robot@example.com"),
        transport=an_smtp_transport(),
        authentication=some_basic_authentication(),
    )
    return replace(valid, **changes)


def some_written_settings(**changes: Any) -> WrittenSettings:
    """Returns what a caller writes to get `some_settings`."""
    valid = WrittenSettings(
        from_address="robot@example.com",
        transport=WrittenSmtp(host="smtp.example.com", port=587),
        authentication=WrittenBasic(username="robot@example.com", password=Secret("correct horse")),
    )
    return replace(valid, **changes)


def a_warning(**changes: Any) -> Warning:
    """Returns a warning about the settings."""
    valid = Warning(
        field="settings.smtp.security",
        reason=Reason.PORT_SECURITY_UNUSUAL,
        message="Unusual.",
        remedy="Use another port.",
    )
    return replace(valid, **changes)


def a_revision(*, now: datetime = NOW, **changes: Any) -> Revision:
    """Returns revision 1, not proven yet."""
    return replace(Revision(number=1, settings=some_settings(), create_time=now), **changes)


def a_configuration(*, settings: MailSettings | None = None, now: datetime = NOW, **changes: Any) -> Configuration:
    """Returns a configuration of version 2 whose revision 1 is active and proven; there is no draft."""
    active = a_revision(now=now, settings=settings or some_settings(), validate_time=now)
    return replace(replace(_a_configuration(now), version=2, active=active), **changes)


def a_draft(*, settings: MailSettings | None = None, now: datetime = NOW, **changes: Any) -> Configuration:
    """Returns a configuration of version 1 that has a draft alone."""
    valid = replace(_a_configuration(now), draft=a_revision(now=now, settings=settings or some_settings()))
    return replace(valid, **changes)


def a_message(**changes: Any) -> WrittenMessage:
    """Returns a message as a caller writes it, to one recipient."""
    valid = WrittenMessage(to=(WrittenAddress("anna@example.com"),), subject="Hello", text_body="Hello.\n")
    return replace(valid, **changes)


def an_outgoing_message(**changes: Any) -> OutgoingMessage:
    """Returns a message that was parsed."""
    valid = OutgoingMessage(
        sender=NamedAddress(an_address("robot@example.com")),
        to=(NamedAddress(an_address()),),
        subject="Hello",
        text_body="Hello.\n",
    )
    return replace(valid, **changes)


def a_recipient(address: str = "anna@example.com", **changes: Any) -> Recipient:
    """Returns a recipient that nothing is known about yet."""
    return replace(Recipient(an_address(address)), **changes)


def a_delivery_id() -> str:
    """Returns an id of its own, above all before."""
    return str(UUID(int=0x0199D0C0_0000_7000_8000_000000000000 + next(_NUMBERS)))


def a_delivery(*, now: datetime = NOW, **changes: Any) -> Delivery:
    """Returns a queued delivery with an id of its own, to one recipient, due at *now* and alive for a day."""
    identity = changes.pop("delivery_id", None) or a_delivery_id()
    valid = Delivery(
        tenant=TENANT,
        delivery_id=identity,
        configuration_id=CONFIGURATION_ID,
        message_id=f"<{identity}@example.com>",
        sender=an_address("robot@example.com"),
        recipients=(a_recipient(),),
        create_time=now,
        update_time=now,
        expire_time=now + timedelta(days=1),
        next_attempt_time=now,
    )
    return replace(valid, **changes)


def an_attempt(*, now: datetime = NOW, **changes: Any) -> Attempt:
    """Returns the first attempt, ended after a second without a failure."""
    return replace(
        Attempt(number=1, start_time=now, end_time=now + timedelta(seconds=1), trace=a_trace(now)), **changes
    )


def a_trace(now: datetime = NOW) -> Trace:
    """Returns a trace of three stages, the middle one with a TLS session."""
    tls = TlsSession(
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        certificate_subject="smtp.example.com",
        certificate_issuer="Example CA",
        certificate_expire_time=now + timedelta(days=90),
    )
    return Trace(
        start_time=now,
        steps=(
            TraceStep(Stage.CONNECT, succeeded=True, duration=timedelta(milliseconds=3), peer="192.0.2.10:587"),
            TraceStep(Stage.TLS, succeeded=True, duration=timedelta(microseconds=12_345), tls=tls),
            TraceStep(Stage.DATA, succeeded=True, duration=timedelta(seconds=1), reply="250 2.0.0 queued"),
        ),
    )


def a_verdict(address: str = "anna@example.com", **changes: Any) -> Verdict:
    """Returns the verdict that the server took the message."""
    return replace(Verdict(an_address(address), reply="250 2.0.0 queued"), **changes)


def an_idempotency_record(*, now: datetime = NOW, **changes: Any) -> IdempotencyRecord:
    """Returns a key that lives for a day."""
    valid = IdempotencyRecord(key="k1", content_digest=b"\x01" * 32, expire_time=now + timedelta(days=1))
    return replace(valid, **changes)


def _a_configuration(now: datetime) -> Configuration:
    return Configuration(
        tenant=TENANT,
        configuration_id=CONFIGURATION_ID,
        version=1,
        create_time=now,
        update_time=now,
        last_revision=1,
    )


def a_report(message_id: str, address: str = "anna@example.com") -> bytes:
    """A delivery report about the mail with that Message-ID (RFC 3464)."""
    return (
        "From: MAILER-DAEMON@mx.example.com\r\nSubject: Undelivered\r\nMessage-ID: <report@mx.example.com>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {message_id}\r\n\r\n--b--\r\n"
    ).encode()
