"""What every MailTransport does (domain.ports.transport)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

import pytest
import pytest_asyncio

from adapters.graph.transport import GraphMailTransport
from adapters.oauth.dialling import JudgedTransports
from adapters.smtp.transport import SmtpMailTransport
from adapters.system.clock import SystemClock
from adapters.system.entropy import SystemEntropy
from domain.address import EmailAddress
from domain.connection import ConnectionSecurity
from domain.errors import AuthorizationRequired, MailportError, ProviderRefused
from domain.failures.failure import FailureKind, Stage
from domain.host import Host
from domain.message import Envelope
from domain.ports.transport import BeforeContent, Earlier, MailTransport, Patience, Report, TokenSource
from domain.reasons import Reason
from domain.settings.model import GraphTransport, MailSettings, SmtpTransport
from tests.builders import an_oauth_authentication
from tests.consent_builders import a_token_failure
from tests.fakes.network import FakeResolver
from tests.fakes.tokens import FakeTokens
from tests.fakes.transport import Answer, FakeTransport, a_failure
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.scripted_http import SILENT, Heard, Reply, ScriptedHttp, graph_error, in_json

CONTENT = b"From: a@example.com\r\nMessage-ID: <1@example.com>\r\n\r\nHello\r\n"
ANN, BOB, EVE = (EmailAddress(name, "example.com") for name in ("ann", "bob", "eve"))
OAUTH = an_oauth_authentication()
PATIENCE = Patience(
    until_content=timedelta(seconds=5),
    each_reply=timedelta(milliseconds=400),
    content=timedelta(seconds=5),
    final_reply=timedelta(milliseconds=400),
)


class Saying(StrEnum):
    """What a server says to a message as a whole."""

    YES = "yes"
    NO = "no"
    """For good."""
    LATER = "later"
    NOTHING = "nothing"
    """It takes the content, and never answers."""


KINDS = {
    Saying.NO: FailureKind.PERMANENT,
    Saying.LATER: FailureKind.TRANSIENT,
    Saying.NOTHING: FailureKind.IN_DOUBT,
}


class World(Protocol):
    """A transport, and a server that answers as told."""

    @property
    def transport(self) -> MailTransport: ...

    @property
    def lane(self) -> str:
        """What messages are submitted in; empty: each over a connection of its own."""
        ...

    @property
    def tokens(self) -> TokenSource | None:
        """What messages are submitted with."""
        ...

    @property
    def last_stage(self) -> Stage:
        """Where the server's last word about a message is said."""
        ...

    @property
    def sign_in_stage(self) -> Stage:
        """Where it says what it thinks of a token."""
        ...

    async def arrange(self, saying: Saying = Saying.YES) -> MailSettings:
        """Makes the server answer *saying* to a message's content; returns settings."""
        ...

    async def arrange_sign_in(self, good: str) -> MailSettings:
        """Makes the server let in whoever shows the token *good*; returns settings for it."""
        ...

    def taken(self) -> int:
        """Tells how many messages the server has said yes to."""
        ...


class EnvelopeWorld(World, Protocol):
    """A server that is told sender and recipients first, and judges each; over HTTP nobody does."""

    async def plan(self, plan: Mapping[str, str]) -> MailSettings:
        """Makes it answer by *plan*, a map of ``mail``, ``rcpt:<address>``, ``dot`` to replies; returns settings."""
        ...


class FakeWorld:
    lane = ""
    tokens: TokenSource | None = None
    last_stage = Stage.DATA
    sign_in_stage = Stage.AUTH

    def __init__(self, _: AsyncExitStack) -> None:
        self.transport = FakeTransport()

    async def arrange(self, saying: Saying = Saying.YES) -> MailSettings:
        return await self.plan(DOTS[saying])

    async def plan(self, plan: Mapping[str, str]) -> MailSettings:
        refused = tuple(
            (EmailAddress(*stage.removeprefix("rcpt:").split("@")), a_failure(_kind(reply), stage=Stage.RCPT_TO))
            for stage, reply in plan.items()
            if stage.startswith("rcpt:")
        )
        whole = next((reply for stage, reply in plan.items() if not stage.startswith("rcpt:")), None)
        stage = Stage.MAIL_FROM if "mail" in plan else Stage.DATA
        self.transport.usual = Answer(a_failure(_kind(whole), stage=stage) if whole else None, refused)
        return settings_for(587)

    async def arrange_sign_in(self, good: str) -> MailSettings:
        self.transport.refuses = lambda token: token.reveal() != good
        return replace(settings_for(587), authentication=OAUTH)

    def taken(self) -> int:
        return len(self.transport.accepted)


