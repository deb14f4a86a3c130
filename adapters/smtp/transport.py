"""The port's implementation: one attempt per call, connections kept in lanes, a goodbye that nobody has to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.smtp.attempt import Attempt
from adapters.smtp.connection import Connection
from adapters.smtp.pool import Lane, Pool, PoolLimits
from adapters.smtp.replies import UnreadableReply
from adapters.smtp.tls import TlsContexts
from adapters.smtp.wire import Wire
from domain.message import Envelope
from domain.ports.environment import Clock
from domain.ports.network import Resolver
from domain.ports.probe import Offer
from domain.ports.transport import BeforeContent, Earlier, Patience, Report, SignIn, TokenSource
from domain.settings.model import BasicAuthentication, MailSettings, OAuthAuthentication, SmtpTransport

_GOODBYE_SECONDS: Final = 1.0
LINGER: Final = timedelta(milliseconds=250)
"""How long a session rests between its last answer and QUIT, so that the caller has recorded the answer by then."""


class SmtpMailTransport:
    """
    `domain.ports.transport.MailTransport` and `Lanes`, and `domain.ports.probe.ServerProbe`, over SMTP.

    The report is complete when the server's last word is read, and is returned at once. Then the connection is kept for
    the lane's next message; or QUIT follows in a task of the transport's own, after `LINGER` where there is no lane,
    for a second at most, and whatever comes of it is forgotten: a caller that records what it got has done so before
    the server is told goodbye, and a server that hangs there holds up nobody.
    """

    def __init__(
        self,
        *,
        resolver: Resolver,
        clock: Clock,
        host_name: str,
        ca_file: Path | None = None,
        linger: timedelta = LINGER,
        limits: PoolLimits | None = None,
        marks_early: bool = True,
    ) -> None:
        """
        Takes the machine's *host_name* for the EHLO rule, and in *ca_file* the authorities (PEM) to trust for servers
        whose settings name none; None: the system's.

        *marks_early*: where a server takes MAIL, RCPT and DATA in one group, the point of no return is made while they
        are on their way. It costs no round trip then; in exchange a process that dies in these few milliseconds leaves
        a mail in doubt of which nothing was sent. False: at the 354, as with other servers.
        """
        self._resolver = resolver
        self._clock = clock
        self._host_name = host_name
        self._contexts = TlsContexts(clock=clock, ca_file=ca_file)
        self._linger = linger
        self._marks_early = marks_early
        self._pool = Pool(limits=limits or PoolLimits(), farewell=self._dismiss)
        self._closing = asyncio.Event()
        self._goodbyes: set[asyncio.Task[None]] = set()

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
        Offers the message once; see the port. Raises TypeError for settings that do not send over SMTP.

        No server tells what it took *earlier*: that changes nothing here.
        """
        attempt = self._attempt(settings, patience, tokens)
        if not lane:
            with self._ended(attempt):
                return await attempt.run(envelope, content, before_content=before_content)
        try:
            async with asyncio.timeout_at(attempt.latest_begin):
                turn = await self._pool.turn(
                    lane, attempt.smtp, settings.authentication, connections=settings.limits.connections
                )
        except TimeoutError:
            return attempt.crowded_out(envelope)
        with self._turn_ended(attempt, turn):
            kept = self._pool.take(turn)
            return await attempt.run(envelope, content, before_content=before_content, kept=kept)

    async def sign_in(self, settings: MailSettings, *, patience: Patience, tokens: TokenSource | None = None) -> SignIn:
        """Signs in; see the port. Raises TypeError for settings that do not send over SMTP."""
        attempt = self._attempt(settings, patience, tokens)
        with self._ended(attempt):
            return await attempt.sign_in()

    async def look(self, smtp: SmtpTransport, *, time_left: timedelta) -> Offer | None:
        """Looks at a server over a connection of its own; see `domain.ports.probe.ServerProbe`."""
        patience = Patience(until_content=time_left, each_reply=time_left, overall=time_left)
        attempt = self._made(smtp, None, patience, None)
        with self._ended(attempt):
            return await attempt.look()

    def forget(self, lane: str) -> None:
        """Ends the connections of *lane* and of those below it; see the port."""
        self._pool.forget(lane)

    async def aclose(self) -> None:
        """Says the goodbyes that are still due, at once, and waits for them: two seconds at most."""
        self._closing.set()
        self._pool.close()
        await asyncio.gather(*self._goodbyes, return_exceptions=True)

    def _attempt(self, settings: MailSettings, patience: Patience, tokens: TokenSource | None) -> Attempt:
        if not isinstance(settings.transport, SmtpTransport):
            raise TypeError(f"SMTP settings are needed, not {type(settings.transport).__name__}")
        return self._made(settings.transport, settings.authentication, patience, tokens)

    def _made(
        self,
        smtp: SmtpTransport,
        authentication: BasicAuthentication | OAuthAuthentication | None,
        patience: Patience,
        tokens: TokenSource | None,
    ) -> Attempt:
        return Attempt(
            smtp=smtp,
            authentication=authentication,
            resolver=self._resolver,
            contexts=self._contexts,
            clock=self._clock,
            host_name=self._host_name,
            patience=patience,
            tokens=tokens,
            marks_early=self._marks_early,
        )

    @contextmanager
    def _ended(self, attempt: Attempt) -> Iterator[None]:
        """Ends the connection of an attempt that has one of its own."""
        try:
            yield
        finally:
            if attempt.wire is not None:
                self._take_leave(attempt.wire, politely=attempt.may_say_goodbye, linger=self._linger)

    @contextmanager
    def _turn_ended(self, attempt: Attempt, turn: Lane) -> Iterator[None]:
        """Keeps or ends the connection of an attempt in a lane; the next one's turn comes when that is done."""
        generation = turn.generation
        try:
            yield
        finally:
            connection, wire = attempt.connection, attempt.wire
            if connection is not None and connection.generation is None:
                connection.generation = generation
            if wire is None or (connection is not None and self._pool.keep(turn, connection)):
                self._pool.leave(turn)
            else:
                # A server that counts connections must not be asked for one more before this one has ended.
                self._take_leave(wire, politely=attempt.may_say_goodbye, then=lambda: self._pool.leave(turn))

    def _dismiss(self, connection: Connection) -> None:
        self._take_leave(connection.wire, politely=True)

    def _take_leave(
        self, wire: Wire, *, politely: bool, linger: timedelta = timedelta(0), then: Callable[[], None] | None = None
    ) -> None:
        if not politely:
            wire.abort()
            if then is not None:
                then()
            return
        task = asyncio.create_task(self._say_goodbye(wire, linger), name="smtp goodbye")
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)
        if then is not None:
            task.add_done_callback(lambda _: then())

    async def _say_goodbye(self, wire: Wire, linger: timedelta) -> None:
        try:
            if linger:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), linger.total_seconds())
            async with asyncio.timeout(_GOODBYE_SECONDS):
                with suppress(UnreadableReply):
                    await wire.ask(b"QUIT")
                wire.close()
                await wire.closed()
        except OSError:
            pass  # gone already, or too slow (TimeoutError): nothing that the server could still say counts
        finally:
            wire.abort()
