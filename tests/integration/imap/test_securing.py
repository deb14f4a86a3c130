"""The way to a mailbox: TLS, what comes before it, certificates, and who may sign in (P22)."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.imap.mailbox import ImapMailboxReader
from domain.connection import ConnectionSecurity, TlsVersion
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from tests.fakes.tokens import FakeTokens
from tests.integration.imap.boxes import PASSWORD, PATIENCE, account, let_in, listed, opened, refusal, serving
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartLineServer
from tests.peers.imap_script import (
    Answer,
    answer,
    answering,
    authenticate,
    capability,
    command,
    greeting,
    selected,
    starttls,
)
from tests.peers.script import close, hang, send, tls

STARTTLS, IMPLICIT = ConnectionSecurity.STARTTLS, ConnectionSecurity.IMPLICIT_TLS


async def test_given_starttls_when_signing_in_then_nothing_secret_left_in_clear_and_capabilities_are_asked_anew(
    reader: ImapMailboxReader, line_server: StartLineServer, ca: TestCA
) -> None:
    context = server_context(ca.issue("imap"))
    script = [
        greeting("IMAP4rev1", "STARTTLS", "AUTH=PLAIN"),
        starttls(context),
        capability("IMAP4rev1", "AUTH=LOGIN"),
        answering({"AUTHENTICATE LOGIN": answer("+ ", reply=None, then=hang())}),
    ]
    server = await line_server(script)
    box = account(server.port, security=STARTTLS, ca_certificates=ca.path.read_text())

    signed_in = await reader.sign_in(box, patience=PATIENCE)

    assert signed_in.failure is not None
    assert server.heard(encrypted=False).upper() == b"M0 STARTTLS\r\n"
    assert b"AUTHENTICATE LOGIN" in server.heard(encrypted=True)
    assert PASSWORD.encode() not in server.heard()
    stages = [step.stage for step in signed_in.trace.steps]
    assert stages == [Stage.DNS, Stage.CONNECT, Stage.EHLO, Stage.TLS, Stage.AUTH]
    assert signed_in.trace.steps[3].tls is not None


async def test_given_bytes_before_the_handshake_when_starttls_then_it_is_fatal(
    reader: ImapMailboxReader, line_server: StartLineServer, ca: TestCA
) -> None:
    context = server_context(ca.issue("imap"))
    injected = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
    server = await line_server(
        [greeting("IMAP4rev1", "STARTTLS"), starttls(context, injected=injected, may_fail=True), hang()]
    )

    failure = await refusal(reader, account(server.port, security=STARTTLS, ca_certificates=ca.path.read_text()))

    assert (failure.reason, failure.stage) == (Reason.EARLY_PLAINTEXT, Stage.MAILBOX)
    assert "993" in failure.remedy


async def test_given_a_server_without_starttls_when_required_then_nothing_is_sent(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server([greeting("IMAP4rev1", "AUTH=PLAIN"), hang()])

    failure = await refusal(reader, account(server.port, security=STARTTLS))

    assert failure.reason is Reason.STARTTLS_UNAVAILABLE
    assert [fix.value for fix in failure.fixes] == ["IMPLICIT_TLS"]
    assert server.heard() == b""


@pytest.mark.parametrize(
    ("security", "reason"), [(STARTTLS, Reason.STARTTLS_UNAVAILABLE), (IMPLICIT, Reason.PROTOCOL_ERROR)]
)
async def test_given_preauth_when_greeted_then_it_is_fatal(
    reader: ImapMailboxReader,
    line_server: StartLineServer,
    ca: TestCA,
    security: ConnectionSecurity,
    reason: Reason,
) -> None:
    shaken = [tls(server_context(ca.issue("imap")))] if security is IMPLICIT else []
    server = await line_server([*shaken, send("* PREAUTH [CAPABILITY IMAP4rev1] welcome, mallory"), hang()])

    failure = await refusal(reader, account(server.port, security=security, ca_certificates=ca.path.read_text()))

    assert failure.reason is reason
    assert "PREAUTH" in failure.cause
    assert server.heard(encrypted=False) == b""


async def test_given_an_authority_of_somebody_else_when_shaking_hands_then_it_is_not_believed(
    reader: ImapMailboxReader, line_server: StartLineServer, ca: TestCA, tmp_path: Path
) -> None:
    stranger = server_context(TestCA(tmp_path / "other").issue("imap"))
    server = await line_server([tls(stranger, may_fail=True), hang()])

    failure = await refusal(reader, account(server.port, security=IMPLICIT, ca_certificates=ca.path.read_text()))

    assert (failure.reason, failure.kind) == (Reason.CERT_UNTRUSTED, FailureKind.MISCONFIGURED)


async def test_given_an_old_server_when_the_minimum_is_newer_then_the_version_is_named(
    reader: ImapMailboxReader, line_server: StartLineServer, ca: TestCA
) -> None:
    context = server_context(ca.issue("imap"))
    context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_2
    server = await line_server([tls(context, may_fail=True), hang()])

    failure = await refusal(
        reader,
        account(
            server.port,
            security=IMPLICIT,
            ca_certificates=ca.path.read_text(),
            minimum_tls_version=TlsVersion.TLS_1_3,
        ),
    )

    assert failure.reason is Reason.TLS_VERSION


async def test_given_plain_text_when_tls_is_expected_then_the_other_mode_is_proposed(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server([greeting("IMAP4rev1"), hang()])

    failure = await refusal(reader, account(server.port, security=IMPLICIT))

    assert failure.reason is Reason.TLS_MODE_MISMATCH
    assert [(fix.field, fix.value) for fix in failure.fixes] == [("settings.mailbox.security", "STARTTLS")]


async def test_given_a_silent_server_that_speaks_tls_when_plain_text_is_expected_then_the_other_mode_is_proposed(
    reader: ImapMailboxReader, line_server: StartLineServer, ca: TestCA
) -> None:
    context = server_context(ca.issue("imap"))
    server = await line_server([hang()], [tls(context, may_fail=True), hang()])

    failure = await refusal(reader, account(server.port, security=STARTTLS, ca_certificates=ca.path.read_text()))

    assert failure.reason is Reason.TLS_MODE_MISMATCH
    assert [fix.value for fix in failure.fixes] == ["IMPLICIT_TLS"]


async def test_given_nobody_there_when_reached_then_it_is_refused(reader: ImapMailboxReader) -> None:
    failure = await refusal(reader, account(1))

    assert (failure.reason, failure.stage) == (Reason.CONNECTION_REFUSED, Stage.MAILBOX)


async def test_given_a_refused_password_when_signing_in_then_the_answer_is_explained_and_no_other_way_is_tried(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    script = [
        greeting("IMAP4rev1", "AUTH=PLAIN", "AUTH=LOGIN"),
        authenticate("PLAIN", with_initial_response=False, reply=f"NO [AUTHENTICATIONFAILED] no {PASSWORD}"),
        hang(),
    ]
    server = await line_server(script)

    failure = await refusal(reader, account(server.port))

    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, FailureKind.MISCONFIGURED)
    assert PASSWORD not in failure.cause + failure.provider_reply
    assert server.heard().count(b"AUTHENTICATE") == 1


async def test_given_a_server_without_sasl_when_signing_in_then_login_quotes_each_word(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server(
        [
            greeting("IMAP4rev1"),
            command(r'LOGIN "alice@example.test" "pa\\"ss \\\\word"'),
            answering({"CAPABILITY": answer("* CAPABILITY IMAP4rev1"), "EXAMINE .*": opened(0)}),
        ]
    )

    assert (await listed(reader, account(server.port))).messages == ()


async def test_given_logindisabled_when_signing_in_then_no_credential_leaves(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server([greeting("IMAP4rev1", "LOGINDISABLED", "AUTH=GSSAPI"), hang()])

    failure = await refusal(reader, account(server.port))

    assert failure.reason is Reason.NO_USABLE_AUTH_MECHANISM
    assert server.heard() == b""


async def test_given_a_refused_token_when_signing_in_then_it_is_renewed_once_on_the_same_connection(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    challenge = "eyJzdGF0dXMiOiI0MDEifQ=="
    tokens = FakeTokens("tok-one", "tok-two")
    server = await line_server(
        [
            greeting("IMAP4rev1", "AUTH=XOAUTH2"),
            authenticate(with_initial_response=False, challenge=challenge, reply="NO AUTHENTICATE failed."),
            authenticate(with_initial_response=False),
            capability("IMAP4rev1"),
            command("EXAMINE .*", *selected(exists=0)),
            hang(),
        ]
    )

    signed_in = await reader.sign_in(account(server.port, tokens=tokens), patience=PATIENCE)

    assert signed_in.failure is None
    assert tokens.rejected == [None, "tok-one"]
    stages = [step.stage for step in signed_in.trace.steps]
    assert stages.count(Stage.AUTH) == 2
    assert "tok-two" not in str(signed_in.trace)


async def test_given_tokens_that_are_all_refused_when_signing_in_then_the_owner_is_asked(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    refused = authenticate(with_initial_response=False, reply="NO [AUTHENTICATIONFAILED] Authentication failed.")
    server = await line_server([greeting("IMAP4rev1", "AUTH=XOAUTH2"), refused, refused, hang()])

    failure = await refusal(reader, account(server.port, tokens=FakeTokens("tok-one", "tok-two")))

    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, FailureKind.REAUTHORIZE)


async def test_given_a_token_that_ends_in_mid_session_when_reading_then_it_signs_in_again(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    ended = answer("* BYE Session expired, please login again.", reply=None, then=close())
    first: dict[str, Answer | Sequence[Answer]] = {
        "AUTHENTICATE XOAUTH2": answer("+ ", reply=None, then=let_in()),
        "EXAMINE .*": [opened(0), ended],
    }
    second = {**first, "EXAMINE .*": opened(0)}
    capabilities = answer("* CAPABILITY IMAP4rev1")
    server = await line_server(
        *(
            [greeting("IMAP4rev1", "AUTH=XOAUTH2"), answering({**table, "CAPABILITY": capabilities})]
            for table in (first, second)
        )
    )
    tokens = FakeTokens("tok-one", "tok-two")
    box = account(server.port, tokens=tokens, lane="tenant")

    pages = [await listed(reader, box) for _ in range(2)]

    assert [page.messages for page in pages] == [(), ()]
    assert len(server.conversations) == 2
    assert tokens.rejected == [None, None]


async def test_given_a_lane_when_work_follows_work_then_the_connection_is_used_again_until_it_is_forgotten(
    reader: ImapMailboxReader, line_server: StartLineServer
) -> None:
    server = await line_server(serving({"EXAMINE .*": opened(0)}), repeat=True)
    box = account(server.port, lane="tenant\0configuration")
    for _ in range(3):
        await listed(reader, box)
    kept = len(server.conversations)

    reader.forget("tenant")
    await listed(reader, box)

    assert (kept, len(server.conversations)) == (1, 2)
