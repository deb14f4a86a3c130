"""Requests to Graph, one at a time, with the token that opens it: the only place that speaks HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import httpx2

from adapters.graph.failures import NoAnswer, no_answer
from adapters.graph.tracing import Step, Stopped, TraceLog, describe_tls
from domain.errors import MailportError, Unavailable
from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.explain import explain
from domain.failures.failure import Failure, Stage
from domain.failures.scrub import Scrubber, forms_of
from domain.graph.answers import GraphAnswer, failure_of, read_answer, silence_of
from domain.no_token import failure_without_token
from domain.ports.environment import Clock, Entropy
from domain.ports.network import ResolutionFailed
from domain.ports.transport import TokenSource
from domain.ports.turns import Turn, Turns
from domain.reasons import Reason
from domain.secret import Secret
from domain.turns import Place, Resting, not_its_turn

JSON: Final = "application/json"
MIME: Final = "text/plain"
_LONGEST_WAIT: Final = 30.0
_SHORTEST_SECRET: Final = 16
"""Characters of a value in a URL from which on it may be what opens it; shorter ones are plain words."""
_MOST_OCTETS: Final = 128 * 1024
"""
Of an answer; the rest is not read. What is asked about is smaller. A draft or a file that was made comes back in full,
its content included, and only its id, which stands first, is of use.
"""


class Wire(Protocol):
    """One way to a host: httpx2's transport that dials judged addresses alone."""

    was_sent: bool
    """Whether any of the last request may have left; whoever asks sets it back before."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Asks once and never again."""
        ...

    async def aclose(self) -> None:
        """Ends its connections."""
        ...


_Origin = tuple[str, str, int | None]

OpenWire = Callable[[], Awaitable[Wire]]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    url: str
    """In full; one of an upload is a secret and is nowhere told."""
    label: str
    """What it is for people, e.g. ``sendMail as MIME``."""
    body: bytes = b""
    content_type: str = ""
    range: str = ""
    """Content-Range of an upload."""
    is_immutable: bool = False
    """Whether ids are to survive that the message moves (learn.microsoft.com/graph/outlook-immutable-id)."""
    is_authorized: bool = True
    """False: the URL itself is what opens it, and the token must not go there."""
    sends: bool = False
    """Whether it is the call that sends."""


