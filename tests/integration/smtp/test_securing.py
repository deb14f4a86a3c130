"""TLS: certificates, versions, and what comes too early: F15, F16, F17."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from domain.connection import TlsVersion
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason
from domain.settings.model import ConnectionSecurity
from tests.integration.smtp.sending import (
    IMPLICIT_TLS,
    ROBOT,
    STARTTLS,
    Sender,
    failure_of,
    some_settings,
    step_of,
)
from tests.peers.ca import Issued, TestCA, server_context
from tests.peers.conversation import Conversation
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import (
    Item,
    Step,
    ehlo,
    expect,
    farewell,
    hang,
    mail,
    send,
    starttls,
    tls,
)

MODES = pytest.mark.parametrize("security", [STARTTLS, IMPLICIT_TLS])
PASSWORDS = {"robot@example.test": "s3cr3t!"}


def refusing_client(security: ConnectionSecurity, context: ssl.SSLContext) -> list[Item]:
    """A script for a client that will not like what the handshake shows."""
    if security is IMPLICIT_TLS:
        return [tls(context, may_fail=True), hang()]
    return [send("220 mx"), ehlo("STARTTLS"), starttls(context, may_fail=True), hang()]


def certificate(ca: TestCA, which: str, folder: Path) -> Issued:
    match which:
        case "self-signed":
            return ca.self_signed("alone")
        case "unknown authority":
            return TestCA(folder / "other-ca").issue("stranger")
        case "expired":
            return ca.issue("expired", expired=True)
        case "common name alone":
            return ca.issue("localhost", names=[])
        case _:
            return ca.issue("wrong-name", names=["mail.example.org"])


@MODES
@pytest.mark.parametrize(
    ("which", "reason"),
    [
        ("self-signed", Reason.CERT_UNTRUSTED),
        ("unknown authority", Reason.CERT_UNTRUSTED),
        ("expired", Reason.CERT_EXPIRED),
        ("wrong name", Reason.CERT_NAME_MISMATCH),
        ("common name alone", Reason.CERT_NAME_MISMATCH),
    ],
)
async def test_given_a_bad_certificate_when_sent_then_it_fails_before_any_credential(
    ca: TestCA,
    sender: Sender,
    line_server: StartLineServer,
    tmp_path: Path,
    security: ConnectionSecurity,
    which: str,
    reason: Reason,
) -> None:
    """F17."""
    context = server_context(certificate(ca, which, tmp_path))
    server = await line_server(refusing_client(security, context))

    report = await sender.submit(some_settings(server.port, security=security, authentication=ROBOT))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (reason, FailureKind.MISCONFIGURED, Stage.TLS)
    assert server.heard(encrypted=True) == b""
    assert b"AUTH" not in server.heard()


@MODES
@pytest.mark.parametrize(
    ("which", "shown"),
    [
        ("self-signed", ("alone", "alone", "localhost, 127.0.0.1, ::1")),
        ("expired", ("expired", "mailport test CA", "localhost, 127.0.0.1, ::1")),
        ("wrong name", ("wrong-name", "mailport test CA", "mail.example.org")),
        ("common name alone", ("localhost", "mailport test CA", "no host name")),
    ],
)
async def test_given_a_bad_certificate_when_sent_then_the_trace_shows_whose_it_is(
    ca: TestCA,
    sender: Sender,
    line_server: StartLineServer,
    tmp_path: Path,
    security: ConnectionSecurity,
    which: str,
    shown: tuple[str, str, str],
) -> None:
    """It is looked at on a connection of its own, on which nothing is said."""
    context = server_context(certificate(ca, which, tmp_path))
    refused = refusing_client(security, context)
    server = await line_server(refused, refused)

    report = await sender.submit(some_settings(server.port, security=security, authentication=ROBOT))

    subject, issuer, names = shown
    step = report.trace.steps[-1]
    assert (step.stage, step.succeeded) == (Stage.TLS, False)
    assert step.tls is not None
    assert step.tls.version == "TLSv1.3"
    assert (step.tls.certificate_subject, step.tls.certificate_issuer) == (subject, issuer)
    assert step.tls.certificate_expire_time is not None
    for told in (step.detail, failure_of(report).cause):
        assert f"made for {names}; issued by {issuer}; good until {step.tls.certificate_expire_time:%Y-%m-%d}" in told
    assert len(server.conversations) == 2
    assert server.heard(encrypted=True) == b""


@MODES
async def test_given_a_private_ca_in_the_settings_when_sent_then_it_counts_for_that_server_alone(
    sender: Sender, faulty_smtp: StartFaultySmtp, tmp_path: Path, security: ConnectionSecurity
) -> None:
    """F17."""
    private = TestCA(tmp_path / "private")
    options = {"context": server_context(private.issue("relay")), "implicit": security is IMPLICIT_TLS}
    own, other = await faulty_smtp(**options), await faulty_smtp(**options)

    trusting = await sender.submit(some_settings(own.port, security=security, ca_certificates=private.pem))
    elsewhere = await sender.submit(some_settings(other.port, security=security))

    assert trusting.failure is None
    assert failure_of(elsewhere).reason is Reason.CERT_UNTRUSTED


async def test_given_a_private_ca_in_the_settings_when_a_public_one_signed_then_it_is_not_trusted(
    ca: TestCA, sender: Sender, faulty_smtp: StartFaultySmtp, tmp_path: Path
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("public")))
    private = TestCA(tmp_path / "private")

    report = await sender.submit(some_settings(server.port, security=STARTTLS, ca_certificates=private.pem))

    assert failure_of(report).reason is Reason.CERT_UNTRUSTED


async def test_given_a_pinned_certificate_when_the_server_shows_it_then_the_mail_is_sent(
    ca: TestCA, sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    """F17."""
    alone, leaf = ca.self_signed("pinned"), ca.issue("leaf")
    first = await faulty_smtp(context=server_context(alone))
    second = await faulty_smtp(context=server_context(leaf))

    for server, issued in ((first, alone), (second, leaf)):
        pem = issued.certificate.read_text()
        report = await sender.submit(some_settings(server.port, security=STARTTLS, ca_certificates=pem))

        assert report.failure is None


async def test_given_an_ip_literal_when_the_certificate_names_it_then_the_mail_is_sent(
    ca: TestCA, sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    named = await faulty_smtp(context=server_context(ca.issue("by-address", names=["127.0.0.1"])))
    unnamed = await faulty_smtp(context=server_context(ca.issue("by-name", names=["localhost"])))

    good = await sender.submit(some_settings(named.port, security=STARTTLS, host="127.0.0.1"))
    bad = await sender.submit(some_settings(unnamed.port, security=STARTTLS, host="127.0.0.1"))

    assert good.failure is None
    assert failure_of(bad).reason is Reason.CERT_NAME_MISMATCH


async def test_given_unreadable_ca_certificates_when_sent_then_no_connection_is_opened(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([hang()])

    report = await sender.submit(some_settings(server.port, security=STARTTLS, ca_certificates="no PEM"))

    assert failure_of(report).reason is Reason.CERT_UNTRUSTED
    assert server.conversations == []


VERSIONS = {
    "TLS_1_0": ssl.TLSVersion.TLSv1,
    "TLS_1_1": ssl.TLSVersion.TLSv1_1,
    "TLS_1_2": ssl.TLSVersion.TLSv1_2,
    "TLS_1_3": ssl.TLSVersion.TLSv1_3,
}
NAMES = {"TLS_1_0": "TLSv1", "TLS_1_1": "TLSv1.1", "TLS_1_2": "TLSv1.2", "TLS_1_3": "TLSv1.3"}


@MODES
@pytest.mark.parametrize("minimum", list(VERSIONS))
@pytest.mark.parametrize("spoken", list(VERSIONS))
async def test_given_a_server_of_one_version_when_sent_then_the_minimum_is_really_enforced(
    ca: TestCA,
    sender: Sender,
    line_server: StartLineServer,
    security: ConnectionSecurity,
    spoken: str,
    minimum: str,
) -> None:
    """F17: 1.0 and 1.1 reach a server that speaks nothing newer; 1.2 and 1.3 refuse what is older."""
    version = VERSIONS[spoken]
    context = server_context(ca.issue("versions", use_rsa=True), oldest=version, newest=version)
    secure = tls(context, may_fail=True)
    opening: list[Item] = [secure, send("220 mx"), ehlo()]
    if security is STARTTLS:
        opening = [send("220 mx"), ehlo("STARTTLS"), starttls(context, may_fail=True), ehlo()]
    server = await line_server([*opening, mail(), farewell()])

    settings = some_settings(server.port, security=security, minimum_tls_version=TlsVersion(minimum))
    report = await sender.submit(settings)

    if version >= VERSIONS[minimum]:
        assert report.failure is None
        session = step_of(report, Stage.TLS).tls
        assert session is not None
        assert session.version == NAMES[spoken]
        assert session.cipher
    else:
        failure = failure_of(report)
        assert (failure.reason, failure.stage) == (Reason.TLS_VERSION, Stage.TLS)
        assert b"MAIL" not in server.heard()


@MODES
@pytest.mark.parametrize("is_trusted", [True, False])
async def test_given_a_server_of_1_2_when_1_3_is_the_minimum_then_the_fix_is_1_2(
    ca: TestCA, sender: Sender, line_server: StartLineServer, security: ConnectionSecurity, is_trusted: bool
) -> None:
    """F17: the version is told by one more handshake, before any credential."""
    issued = ca.issue("one-two") if is_trusted else ca.self_signed("one-two-alone")
    context = server_context(issued, newest=ssl.TLSVersion.TLSv1_2)
    server = await line_server(refusing_client(security, context), repeat=True)

    settings = some_settings(
        server.port, security=security, minimum_tls_version=TlsVersion.TLS_1_3, authentication=ROBOT
    )
    report = await sender.submit(settings)

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.TLS_VERSION,
        FailureKind.MISCONFIGURED,
        Stage.TLS,
    )
    assert failure.fixes == (Fix("settings.smtp.minimum_tls_version", "TLS_1_2"),)
    assert "1.2" in failure.remedy
    assert server.heard(encrypted=True) == b""
    assert b"AUTH" not in server.heard()
    assert [step.stage for step in report.trace.steps].count(Stage.CONNECT) == 1


@MODES
@pytest.mark.parametrize("minimum", [TlsVersion.TLS_1_2, TlsVersion.TLS_1_3])
async def test_given_a_server_below_1_2_when_sent_then_no_lower_version_is_the_fix(
    ca: TestCA, sender: Sender, line_server: StartLineServer, security: ConnectionSecurity, minimum: TlsVersion
) -> None:
    """F17: what is not safe is never offered as a fix."""
    version = ssl.TLSVersion.TLSv1_1
    context = server_context(ca.issue("below", use_rsa=True), oldest=version, newest=version)
    server = await line_server(refusing_client(security, context), repeat=True)

    report = await sender.submit(some_settings(server.port, security=security, minimum_tls_version=minimum))

    failure = failure_of(report)
    assert (failure.reason, failure.fixes) == (Reason.TLS_VERSION, ())
    assert "minimum TLS version of the settings" in failure.cause


async def test_given_default_settings_when_another_configuration_lowered_tls_then_old_servers_stay_refused(
    ca: TestCA, sender: Sender, line_server: StartLineServer
) -> None:
    """The lowered security level is that connection's alone."""
    version = ssl.TLSVersion.TLSv1
    context = server_context(ca.issue("old", use_rsa=True), oldest=version, newest=version)
    old = [tls(context, may_fail=True), send("220 mx"), ehlo(), mail(), farewell()]
    server = await line_server(old, repeat=True)
    usual = some_settings(server.port, security=IMPLICIT_TLS)
    lowered = some_settings(server.port, security=IMPLICIT_TLS, minimum_tls_version=TlsVersion.TLS_1_0)

    first = await sender.submit(lowered)
    second = await sender.submit(usual)

    assert first.failure is None
    assert failure_of(second).reason is Reason.TLS_VERSION


