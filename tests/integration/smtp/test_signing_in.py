"""Which mechanism, in which words, and no secret anywhere else: F22, F41."""

from __future__ import annotations

import base64
import dataclasses
import logging

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.ports.transport import Report
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import BasicAuthentication, OAuthAuthentication, OAuthProvider
from tests.integration.smtp.sending import ROBOT, Sender, failure_of, some_settings, step_of
from tests.peers.fixtures import StartLineServer
from tests.peers.script import Item, close, ehlo, expect, expect_message, farewell, hang, mail, send

PLAIN = "AGJvYkBleGFtcGxlLmNvbQBzM2NyM3Qh"
BOB = BasicAuthentication(username="bob@example.com", password=Secret("s3cr3t!"))
LOGIN: list[Item] = [
    (expect("AUTH LOGIN"), send("334 VXNlcm5hbWU6")),
    (expect("Ym9iQGV4YW1wbGUuY29t"), send("334 UGFzc3dvcmQ6")),
    expect("czNjcjN0IQ=="),
]
WELCOME = send("235 2.7.0 welcome")


async def test_given_login_alone_when_signing_in_then_no_blind_plain_is_tried(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F22 (a)."""
    server = await line_server([send("220 mx"), ehlo("AUTH LOGIN XOAUTH2"), *LOGIN, WELCOME, mail(), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    assert report.failure is None
    assert step_of(report, Stage.AUTH).detail == "LOGIN"
    await server.finished()


@pytest.mark.parametrize("refusal", ["501 5.5.4 no", "502 5.5.1 no", "504 5.5.4 no", "534 5.7.9 no", "535 5.7.8 no"])
async def test_given_plain_is_refused_when_login_is_listed_then_it_is_tried_once(
    sender: Sender, line_server: StartLineServer, refusal: str
) -> None:
    """F22 (b)."""
    plain = (expect(f"AUTH PLAIN {PLAIN}"), send(refusal))
    server = await line_server([send("220 mx"), ehlo("AUTH PLAIN LOGIN"), plain, *LOGIN, WELCOME, mail(), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    assert report.failure is None
    assert step_of(report, Stage.AUTH).detail == "PLAIN, then LOGIN"
    await server.finished()


async def test_given_both_mechanisms_are_refused_when_signing_in_then_it_stops_there(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F22 (b)."""
    plain = (expect("AUTH PLAIN .*"), send("535 5.7.8 bad credentials"))
    refused = send("504 5.5.4 unknown")
    server = await line_server([send("220 mx"), ehlo("AUTH PLAIN LOGIN"), plain, *LOGIN, refused, farewell()])

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.provider_code) == (
        Reason.AUTH_REJECTED,
        FailureKind.MISCONFIGURED,
        "535 5.7.8",
    )
    await sender.transport.aclose()
    await server.finished()


@pytest.mark.parametrize("refusal", ["454 4.7.0 try later", "421 4.7.0 closing"])
async def test_given_a_temporary_refusal_when_signing_in_then_no_other_mechanism_is_tried(
    sender: Sender, line_server: StartLineServer, refusal: str
) -> None:
    """F22."""
    server = await line_server(
        [send("220 mx"), ehlo("AUTH PLAIN LOGIN"), (expect("AUTH PLAIN .*"), send(refusal)), hang()]
    )

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.AUTH_UNAVAILABLE, FailureKind.TRANSIENT)
    assert b"AUTH LOGIN" not in server.heard()