class SmtpWorld:
    lane = ""
    tokens: TokenSource | None = None
    last_stage = Stage.DATA
    sign_in_stage = Stage.AUTH

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._server: FaultySmtp | None = None
        self.transport = SmtpMailTransport(
            resolver=FakeResolver(),
            clock=SystemClock(),
            host_name="mailport.example.test",
            linger=timedelta(0),
        )
        stack.push_async_callback(self.transport.aclose)

    async def arrange(self, saying: Saying = Saying.YES) -> MailSettings:
        return await self.plan(DOTS[saying])

    async def plan(self, plan: Mapping[str, str]) -> MailSettings:
        self._server = await self._stack.enter_async_context(FaultySmtp(plan=plan))
        return settings_for(self._server.port)

    async def arrange_sign_in(self, good: str) -> MailSettings:
        peer = FaultySmtp(tokens={OAUTH.username: good})
        self._server = await self._stack.enter_async_context(peer)
        return replace(settings_for(self._server.port), authentication=OAUTH)

    def taken(self) -> int:
        return len(self._server.messages) if self._server else 0


class SmtpLaneWorld(SmtpWorld):
    lane = "tenant/configuration"

    async def plan(self, plan: Mapping[str, str]) -> MailSettings:
        """Has a message sent before, so that the one of the test goes over a connection that was kept."""
        server = await self._stack.enter_async_context(FaultySmtp())
        settings = settings_for(server.port)
        await submit(self, settings)
        self._server = server
        server.messages.clear()
        server.plan.update(plan)
        return settings


class GraphWorld:
    lane = ""
    last_stage = Stage.API
    sign_in_stage = Stage.API

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._peer: ScriptedHttp | None = None
        self._good = "GOOD"
        self._reply = Reply(202)
        self._taken = 0
        self.tokens: TokenSource | None = FakeTokens(self._good)
        clock = SystemClock()
        wires = JudgedTransports(resolver=FakeResolver(), clock=clock)
        self.transport = GraphMailTransport(open_wire=wires.open, clock=clock, entropy=SystemEntropy(clock=clock))
        stack.push_async_callback(self.transport.aclose)

    async def arrange(self, saying: Saying = Saying.YES) -> MailSettings:
        self._reply = {
            Saying.YES: Reply(202),
            Saying.NO: graph_error(400, "ErrorInvalidRecipients", "no"),
            Saying.LATER: graph_error(503, "ErrorServerBusy", "later"),
            Saying.NOTHING: SILENT,
        }[saying]
        self._peer = await self._stack.enter_async_context(ScriptedHttp(self._answer))
        graph = GraphTransport(base_url=self._peer.url)
        return MailSettings(from_address=ANN, transport=graph, authentication=OAUTH)

    async def arrange_sign_in(self, good: str) -> MailSettings:
        self._good = good
        return await self.arrange()

    def taken(self) -> int:
        return self._taken

    def _answer(self, heard: Heard) -> Reply:
        if heard.headers["authorization"] != f"Bearer {self._good}":
            return graph_error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        if not heard.path.endswith("/sendMail"):
            return in_json(200, {"value": []})
        if heard.headers["content-type"] == "application/json":
            return graph_error(400, "ErrorInvalidRecipients", "no recipients")
        self._taken += self._reply.status == 202
        return self._reply


class GraphLaneWorld(GraphWorld):
    lane = "tenant/configuration"


DOTS: Mapping[Saying, Mapping[str, str]] = {
    Saying.YES: {},
    Saying.NO: {"dot": "554 no"},
    Saying.LATER: {"dot": "451 later"},
    Saying.NOTHING: {"dot": "hang"},
}
"""What a mail server replies to the final dot."""


def _kind(reply: str) -> FailureKind:
    if reply == "hang":
        return FailureKind.IN_DOUBT
    return FailureKind.TRANSIENT if reply.startswith("4") else FailureKind.PERMANENT


def settings_for(port: int) -> MailSettings:
    smtp = SmtpTransport(host=Host("localhost"), port=port, security=ConnectionSecurity.NONE)
    return MailSettings(from_address=ANN, transport=smtp)


ENVELOPES = {"fake": FakeWorld, "smtp": SmtpWorld, "smtp lane": SmtpLaneWorld}
EVERY = {**ENVELOPES, "graph": GraphWorld, "graph lane": GraphLaneWorld}


@pytest_asyncio.fixture(params=EVERY.values(), ids=EVERY.keys())
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield request.param(stack)