async def test_given_bytes_behind_the_220_when_securing_then_the_session_ends_without_credentials(
    ca: TestCA, sender: Sender, line_server: StartLineServer
) -> None:
    """F16."""
    context = server_context(ca.issue("early"))
    injected = b"250-evil.example\r\n250 AUTH PLAIN\r\n"
    server = await line_server([send("220 mx"), ehlo("STARTTLS"), starttls(context, injected=injected, may_fail=True)])

    report = await sender.submit(some_settings(server.port, security=STARTTLS, authentication=ROBOT))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.EARLY_PLAINTEXT,
        FailureKind.MISCONFIGURED,
        Stage.TLS,
    )
    assert server.heard(encrypted=True) == b""
    assert b"AUTH" not in server.heard()


@pytest.mark.parametrize("injected", [b"AUTH PL", b"2", b"\r\n"])
async def test_given_half_a_line_behind_the_220_when_securing_then_the_session_ends_too(
    ca: TestCA, sender: Sender, line_server: StartLineServer, injected: bytes
) -> None:
    """F16."""
    context = server_context(ca.issue("early"))
    server = await line_server([send("220 mx"), ehlo("STARTTLS"), starttls(context, injected=injected, may_fail=True)])

    report = await sender.submit(some_settings(server.port, security=STARTTLS, authentication=ROBOT))

    assert failure_of(report).reason is Reason.EARLY_PLAINTEXT


