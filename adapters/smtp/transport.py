"""The port's implementation: one attempt per call, and a goodbye that nobody has to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.smtp.attempt import Attempt
from adapters.smtp.replies import UnreadableReply
from adapters.smtp.tls import TlsContexts
from adapters.smtp.wire import Wire
from domain.message import Envelope
from domain.ports.environment import Clock
from domain.ports.network import Resolver
from domain.ports.transport import BeforeContent, Patience, Report, SignIn, TokenSource
from domain.settings.model import MailSettings, SmtpTransport

_GOODBYE_SECONDS: Final = 1.0
LINGER: Final = timedelta(milliseconds=250)
"""How long a session rests between its last answer and QUIT, so that the caller has recorded the answer by then."""


class SmtpMailTransport:
    """
    `domain.ports.transport.MailTransport` over SMTP, a connection per attempt.

    The report is complete when the server's last word is read, and is returned at once. QUIT follows in a task of the
    transport's own, after `LINGER`, for a second at most, and whatever comes of it is forgotten: a caller that records
    what it got has done so before the server is told goodbye, and a server that hangs there holds up nobody.
    """

    def __init__(
        self,
        *,
        resolver: Resolver,
        clock: Clock,
        host_name: str,
        ca_file: Path | None = None,
        linger: timedelta = LINGER,
    ) -> None:
        """
        Takes the machine's *host_name* for the EHLO rule, and in *ca_file* the authorities (PEM) to trust for servers
        whose settings name none; None: the system's.
        """
        self._resolver = resolver
        self._clock = clock
        self._host_name = host_name
        self._contexts = TlsContexts(clock=clock, ca_file=ca_file)
        self._linger = linger
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
    ) -> Report:
        """Offers the message once; see the port. Raises TypeError for settings that do not send over SMTP."""
        with self._attempt(settings, patience, tokens) as attempt:
            return await attempt.run(envelope, content, before_content=before_content)

    async def sign_in(self, settings: MailSettings, *, patience: Patience, tokens: TokenSource | None = None) -> SignIn:
        """Signs in; see the port. Raises TypeError for settings that do not send over SMTP."""
        with self._attempt(settings, patience, tokens) as attempt:
            return await attempt.sign_in()

    async def aclose(self) -> None:
        """Says the goodbyes that are still due, at once, and waits for them: two seconds at most."""
        self._closing.set()
        await asyncio.gather(*self._goodbyes, return_exceptions=True)

    @contextmanager
    def _attempt(self, settings: MailSettings, patience: Patience, tokens: TokenSource | None) -> Iterator[Attempt]:
        if not isinstance(settings.transport, SmtpTransport):
            raise TypeError(f"SMTP settings are needed, not {type(settings.transport).__name__}")
        attempt = Attempt(
            smtp=settings.transport,
            authentication=settings.authentication,
            resolver=self._resolver,
            contexts=self._contexts,
            clock=self._clock,
            host_name=self._host_name,
            patience=patience,
            tokens=tokens,
        )
        try:
            yield attempt
        finally:
            if attempt.wire is not None:
                self._take_leave(attempt.wire, politely=attempt.may_say_goodbye)

    def _take_leave(self, wire: Wire, *, politely: bool) -> None:
        if not politely:
            wire.abort()
            return
        task = asyncio.create_task(self._say_goodbye(wire), name="smtp goodbye")
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    async def _say_goodbye(self, wire: Wire) -> None:
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._linger.total_seconds())
            async with asyncio.timeout(_GOODBYE_SECONDS):
                with suppress(UnreadableReply):
                    await wire.ask(b"QUIT")
                wire.close()
                await wire.closed()
        except OSError:
            pass  # gone already, or too slow (TimeoutError): nothing that the server could still say counts
        finally:
            wire.abort()
