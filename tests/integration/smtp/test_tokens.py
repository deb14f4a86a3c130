"""Signing in with an access token: F22 (e), F23, F41."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import logging
from datetime import timedelta

import pytest

from domain.errors import AuthorizationRequired, MailportError, ProviderRefused, SecretUnreadable, Unavailable
from domain.failures.failure import Failure, FailureKind, Stage
from domain.ports.transport import Report
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import GrantType, OAuthAuthentication, OAuthProvider
from tests.fakes.tokens import FakeTokens
from tests.integration.smtp.sending import STARTTLS, Sender, a_patience, failure_of, some_settings, step_of
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import Item, close, ehlo, expect, farewell, hang, mail, send

USER = "robot@example.com"
OAUTH = OAuthAuthentication(
    provider=OAuthProvider.CUSTOM,
    client_id="mailport",
    client_secret=Secret("CS-SECRET"),
    authorization_endpoint="https://id.example.com/authorize",
    token_endpoint="https://id.example.com/token",
    scopes=("mail",),
    username=USER,
)
GOOGLES_CHALLENGE = (
    "334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ=="
)
REFUSAL = send("535-5.7.8 Username and Password not accepted. For more information, go to", "535 5.7.8 x - gsmtp")
WELCOME = send("235 2.7.0 welcome")
GREETING: list[Item] = [send("220 mx"), ehlo("AUTH LOGIN PLAIN XOAUTH2")]


def xoauth2(token: str) -> str:
    return base64.b64encode(f"user={USER}\x01auth=Bearer {token}\x01\x01".encode()).decode()


def shown(token: str, *answer: Item) -> Item:
    return [expect(f"AUTH XOAUTH2 {xoauth2(token).replace('+', '[+]')}"), *answer]


def refused(token: str) -> Item:
    return shown(token, send(GOOGLES_CHALLENGE), expect(""), REFUSAL)


@pytest.mark.parametrize("length", [1, 335])
async def test_given_a_token_that_fits_the_line_when_signing_in_then_it_goes_with_the_command(
    sender: Sender, line_server: StartLineServer, length: int
) -> None:
    """F23: with 335 letters the command has 511 octets."""
    token = "a" * length
    server = await line_server([*GREETING, shown(token, WELCOME), mail(), farewell()])
    tokens = FakeTokens(token)

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=tokens)

    assert report.failure is None
    assert step_of(report, Stage.AUTH).detail == "XOAUTH2"
    assert step_of(report, Stage.TOKEN).succeeded
    assert tokens.rejected == [None]
    await server.finished()


@pytest.mark.parametrize("length", [336, 4000])
async def test_given_a_token_beyond_the_line_when_signing_in_then_it_waits_for_the_334(
    sender: Sender, line_server: StartLineServer, length: int
) -> None:
    """F23."""
    token = "a" * length
    exchange = [expect("AUTH XOAUTH2"), send("334 "), expect(xoauth2(token).replace("+", "[+]")), WELCOME]
    server = await line_server([*GREETING, exchange, mail(), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens(token))

    assert report.failure is None
    await server.finished()


async def test_given_a_refused_token_when_renewed_then_the_new_one_is_tried_in_the_same_attempt(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F23."""
    server = await line_server([*GREETING, refused("OLD"), shown("NEW", WELCOME), mail(), farewell()])
    tokens = FakeTokens("OLD", "NEW")

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=tokens)

    assert report.failure is None
    assert tokens.rejected == [None, "OLD"]
    asked = [(step.stage, step.succeeded) for step in report.trace.steps if step.stage in (Stage.TOKEN, Stage.AUTH)]
    assert asked == [(Stage.TOKEN, True), (Stage.AUTH, False), (Stage.TOKEN, True), (Stage.AUTH, True)]
    await server.finished()


