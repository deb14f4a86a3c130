"""The port's implementation: one attempt per call, four at once a mailbox, and no draft that stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Final

from adapters.graph.attempt import Attempt
from adapters.graph.drafts import LOOK_AGAIN, Unreadable
from adapters.graph.failures import NoAnswer
from adapters.graph.gate import MOST_AT_ONCE, Gate, Gates
from adapters.graph.session import OpenWire
from adapters.graph.timing import Timer
from adapters.graph.tracing import Stopped, TraceLog
from domain.failures.evidence import Symptom
from domain.failures.failure import Stage
from domain.graph.answers import silence_of
from domain.graph.place import mailbox_of
from domain.message import Envelope
from domain.ports.environment import Clock, Entropy
from domain.ports.transport import BeforeContent, Earlier, Patience, Report, SignIn, TokenSource, Verdict
from domain.settings.model import GraphTransport, MailSettings

CLEAN_AGAIN: Final = tuple(timedelta(seconds=pause) for pause in (0, 2, 5, 15))
"""Before each try to remove a draft that was left."""
_CLEANING: Final = timedelta(seconds=10)
_GOODBYE_SECONDS: Final = 5.0


class GraphMailTransport:
    """
    `domain.ports.transport.MailTransport` over Microsoft Graph.

    A connection lives as long as one attempt. At most four requests at once go to a mailbox, whatever the lanes, and
    none while Graph wants it to be left alone. A draft that an attempt cannot remove itself, being cancelled or cut
    off, is removed by a task of the transport's own.
    """

    def __init__(
        self,
        *,
        open_wire: OpenWire,
        clock: Clock,
        entropy: Entropy,
        most_at_once: int = MOST_AT_ONCE,
        look_again: Sequence[timedelta] = LOOK_AGAIN,
        clean_again: Sequence[timedelta] = CLEAN_AGAIN,
    ) -> None:
        """
        Takes *open_wire*, which gives HTTP to judged addresses alone, a fresh one each time.

        *look_again*: the pauses before each look for a message that was perhaps sent. *clean_again*: those before each
        try to remove a draft that was left.
        """
        self._open_wire = open_wire
        self._clock = clock
        self._entropy = entropy
        self._gates = Gates(most=most_at_once)
        self._look_again = look_again
        self._clean_again = clean_again
        self._cleaners: set[asyncio.Task[None]] = set()

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
        """
        Offers the message once; see the port. Raises TypeError for settings that do not send through Graph.

        A *lane* changes nothing: what may be shared is the mailbox's.
        """
        graph = _graph_of(settings)
        trace, timer = TraceLog(self._clock), Timer(patience)
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout_at(timer.overall_end):
                    turn = self._gates.turn(_name(settings, graph), self._clock.now())
                    gate = await stack.enter_async_context(turn)
            except TimeoutError:
                return self._crowded_out(envelope, graph, trace)
            attempt = self._attempt(settings, graph, gate, timer, tokens, trace)
            stack.push_async_callback(attempt.aclose)
            return await attempt.run(envelope, content, before_content=before_content, earlier=earlier)

    async def sign_in(self, settings: MailSettings, *, patience: Patience, tokens: TokenSource | None = None) -> SignIn:
        """
        Proves token, mailbox and the permission to send, and sends nothing; see the port.

        Raises TypeError for settings that do not send through Graph.
        """
        graph = _graph_of(settings)
        trace, timer = TraceLog(self._clock), Timer(patience)
        async with self._gates.turn(_name(settings, graph), self._clock.now()) as gate:
            attempt = self._attempt(settings, graph, gate, timer, tokens, trace)
            try:
                return await attempt.sign_in()
            finally:
                await attempt.aclose()

    async def aclose(self) -> None:
        """Lets the removal of drafts come to its end: five seconds at most."""
        if self._cleaners:
            await asyncio.wait(self._cleaners, timeout=_GOODBYE_SECONDS)
        for task in list(self._cleaners):
            task.cancel()
        await asyncio.gather(*self._cleaners, return_exceptions=True)

    def _attempt(
        self,
        settings: MailSettings,
        graph: GraphTransport,
        gate: Gate,
        timer: Timer,
        tokens: TokenSource | None,
        trace: TraceLog,
    ) -> Attempt:
        def leave_draft(coming: Awaitable[str]) -> None:
            removal = self._clean_up(settings, graph, tokens, coming)
            task = asyncio.create_task(removal, name="graph draft removal")
            self._cleaners.add(task)
            task.add_done_callback(self._cleaners.discard)

        return Attempt(
            settings=settings,
            graph=graph,
            open_wire=self._open_wire,
            gate=gate,
            timer=timer,
            tokens=tokens,
            clock=self._clock,
            entropy=self._entropy,
            trace=trace,
            leave_draft=leave_draft,
            look_again=self._look_again,
        )

    async def _clean_up(
        self, settings: MailSettings, graph: GraphTransport, tokens: TokenSource | None, coming: Awaitable[str]
    ) -> None:
        """Removes the draft whose id is *coming*; a next attempt's draft has another."""
        draft_id = await coming
        patience = Patience(until_content=_CLEANING)
        for pause in self._clean_again if draft_id else ():
            await asyncio.sleep(pause.total_seconds())
            async with self._gates.turn(_name(settings, graph), self._clock.now()) as gate:
                await gate.rested(self._clock)
                attempt = self._attempt(settings, graph, gate, Timer(patience), tokens, TraceLog(self._clock))
                try:
                    with suppress(Stopped, NoAnswer, Unreadable):
                        if await attempt.clean_up(draft_id):
                            return
                finally:
                    await attempt.aclose()

    def _crowded_out(self, envelope: Envelope, graph: GraphTransport, trace: TraceLog) -> Report:
        failure = silence_of(
            Symptom.TOO_SLOW,
            "as many requests as may be were busy with other mail of the mailbox all the time",
            stage=Stage.API,
            host=graph.base_url.partition("://")[2],
            met_time=self._clock.now(),
            sends=False,
        )
        with suppress(Stopped), trace.step(Stage.API):
            raise Stopped(failure)
        verdicts = tuple(Verdict(recipient=to, failure=failure) for to in envelope.recipients)
        return Report(verdicts=verdicts, trace=trace.trace(), failure=failure)


def _graph_of(settings: MailSettings) -> GraphTransport:
    if not isinstance(settings.transport, GraphTransport):
        raise TypeError(f"Graph settings are needed, not {type(settings.transport).__name__}")
    return settings.transport


def _name(settings: MailSettings, graph: GraphTransport) -> str:
    return f"{graph.base_url} {mailbox_of(settings, graph)}".casefold()
