"""The port's implementation: one attempt per call, four at once a mailbox, and no draft that stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from adapters.graph.attempt import Attempt
from adapters.graph.drafts import LOOK_AGAIN, Unreadable
from adapters.graph.failures import NoAnswer
from adapters.graph.session import OpenWire
from adapters.graph.timing import Timer
from adapters.graph.tracing import Stopped, TraceLog
from adapters.graph.turns import TurnsHere
from domain.errors import Unavailable
from domain.message import Envelope
from domain.ports.environment import Clock, Entropy
from domain.ports.transport import BeforeContent, Earlier, Patience, Report, SignIn, TokenSource
from domain.ports.turns import Turns
from domain.settings.model import GraphTransport, MailSettings
from domain.turns import Place, Resting, not_its_turn, place_of

CLEAN_AGAIN: Final = tuple(timedelta(seconds=pause) for pause in (0, 2, 5, 15))
"""Before each try to remove a draft that was left."""
_CLEANING: Final = timedelta(seconds=10)
_WAIT_FOR_TURN: Final = timedelta(seconds=2)
"""Queued mail does not hold up others: what cannot be requested soon is put back."""
_WAIT_TO_CLEAN: Final = timedelta(minutes=10)
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
        turns: Turns | None = None,
        look_again: Sequence[timedelta] = LOOK_AGAIN,
        clean_again: Sequence[timedelta] = CLEAN_AGAIN,
    ) -> None:
        """
        Takes *open_wire*, which gives HTTP to judged addresses alone, a fresh one each time.

        *turns*: what mailboxes are spared; as far as this process knows, if there are none given.

        *look_again*: the pauses before each look for a message that was perhaps sent. *clean_again*: those before each
        try to remove a draft that was left.
        """
        self._open_wire = open_wire
        self._clock = clock
        self._entropy = entropy
        self._turns = turns or TurnsHere(clock=clock)
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
        attempt = self._attempt(settings, graph, timer, tokens, trace, wait_for_turn=_wait(patience))
        try:
            return await attempt.run(envelope, content, before_content=before_content, earlier=earlier)
        finally:
            await attempt.aclose()

    async def sign_in(self, settings: MailSettings, *, patience: Patience, tokens: TokenSource | None = None) -> SignIn:
        """
        Proves token, mailbox and the permission to send, and sends nothing; see the port.

        Raises TypeError for settings that do not send through Graph.
        """
        graph = _graph_of(settings)
        trace, timer = TraceLog(self._clock), Timer(patience)
        attempt = self._attempt(settings, graph, timer, tokens, trace, wait_for_turn=_wait(patience))
        try:
            return await attempt.sign_in()
        except Resting as resting:
            return SignIn(trace=trace.trace(), failure=not_its_turn(resting, now=self._clock.now()))
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
        timer: Timer,
        tokens: TokenSource | None,
        trace: TraceLog,
        *,
        wait_for_turn: timedelta,
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
            turns=self._turns,
            place=_place(settings),
            wait_for_turn=wait_for_turn,
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
            attempt = self._attempt(
                settings, graph, Timer(patience), tokens, TraceLog(self._clock), wait_for_turn=_WAIT_TO_CLEAN
            )
            try:
                with suppress(Stopped, NoAnswer, Unreadable, Resting, Unavailable):
                    if await attempt.clean_up(draft_id):
                        return
            finally:
                await attempt.aclose()


def _graph_of(settings: MailSettings) -> GraphTransport:
    if not isinstance(settings.transport, GraphTransport):
        raise TypeError(f"Graph settings are needed, not {type(settings.transport).__name__}")
    return settings.transport


def _place(settings: MailSettings) -> Place:
    place = place_of(settings)
    assert place is not None, "settings for Graph have one"
    return place


def _wait(patience: Patience) -> timedelta:
    """Returns how long to wait for a turn: somebody who waits himself waits for half of his time."""
    return _WAIT_FOR_TURN if patience.overall is None else patience.overall / 2