async def handshake_begins(conversation: Conversation) -> bool:
    await conversation.read_through(b"\x16")
    return True


async def test_given_plain_words_instead_of_the_handshake_when_securing_then_it_fails_as_tls(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F16: what follows the 220 in a segment of its own meets the handshake."""
    begun = Step("see a handshake begin", handshake_begins)
    late = [expect("STARTTLS"), send("220 go"), begun, send("250 evil"), hang()]
    server = await line_server([send("220 mx"), ehlo("STARTTLS"), *late])

    report = await sender.submit(some_settings(server.port, security=STARTTLS, authentication=ROBOT))

    failure = failure_of(report)
    assert (failure.reason, failure.stage) == (Reason.TLS_FAILED, Stage.TLS)
    assert b"AUTH" not in server.heard()


async def test_given_other_capabilities_after_tls_when_signing_in_then_only_those_count(
    ca: TestCA, sender: Sender, line_server: StartLineServer
) -> None:
    """F16."""
    context = server_context(ca.issue("twice"))
    server = await line_server(
        [send("220 mx"), ehlo("STARTTLS", "AUTH PLAIN"), starttls(context), ehlo("AUTH XOAUTH2"), farewell()]
    )

    report = await sender.submit(some_settings(server.port, security=STARTTLS, authentication=ROBOT))

    failure = failure_of(report)
    assert failure.reason is Reason.NO_USABLE_AUTH_MECHANISM
    assert "XOAUTH2" in failure.cause
    assert b"AUTH" not in server.heard()


async def test_given_starttls_is_offered_when_security_is_none_then_it_is_not_used(
    ca: TestCA, sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("optional")), require_starttls=False)

    report = await sender.submit(some_settings(server.port))

    assert report.failure is None
    assert "STARTTLS" not in server.commands