async def test_given_two_refused_tokens_when_signing_in_then_it_stops_and_tells_the_servers_status(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F23: one forced refresh and one new try, not a loop."""
    server = await line_server([*GREETING, refused("OLD"), refused("NEW"), farewell()])
    tokens = FakeTokens("OLD", "NEW", "NEWER")

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=tokens)

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.AUTH_REJECTED,
        FailureKind.REAUTHORIZE,
        Stage.AUTH,
    )
    assert failure.provider_code == "535 5.7.8"
    assert "status 400, scope https://mail.google.com/" in failure.cause
    assert tokens.rejected == [None, "OLD"]
    await sender.transport.aclose()
    await server.finished()


async def test_given_the_same_token_again_when_renewed_then_it_is_not_shown_twice(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([*GREETING, refused("OLD"), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens("OLD"))

    assert failure_of(report).kind is FailureKind.REAUTHORIZE
    await sender.transport.aclose()
    await server.finished()


async def test_given_exchange_that_refuses_at_once_when_signing_in_then_no_challenge_is_needed(
    sender: Sender, line_server: StartLineServer
) -> None:
    no = send("535 5.7.3 Authentication unsuccessful [LO4P123CA0207.GBRP123.PROD.OUTLOOK.COM 2024-10-10 08DCE968]")
    server = await line_server([*GREETING, shown("OLD", no), shown("NEW", no), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens("OLD", "NEW"))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, FailureKind.REAUTHORIZE)
    assert "SMTP.Send" in failure.remedy


@pytest.mark.parametrize(
    ("grant_type", "refusal", "words"),
    [
        (GrantType.CLIENT_CREDENTIALS, "535 5.7.3 Authentication unsuccessful", "service principal"),
        (GrantType.JWT_BEARER, "535 5.7.8 Username and Password not accepted", "user name"),
    ],
)
async def test_given_tokens_that_nobody_consented_to_when_refused_twice_then_nobody_is_asked_to_consent(
    sender: Sender, line_server: StartLineServer, grant_type: GrantType, refusal: str, words: str
) -> None:
    no = send(refusal)
    server = await line_server([*GREETING, shown("OLD", no), shown("NEW", no), farewell()])
    authentication = dataclasses.replace(OAUTH, grant_type=grant_type)
    tokens = FakeTokens("OLD", "NEW")

    report = await sender.submit(some_settings(server.port, authentication=authentication), tokens=tokens)

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, FailureKind.MISCONFIGURED)
    assert words in failure.remedy
    assert "Authorize" not in failure.remedy
    assert tokens.rejected == [None, "OLD"]


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        ("535 5.7.139 SmtpClientAuthentication is disabled for the Tenant.", FailureKind.MISCONFIGURED),
        ("454 4.7.0 Temporary authentication failure", FailureKind.TRANSIENT),
        ("421 4.7.0 closing", FailureKind.TRANSIENT),
        ("534 5.7.9 too weak", FailureKind.MISCONFIGURED),
    ],
)
async def test_given_a_refusal_that_no_new_token_cures_when_signing_in_then_none_is_asked_for(
    sender: Sender, line_server: StartLineServer, refusal: str, kind: FailureKind
) -> None:
    server = await line_server([*GREETING, shown("OLD", send(refusal)), hang()])
    tokens = FakeTokens("OLD", "NEW")

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=tokens)

    assert failure_of(report).kind is kind
    assert tokens.rejected == [None]


@pytest.mark.parametrize("end", [[close()], [send("421 4.7.0 too many errors"), close()]])
async def test_given_a_server_that_closes_after_a_refusal_when_renewed_then_it_is_dialled_once_more(
    sender: Sender, line_server: StartLineServer, end: list[Item]
) -> None:
    first: list[Item] = [*GREETING, refused("OLD"), *end]
    server = await line_server(first, [*GREETING, shown("NEW", WELCOME), mail(), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens("OLD", "NEW"))

    assert report.failure is None
    assert len(server.conversations) == 2


async def test_given_oauthbearer_is_listed_when_signing_in_then_the_standard_one_is_used(
    sender: Sender, line_server: StartLineServer
) -> None:
    """RFC 7628: its error is answered with one octet 01."""
    challenge = base64.b64encode(b'{"status":"invalid_token","scope":"mail"}').decode()
    exchange: list[Item] = [
        (expect("AUTH OAUTHBEARER .+"), send(f"334 {challenge}")),
        (expect("AQ=="), send("535 5.7.8 no")),
        (expect("AUTH OAUTHBEARER .+"), WELCOME),
    ]
    server = await line_server([send("220 mx"), ehlo("AUTH XOAUTH2 OAUTHBEARER PLAIN"), *exchange, mail(), farewell()])
    who = dataclasses.replace(OAUTH, username="a=b,c@example.com")

    report = await sender.submit(some_settings(server.port, authentication=who), tokens=FakeTokens("OLD", "NEW"))

    assert report.failure is None
    assert step_of(report, Stage.AUTH).detail == "OAUTHBEARER"
    said = [line.split()[2] for line in server.heard().split(b"\r\n") if line.startswith(b"AUTH")]
    words = "n,a=a=3Db=2Cc@example.com,\x01host=localhost\x01port={port}\x01auth=Bearer {token}\x01\x01"
    expected = [words.format(port=server.port, token=token).encode() for token in ("OLD", "NEW")]
    assert [base64.b64decode(word) for word in said] == expected


@pytest.mark.parametrize("refusal", ["500 5.5.2 what", "504 5.5.4 unknown"])
async def test_given_oauthbearer_does_not_work_when_signing_in_then_xoauth2_is_tried_with_the_same_token(
    sender: Sender, line_server: StartLineServer, refusal: str
) -> None:
    unknown: Item = (expect("AUTH OAUTHBEARER .+"), send(refusal))
    server = await line_server(
        [send("220 mx"), ehlo("AUTH OAUTHBEARER XOAUTH2"), unknown, shown("T", WELCOME), mail(), farewell()]
    )
    tokens = FakeTokens("T")

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=tokens)

    assert report.failure is None
    assert step_of(report, Stage.AUTH).detail == "OAUTHBEARER, then XOAUTH2"
    assert tokens.rejected == [None]


@pytest.mark.parametrize("capabilities", [["AUTH PLAIN LOGIN"], ["AUTH GSSAPI"], []])
async def test_given_no_mechanism_for_tokens_when_signing_in_then_the_token_is_not_sent_as_a_password(
    sender: Sender, line_server: StartLineServer, capabilities: list[str]
) -> None:
    """F22 (e)."""
    server = await line_server([send("220 mx"), ehlo(*capabilities), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens("T-SECRET"))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.NO_USABLE_AUTH_MECHANISM, FailureKind.MISCONFIGURED)
    assert b"\r\nAUTH" not in server.heard()


REFUSED_BY_PROVIDER = Failure(
    reason=Reason.CLIENT_CONFIG,
    kind=FailureKind.MISCONFIGURED,
    stage=Stage.TOKEN,
    cause="The client secret has expired.",
    remedy="Create a new one.",
    provider_code="401 invalid_client AADSTS7000222",
)
NO_TOKEN: list[tuple[MailportError, Reason, FailureKind]] = [
    (AuthorizationRequired("Nobody consented.", remedy="Do."), Reason.NEEDS_AUTHORIZATION, FailureKind.REAUTHORIZE),
    (
        AuthorizationRequired("It is dead.", reason=Reason.REAUTH_REQUIRED),
        Reason.REAUTH_REQUIRED,
        FailureKind.REAUTHORIZE,
    ),
    (ProviderRefused(REFUSED_BY_PROVIDER), Reason.CLIENT_CONFIG, FailureKind.MISCONFIGURED),
    (SecretUnreadable("No key."), Reason.SECRET_UNREADABLE, FailureKind.MISCONFIGURED),
    (Unavailable("Away."), Reason.DATABASE_UNAVAILABLE, FailureKind.TRANSIENT),
]


@pytest.mark.parametrize(("error", "reason", "kind"), NO_TOKEN)
async def test_given_no_token_when_sent_then_nothing_is_dialled_and_the_failure_says_why(
    sender: Sender, line_server: StartLineServer, error: MailportError, reason: Reason, kind: FailureKind
) -> None:
    server = await line_server([close()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens(error))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (reason, kind, Stage.TOKEN)
    assert failure.cause
    assert failure.remedy
    assert [(step.stage, step.succeeded) for step in report.trace.steps] == [(Stage.TOKEN, False)]
    assert server.conversations == []


@pytest.mark.parametrize(("error", "reason", "kind"), NO_TOKEN)
async def test_given_no_new_token_after_a_refusal_when_sent_then_that_is_the_failure(
    sender: Sender, line_server: StartLineServer, error: MailportError, reason: Reason, kind: FailureKind
) -> None:
    server = await line_server([*GREETING, refused("OLD"), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens("OLD", error))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (reason, kind, Stage.TOKEN)
    await sender.transport.aclose()
    await server.finished()


async def test_given_a_database_that_is_away_when_sent_then_the_failure_says_when_to_come_back(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([close()])
    away = FakeTokens(Unavailable("Away.", retry_after=timedelta(seconds=7)))

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=away)

    retry_time = failure_of(report).retry_time
    assert retry_time is not None
    assert timedelta(seconds=6) < retry_time - report.trace.start_time < timedelta(seconds=10)


async def test_given_a_token_that_does_not_come_when_sent_then_the_attempt_ends_in_time(
    sender: Sender, line_server: StartLineServer
) -> None:
    hold = asyncio.Event()
    server = await line_server([close()])

    class Never(FakeTokens):
        async def token(self, *, rejected: Secret | None) -> Secret:
            await hold.wait()
            raise AssertionError

    report = await sender.submit(
        some_settings(server.port, authentication=OAUTH), tokens=Never(""), patience=a_patience(0.1)
    )

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.TRANSIENT, Stage.TOKEN)


async def test_given_an_empty_token_when_sent_then_nothing_is_dialled(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([close()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens(""))

    assert failure_of(report).kind is FailureKind.REAUTHORIZE
    assert server.conversations == []


TOKEN = "ya29.T-SECRET/+" + "x" * 60
ECHOES = {
    "raw": TOKEN,
    "base64": base64.b64encode(TOKEN.encode()).decode(),
    "xoauth2": xoauth2(TOKEN),
    "cut": f"line too long: AUTH XOAUTH2 {xoauth2(TOKEN)[:90]}",
    "cut raw": TOKEN[:40],
    "percent": "ya29.T-SECRET%2F%2B" + "x" * 60,
    "hex": TOKEN.encode().hex(),
}


@pytest.mark.parametrize("form", ECHOES)
async def test_given_a_server_that_repeats_the_token_when_it_refuses_then_it_is_nowhere(
    sender: Sender, line_server: StartLineServer, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F41."""
    caplog.set_level(logging.DEBUG)
    challenge = base64.b64encode(f'{{"status":"{ECHOES[form]}","scope":"{ECHOES[form]}"}}'.encode()).decode()
    no: Item = [send(f"334 {challenge}"), expect(""), send(f"535 5.7.8 you said {ECHOES[form]}")]
    server = await line_server([*GREETING, shown(TOKEN, no), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=OAUTH), tokens=FakeTokens(TOKEN))

    everything = repr(dataclasses.asdict(report)) + caplog.text
    assert "***" in everything
    for secret in ("T-SECRET", "VC1TRUNSRV", "eWEyOS5", "QmVhcmVyIHlh", "542d534543524554"):
        assert secret not in everything


async def test_given_starttls_and_a_good_token_when_sent_then_the_mail_is_taken(
    sender: Sender, faulty_smtp: StartFaultySmtp, ca: TestCA
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("smtp")), tokens={USER: "GOOD"})
    settings = some_settings(server.port, security=STARTTLS, authentication=OAUTH)

    report = await sender.submit(settings, tokens=FakeTokens("STALE", "GOOD"))

    assert report.failure is None
    assert (server.messages[0].login, server.messages[0].is_encrypted) == (USER, True)
    assert server.connections == 1


async def test_given_bad_tokens_alone_when_sent_then_nothing_was_taken(
    sender: Sender, faulty_smtp: StartFaultySmtp, ca: TestCA
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("smtp")), tokens={USER: "GOOD"})
    settings = some_settings(server.port, security=STARTTLS, authentication=OAUTH)

    report: Report = await sender.submit(settings, tokens=FakeTokens("BAD", "WORSE"))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, FailureKind.REAUTHORIZE)
    assert "status 401" in failure.cause
    assert sum(command.startswith("AUTH") for command in server.commands) == 2
    assert sender.passed_no_return == 0