@pytest_asyncio.fixture(params=ENVELOPES.values(), ids=ENVELOPES.keys())
async def judging(request: pytest.FixtureRequest) -> AsyncIterator[EnvelopeWorld]:
    """A server that judges senders and recipients."""
    async with AsyncExitStack() as stack:
        yield request.param(stack)


class Mark:
    """Counts how often the point of no return was passed; *error* refuses it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.passed = 0
        self._error = error

    async def __call__(self) -> None:
        self.passed += 1
        if self._error is not None:
            raise self._error


async def submit(
    world: World, settings: MailSettings, *recipients: EmailAddress, before_content: BeforeContent | None = None
) -> Report:
    return await world.transport.submit(
        settings,
        Envelope(sender=ANN, recipients=recipients or (BOB,)),
        CONTENT,
        before_content=before_content or Mark(),
        patience=PATIENCE,
        tokens=world.tokens,
        lane=world.lane,
    )


async def test_given_a_willing_server_when_submitted_then_every_recipient_is_accepted_in_order(world: World) -> None:
    settings = await world.arrange()
    mark = Mark()

    report = await submit(world, settings, BOB, EVE, before_content=mark)

    assert report.failure is None
    assert report.first_failure is None
    assert [(verdict.recipient, verdict.is_accepted) for verdict in report.verdicts] == [(BOB, True), (EVE, True)]
    assert all(verdict.reply.startswith("2") for verdict in report.verdicts)
    assert report.trace.steps[-1].stage is world.last_stage
    assert (mark.passed, world.taken()) == (1, 1)


async def test_given_one_refused_recipient_when_submitted_then_the_others_are_accepted(judging: EnvelopeWorld) -> None:
    settings = await judging.plan({"rcpt:eve@example.com": "550 5.1.1 unknown"})

    report = await submit(judging, settings, BOB, EVE)

    bob, eve = report.verdicts
    assert bob.is_accepted
    assert eve.failure is not None
    assert eve.failure.kind is FailureKind.PERMANENT
    assert report.failure is None
    assert report.first_failure == eve.failure
    assert judging.taken() == 1


async def test_given_all_recipients_refused_when_submitted_then_the_point_of_no_return_is_not_reached(
    judging: EnvelopeWorld,
) -> None:
    settings = await judging.plan(
        {"rcpt:bob@example.com": "550 5.1.1 unknown", "rcpt:eve@example.com": "450 4.2.1 busy"}
    )
    mark = Mark()

    report = await submit(judging, settings, BOB, EVE, before_content=mark)

    kinds = [verdict.failure.kind for verdict in report.verdicts if verdict.failure]
    assert kinds == [FailureKind.PERMANENT, FailureKind.TRANSIENT]
    assert (mark.passed, judging.taken()) == (0, 0)


@pytest.mark.parametrize(("reply", "kind"), [("550 no", FailureKind.PERMANENT), ("451 no", FailureKind.TRANSIENT)])
async def test_given_a_refused_sender_when_submitted_then_it_is_definite_for_all(
    judging: EnvelopeWorld, reply: str, kind: FailureKind
) -> None:
    settings = await judging.plan({"mail": reply})
    mark = Mark()

    report = await submit(judging, settings, BOB, EVE, before_content=mark)

    assert report.failure is not None
    assert (report.failure.kind, report.failure.stage) == (kind, Stage.MAIL_FROM)
    assert [verdict.failure for verdict in report.verdicts] == [report.failure] * 2
    assert mark.passed == 0


@pytest.mark.parametrize("saying", [Saying.NO, Saying.LATER])
async def test_given_a_refused_content_when_submitted_then_it_is_definite(world: World, saying: Saying) -> None:
    settings = await world.arrange(saying)

    report = await submit(world, settings)

    assert report.failure is not None
    assert report.failure.kind is KINDS[saying]
    assert not report.verdicts[0].is_in_doubt
    assert world.taken() == 0


async def test_given_no_answer_to_the_content_when_submitted_then_it_is_in_doubt(world: World) -> None:
    settings = await world.arrange(Saying.NOTHING)
    mark = Mark()

    report = await submit(world, settings, before_content=mark)

    assert report.verdicts[0].is_in_doubt
    assert mark.passed == 1


async def test_given_a_mark_that_fails_when_submitted_then_its_error_is_raised_and_nothing_was_taken(
    world: World,
) -> None:
    settings = await world.arrange()

    with pytest.raises(LookupError, match="lease lost"):
        await submit(world, settings, before_content=Mark(LookupError("lease lost")))

    assert world.taken() == 0


async def test_given_a_mark_that_is_being_made_when_cancelled_then_nothing_was_taken(world: World) -> None:
    settings = await world.arrange()
    reached = asyncio.Event()

    async def block() -> None:
        reached.set()
        await asyncio.Event().wait()

    attempt = asyncio.create_task(submit(world, settings, before_content=block))
    await reached.wait()
    attempt.cancel()

    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert world.taken() == 0


async def test_given_a_willing_server_when_signing_in_then_it_is_reached_and_offered_nothing(
    world: World,
) -> None:
    settings = await world.arrange()

    tried = await world.transport.sign_in(settings, patience=PATIENCE, tokens=world.tokens)

    assert tried.failure is None
    assert tried.trace.steps
    assert world.taken() == 0


async def test_given_a_good_token_when_signing_in_then_the_account_is_let_in_and_no_message_offered(
    world: World,
) -> None:
    settings = await world.arrange_sign_in("GOOD")
    tokens = FakeTokens("GOOD")

    tried = await world.transport.sign_in(settings, patience=PATIENCE, tokens=tokens)

    assert tried.failure is None
    assert tokens.rejected == [None]
    assert world.taken() == 0


async def test_given_a_token_that_is_refused_when_signing_in_then_a_new_one_is_asked_for_once(world: World) -> None:
    settings = await world.arrange_sign_in("NEW")
    tokens = FakeTokens("OLD", "NEW")

    tried = await world.transport.sign_in(settings, patience=PATIENCE, tokens=tokens)

    assert tried.failure is None
    assert tokens.rejected == [None, "OLD"]


async def test_given_tokens_that_are_all_refused_when_signing_in_then_it_stops_after_the_second(world: World) -> None:
    settings = await world.arrange_sign_in("GOOD")
    tokens = FakeTokens("OLD", "NEW", "NEWER")

    tried = await world.transport.sign_in(settings, patience=PATIENCE, tokens=tokens)

    assert tried.failure is not None
    assert tried.failure.stage is world.sign_in_stage
    assert not tried.trace.steps[-1].succeeded
    assert tokens.rejected == [None, "OLD"]


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (ProviderRefused(a_token_failure()), FailureKind.REAUTHORIZE, Reason.REAUTH_REQUIRED),
        (AuthorizationRequired("Nobody has consented."), FailureKind.REAUTHORIZE, Reason.NEEDS_AUTHORIZATION),
    ],
)
async def test_given_no_token_when_signing_in_or_submitting_then_that_is_the_failure_and_never_an_exception(
    world: World, error: MailportError, kind: FailureKind, reason: Reason
) -> None:
    settings = await world.arrange_sign_in("GOOD")

    tried = await world.transport.sign_in(settings, patience=PATIENCE, tokens=FakeTokens(error))
    report = await world.transport.submit(
        settings,
        Envelope(sender=ANN, recipients=(BOB,)),
        CONTENT,
        before_content=Mark(),
        patience=PATIENCE,
        tokens=FakeTokens(error),
    )

    for failure in (tried.failure, report.failure):
        assert failure is not None
        assert (failure.kind, failure.reason, failure.stage) == (kind, reason, Stage.TOKEN)
    assert world.taken() == 0


async def test_given_a_lane_when_two_messages_follow_each_other_then_both_are_taken(world: World) -> None:
    settings = await world.arrange()

    reports = [await submit(world, settings, BOB), await submit(world, settings, EVE)]

    assert [report.verdicts[0].is_accepted for report in reports] == [True, True]
    assert world.taken() == 2


async def test_given_a_refused_message_when_another_follows_then_it_has_an_answer_of_its_own(
    judging: EnvelopeWorld,
) -> None:
    settings = await judging.plan({"rcpt:eve@example.com": "550 5.1.1 unknown"})

    refused, taken = await submit(judging, settings, EVE), await submit(judging, settings, BOB)

    assert refused.first_failure is not None
    assert taken.first_failure is None
    assert judging.taken() == 1


@pytest.mark.parametrize("earlier", Earlier)
async def test_given_attempts_before_that_left_nothing_when_submitted_then_the_message_is_taken(
    world: World, earlier: Earlier
) -> None:
    settings = await world.arrange()

    report = await world.transport.submit(
        settings,
        Envelope(sender=ANN, recipients=(BOB,)),
        CONTENT,
        before_content=Mark(),
        patience=PATIENCE,
        tokens=world.tokens,
        lane=world.lane,
        earlier=earlier,
    )

    assert report.failure is None
    assert world.taken() == 1