@pytest.mark.parametrize(
    ("capabilities", "listed"),
    [(["AUTH XOAUTH2 GSSAPI"], "XOAUTH2 GSSAPI"), ([], "no AUTH at all"), (["AUTH"], "no AUTH at all")],
)
async def test_given_no_usable_mechanism_when_signing_in_then_nothing_secret_is_sent(
    sender: Sender, line_server: StartLineServer, capabilities: list[str], listed: str
) -> None:
    """F22 (c), (d)."""
    server = await line_server([send("220 mx"), ehlo(*capabilities), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    failure = failure_of(report)
    assert failure.reason is Reason.NO_USABLE_AUTH_MECHANISM
    assert listed in failure.cause
    assert b"\r\nAUTH" not in server.heard()


async def test_given_a_long_password_when_plain_would_not_fit_then_it_waits_for_the_334(
    sender: Sender, line_server: StartLineServer
) -> None:
    long = BasicAuthentication(username="bob", password=Secret("p" * 500))
    blob = base64.b64encode(b"\0bob\0" + b"p" * 500).decode()
    exchange = [(expect("AUTH PLAIN"), send("334 ")), expect(blob), WELCOME]
    server = await line_server([send("220 mx"), ehlo("AUTH PLAIN"), *exchange, mail(), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=long))

    assert report.failure is None
    await server.finished()


async def test_given_another_challenge_after_everything_was_said_then_the_exchange_is_cancelled(
    sender: Sender, line_server: StartLineServer
) -> None:
    more = [(expect("AUTH PLAIN .*"), send("334 bW9yZQ==")), (expect(r"\*"), send("501 5.7.0 cancelled"))]
    server = await line_server([send("220 mx"), ehlo("AUTH PLAIN"), *more, farewell()])

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.MISCONFIGURED, Stage.AUTH)


async def test_given_old_style_and_lower_case_lists_when_signing_in_then_they_are_understood(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server(
        [send("220 mx"), ehlo("auth=login plain"), (expect(f"AUTH PLAIN {PLAIN}"), WELCOME), mail(), farewell()]
    )

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    assert report.failure is None


async def test_given_a_server_that_wants_a_sign_in_when_the_settings_have_none_then_it_is_said(
    sender: Sender, line_server: StartLineServer
) -> None:
    refusal = (expect("MAIL .*"), send("530 5.7.0 Authentication Required. For more information, go to"))
    server = await line_server([send("220 mx"), ehlo("AUTH PLAIN"), refusal, farewell()])

    report = await sender.submit(some_settings(server.port))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.AUTH_REQUIRED, FailureKind.MISCONFIGURED)


async def test_given_an_empty_password_when_sent_then_no_connection_is_opened(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F42."""
    server = await line_server([close()])
    empty = BasicAuthentication(username="bob", password=Secret(""))

    report = await sender.submit(some_settings(server.port, authentication=empty))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.SECRET_UNREADABLE, FailureKind.MISCONFIGURED)
    assert server.conversations == []


async def test_given_oauth_settings_without_a_token_when_sent_then_consent_is_asked_for(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F22 (e): a token is never sent as a password, nor the other way round."""
    server = await line_server([close()])
    oauth = OAuthAuthentication(
        provider=OAuthProvider.CUSTOM,
        client_id="mailport",
        client_secret=Secret("CS-SECRET"),
        authorization_endpoint="https://id.example.com/authorize",
        token_endpoint="https://id.example.com/token",
        scopes=("mail",),
        username="bob@example.com",
    )

    report = await sender.submit(some_settings(server.port, authentication=oauth))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.NEEDS_AUTHORIZATION, FailureKind.REAUTHORIZE)
    assert server.conversations == []


ECHO = f"you said s3cr3t! or czNjcjN0IQ== or {PLAIN} or s3cr3t%21 or 73336372337421"


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "auth", "mail", "rcpt", "data", "dot", "sent"])
async def test_given_a_server_that_repeats_the_password_when_anything_happens_then_it_is_nowhere(
    sender: Sender, line_server: StartLineServer, stage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F41."""
    caplog.set_level(logging.DEBUG)
    says = {name: send(f"{554 if name == stage else code} {ECHO}") for name, code in CODES.items()}
    server = await line_server(
        [
            says["greeting"],
            (expect("EHLO .*"), says["ehlo"] if stage == "ehlo" else send(f"250-{ECHO}", "250 AUTH PLAIN")),
            (expect("AUTH PLAIN .*"), says["auth"]),
            (expect("MAIL .*"), says["mail"]),
            (expect("RCPT .*"), says["rcpt"]),
            (expect("DATA"), says["data"]),
            expect_message(),
            says["dot"],
        ]
    )

    report = await sender.submit(some_settings(server.port, authentication=BOB))

    assert "***" in everything(report)
    assert report.verdicts[0].is_accepted == (stage == "sent")
    for form in ("s3cr3t", "czNjcjN0IQ", PLAIN[8:-4], "73336372337421"):
        assert form not in everything(report)
        assert form not in caplog.text


CODES = {"greeting": 220, "ehlo": 250, "auth": 235, "mail": 250, "rcpt": 250, "data": 354, "dot": 250}


def everything(report: Report) -> str:
    return repr(dataclasses.asdict(report))


async def test_given_control_characters_in_a_reply_when_reported_then_they_are_gone(
    sender: Sender, line_server: StartLineServer
) -> None:
    refusal = (expect("AUTH .*"), send("535 5.7.8 \x1b[31mred\x00 s3c\x07r3t! \u202ereversed" + "x" * 5000))
    server = await line_server([send("220 mx"), ehlo("AUTH PLAIN"), refusal, farewell()])

    report = await sender.submit(some_settings(server.port, authentication=ROBOT))

    failure = failure_of(report)
    assert failure.provider_reply.startswith("[31mred *** reversedxxx")
    assert len(failure.provider_reply) <= 1024
    assert len(step_of(report, Stage.AUTH).reply) <= 512
