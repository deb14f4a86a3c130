"""A mail server that does as the test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from domain.address import EmailAddress
from domain.errors import MailportError
from domain.failures.failure import Failure, FailureKind, Stage
from domain.failures.trace import Trace, TraceStep
from domain.message import Envelope
from domain.no_token import failure_without_token
from domain.ports.environment import Clock
from domain.ports.transport import BeforeContent, Earlier, Patience, Report, SignIn, TokenSource, Verdict
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import MailSettings
from tests.fakes.environment import FakeClock


def a_failure(
    kind: FailureKind = FailureKind.PERMANENT,
    *,
    reason: Reason = Reason.MESSAGE_REFUSED,
    stage: Stage = Stage.DATA,
    code: str = "550 5.0.0",
) -> Failure:
    """Returns a failure with words that do not matter."""
    return Failure(
        reason=reason, kind=kind, stage=stage, cause="The server said no.", remedy="Ask it.", provider_code=code
    )


@dataclass(frozen=True, slots=True)
class Submitted:
    """One attempt as it was made."""

    settings: MailSettings
    envelope: Envelope
    content: bytes
    patience: Patience
    tokens: TokenSource | None = None
    lane: str = ""
    earlier: Earlier = Earlier.NOTHING


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the next attempt meets: `failure` ends it for the message, before the content unless it is IN_DOUBT.

    `refused` answers single recipients; DATA is reached when one is left.
    """

    failure: Failure | None = None
    refused: tuple[tuple[EmailAddress, Failure], ...] = ()
    reply: str = "250 2.0.0 queued"


class FakeTransport:
    """
    `domain.ports.transport.MailTransport` and `Lanes`: takes every message unless told otherwise.

    `answers` are used up one an attempt, then `usual` answers. Each attempt is in `submitted`; what passed the point of
    no return and was taken is in `accepted`. `while_connecting` and `while_sending` are awaited before and after the
    point of no return, e.g. to block there.
    """

    def __init__(self, *answers: Answer, clock: Clock | None = None) -> None:
        self.answers = deque(answers)
        self.usual = Answer()
        self.submitted: list[Submitted] = []
        self.accepted: list[Submitted] = []
        self.forgotten: list[str] = []
        """Lanes, in the order in which they were forgotten."""
        self.signed_in_with: list[str] = []
        """The access tokens that opened it."""
        self.refuses: Callable[[Secret], bool] = lambda _: False
        """Tells whether the server refuses an access token."""
        self.while_connecting: Callable[[], Awaitable[None]] | None = None
        self.while_sending: Callable[[], Awaitable[None]] | None = None
        self._clock = clock or FakeClock()

    async def submit(
        self,
        settings: MailSettings,
        envelope: Envelope,
        content: bytes,
        *,
        before_content: BeforeContent,
        patience: Patience,
        tokens: TokenSource | None = None,
        lane: str = "",
        earlier: Earlier = Earlier.NOTHING,
    ) -> Report:
        attempt = Submitted(settings, envelope, content, patience, tokens, lane, earlier)
        self.submitted.append(attempt)
        answer = self.answers.popleft() if self.answers else self.usual
        if self.while_connecting is not None:
            await self.while_connecting()
        failure = await self._failure_to_sign_in(tokens) or answer.failure
        refused = dict(answer.refused)
        left = [recipient for recipient in envelope.recipients if recipient not in refused]
        if left and (failure is None or failure.kind is FailureKind.IN_DOUBT):
            await before_content()
            if self.while_sending is not None:
                await self.while_sending()
            if failure is None:
                self.accepted.append(attempt)
        verdicts = tuple(
            _verdict(recipient, refused.get(recipient, failure), answer) for recipient in envelope.recipients
        )
        return Report(verdicts=verdicts, trace=self._trace(failure), failure=failure)

    async def sign_in(self, settings: MailSettings, *, patience: Patience, tokens: TokenSource | None = None) -> SignIn:
        answer = self.answers.popleft() if self.answers else self.usual
        failure = await self._failure_to_sign_in(tokens) or answer.failure
        return SignIn(trace=self._trace(failure), failure=failure)

    def forget(self, lane: str) -> None:
        self.forgotten.append(lane)

    async def _failure_to_sign_in(self, tokens: TokenSource | None) -> Failure | None:
        if tokens is None:
            return None
        try:
            token = await tokens.token(rejected=None)
            if self.refuses(token):
                token = await tokens.token(rejected=token)
        except MailportError as error:
            return failure_without_token(error, now=self._clock.now())
        if self.refuses(token):
            return a_failure(FailureKind.MISCONFIGURED, reason=Reason.AUTH_REJECTED, stage=Stage.AUTH, code="535 5.7.8")
        self.signed_in_with.append(token.reveal())
        return None

    def _trace(self, failure: Failure | None) -> Trace:
        stage = failure.stage if failure else Stage.DATA
        step = TraceStep(stage=stage, succeeded=failure is None, duration=timedelta(milliseconds=1))
        return Trace(start_time=self._clock.now(), steps=(step,))


def _verdict(recipient: EmailAddress, failure: Failure | None, answer: Answer) -> Verdict:
    return Verdict(recipient=recipient, failure=failure, reply=failure.provider_code if failure else answer.reply)