class Session:
    """
    The requests of one attempt.

    Each is in the trace with its client-request-id. A token that is refused is renewed once, and the request made again
    in full. Raises Stopped where there is no token, NoAnswer where no answer came; an answer is the caller's to judge.
    """

    def __init__(
        self,
        *,
        open_wire: OpenWire,
        turns: Turns,
        place: Place,
        wait_for_turn: timedelta,
        tokens: TokenSource | None,
        clock: Clock,
        entropy: Entropy,
        trace: TraceLog,
    ) -> None:
        self._open_wire = open_wire
        self._turns = turns
        self._place = place
        self._wait_for_turn = wait_for_turn
        self._turn: Turn | None = None
        self._stack = AsyncExitStack()
        self._tokens = tokens
        self._clock = clock
        self._entropy = entropy
        self._trace = trace
        self._scrubber = Scrubber()
        self._wires: dict[_Origin, Wire] = {}
        self._token: Secret | None = None
        self._is_renewed = False

    async def sign_in(self, seconds: float) -> None:
        """
        Gets the token, then a turn at the mailbox, which it keeps until it is closed.

        Raises Stopped with why there is no token, Resting while the mailbox may not be asked, Unavailable.
        """
        await self._fetch(seconds, rejected=None, detail="an access token is there")
        if self._turn is None:
            turn = self._turns.turn(self._place, within=self._wait_for_turn)
            self._turn = await self._stack.enter_async_context(turn)

    async def ask(self, ask: Ask, seconds: float) -> GraphAnswer:
        """
        Returns the answer to *ask*, which may take *seconds*, as a step of the trace.

        Raises NoAnswer, and Stopped when the mailbox is at rest, or there is no other token for one that was refused.
        """
        with self._trace.step(Stage.API, ask.label) as step:
            return await self.ask_within(step, ask, seconds)

    async def ask_within(self, step: Step, ask: Ask, seconds: float) -> GraphAnswer:
        """Does as `ask` within a *step* that is open already."""
        await self._wait_out(seconds)
        answer = await self._once(step, ask, seconds)
        if answer.status == 401 and ask.is_authorized and self._tokens is not None and not self._is_renewed:
            self._is_renewed = True
            rejected = self._token
            await self._fetch(seconds, rejected=rejected, detail="renewed, since Graph refused the access token")
            if self._token != rejected:
                await self._wait_out(seconds)
                answer = await self._once(step, ask, seconds)
        if not answer.is_success:
            step.succeeded = False
        return answer

    def failure(self, answer: GraphAnswer, ask: Ask) -> Failure:
        """Returns what *answer*, which is no success, means."""
        return failure_of(
            answer,
            text=self._scrubber.clean(answer.text),
            host=httpx2.URL(ask.url).host,
            met_time=self._clock.now(),
            sends=ask.sends,
        )

    def silence(self, silence: NoAnswer, ask: Ask) -> Failure:
        """Returns what it means that no answer came."""
        return silence_of(
            silence.symptom,
            self._scrubber.clean(silence.detail),
            stage=silence.stage,
            host=httpx2.URL(ask.url).host,
            met_time=self._clock.now(),
            sends=ask.sends and silence.was_sent,
        )

    def clean(self, text: str) -> str:
        """Returns *text* without what must not be repeated."""
        return self._scrubber.clean(text)

    def never_repeat(self, url: str) -> None:
        """Keeps *url*, which opens something by itself, out of all texts from now on, and what opens it within."""
        whole = urlsplit(url)
        values = (value for _, value in parse_qsl(whole.query))
        for secret in (url, whole.query, *(value for value in values if len(value) >= _SHORTEST_SECRET)):
            self._scrubber.learn(forms_of(secret))

    async def rested(self) -> None:
        """Waits until the mailbox may be asked; the caller's time is the bound."""
        wait = await self._resting()
        while wait > timedelta(0):
            await asyncio.sleep(wait.total_seconds())
            wait = await self._resting()

    async def _wait_out(self, seconds: float) -> None:
        """
        Waits for the end of a rest that somebody was told to keep, if it comes within *seconds* and soon.

        Raises Stopped if not: what is half uploaded is worth a wait, but no lane is held up for long.
        """
        while (wait := await self._resting()) > timedelta(0):
            if wait.total_seconds() > min(seconds, _LONGEST_WAIT):
                raise Stopped(not_its_turn(Resting(wait, is_told=True), now=self._clock.now()))
            seconds -= wait.total_seconds()
            await asyncio.sleep(wait.total_seconds())

    async def _resting(self) -> timedelta:
        return await self._turn.resting() if self._turn is not None else timedelta(0)

    async def aclose(self) -> None:
        """Ends the connections, and gives the turn back."""
        wires, self._wires = list(self._wires.values()), {}
        try:
            for wire in wires:
                await wire.aclose()
        finally:
            self._turn = None
            await self._stack.aclose()

    async def _once(self, step: Step, ask: Ask, seconds: float) -> GraphAnswer:
        client_request_id = str(self._entropy.uuid())
        step.note(f"client-request-id {client_request_id}")
        url = httpx2.URL(ask.url)
        request = httpx2.Request(
            ask.method, url, headers=self._headers(ask, client_request_id), content=ask.body or None
        )
        origin = (url.scheme, url.host, url.port)
        wire: Wire | None = None
        try:
            async with asyncio.timeout(seconds):
                wire = self._wires.get(origin)
                if wire is None:
                    wire = self._wires[origin] = await self._open_wire()
                wire.was_sent = False
                response = await wire.handle_async_request(request)
                tls = describe_tls(response.extensions, self._scrubber.clean)
                body = await _beginning(response)
                await response.aclose()  # the connection too, where there is more
        except asyncio.CancelledError:
            await self._drop(origin)
            raise
        except (httpx2.HTTPError, OSError, ResolutionFailed) as error:
            await self._drop(origin)
            silence = no_answer(error, was_sent=wire is not None and wire.was_sent)
            step.succeeded = False
            step.note(self._scrubber.clean(_in_words(silence)))
            raise silence from error
        answer = read_answer(response.status_code, response.headers, body, now=self._clock.now())
        step.tls = step.tls or tls
        if answer.request_id:
            step.note(self._scrubber.clean(f"request-id {answer.request_id}"))
        words = (str(answer.status), answer.code, answer.text)
        step.reply = self._scrubber.clean(" ".join(word for word in words if word))
        asks_for_rest = answer.is_success or answer.status == 429 or answer.status >= 500
        if answer.retry_time is not None and asks_for_rest and self._turn is not None:
            await self._turn.rest(answer.retry_time - self._clock.now())
        return answer

    async def _drop(self, origin: _Origin) -> None:
        """Ends a connection on which an answer may still come, so that the next request does not meet it."""
        wire = self._wires.pop(origin, None)
        if wire is not None:
            with suppress(httpx2.HTTPError, OSError):
                await wire.aclose()

    def _headers(self, ask: Ask, client_request_id: str) -> dict[str, str]:
        headers = {
            "Accept": JSON,
            "Accept-Encoding": "identity",
            "User-Agent": "mailport",
            "client-request-id": client_request_id,
            "return-client-request-id": "true",
        }
        if ask.method in ("POST", "PUT"):
            headers["Content-Length"] = str(len(ask.body))
        if ask.content_type:
            headers["Content-Type"] = ask.content_type
        if ask.range:
            headers["Content-Range"] = ask.range
        if ask.is_immutable:
            headers["Prefer"] = 'IdType="ImmutableId"'
        if ask.is_authorized and self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return headers

    async def _fetch(self, seconds: float, *, rejected: Secret | None, detail: str) -> None:
        with self._trace.step(Stage.TOKEN) as step:
            if self._tokens is None:
                raise Stopped(explain_no_consent(self._clock))
            try:
                async with asyncio.timeout(seconds):
                    token = await self._tokens.token(rejected=rejected)
            except MailportError as error:
                raise Stopped(failure_without_token(error, now=self._clock.now())) from error
            except TimeoutError:
                late = Unavailable("No access token came within the attempt's time.", reason=Reason.AUTH_UNAVAILABLE)
                raise Stopped(failure_without_token(late, now=self._clock.now())) from None
            if not token:
                raise Stopped(explain_no_consent(self._clock))
            self._scrubber.learn(forms_of(token.reveal()))
            self._token = token
            step.detail = detail


def is_url(text: str) -> bool:
    """Tells whether *text* is an address that can be asked."""
    try:
        httpx2.URL(text)  # no stricter than the other, but of another mind
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except (httpx2.InvalidURL, ValueError):
        return False


async def _beginning(response: httpx2.Response) -> bytes:
    """Returns the body of an answer as far as it is of use."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) >= _MOST_OCTETS:
            break
    return bytes(body[:_MOST_OCTETS])


def explain_no_consent(clock: Clock) -> Failure:
    """Returns the failure of an attempt that has no token at all."""
    return explain(
        Evidence(surface=Surface.OAUTH_TOKEN, stage=Stage.TOKEN, symptom=Symptom.NO_CONSENT, met_time=clock.now())
    )


def _in_words(silence: NoAnswer) -> str:
    name = silence.symptom.replace("_", " ")
    return f"{name}: {silence.detail}" if silence.detail else name
