"""Questions to a server on a connection of their own, for a better explanation; no credential and no mail leaves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from aiosmtplib import SMTPResponseException

from adapters.smtp.dialling import Dialled, Unreachable, dial
from adapters.smtp.dialogue import Timer
from adapters.smtp.ehlo import client_name
from adapters.smtp.replies import UnreadableReply
from adapters.smtp.tls import Refused, TlsContexts, describe_refused, new_peeking_context
from adapters.smtp.verdicts import tls_fault
from adapters.smtp.wire import EarlyPlaintext, Wire
from domain.connection import ConnectionSecurity, TlsVersion
from domain.failures.evidence import Symptom
from domain.ports.network import PeerAddress
from domain.settings.model import SmtpTransport

_Way = Callable[[Wire, Dialled, ssl.SSLContext], Awaitable[None]]
_LONGEST: Final = timedelta(seconds=5)
_TLS_CLOSE_SECONDS: Final = 1.0
_NO_ANSWER: Final = (OSError, Unreachable, UnreadableReply, SMTPResponseException, EarlyPlaintext, ValueError)


class Prober:
    """Asks within five seconds each, and within the attempt's time."""

    def __init__(self, *, smtp: SmtpTransport, contexts: TlsContexts, timer: Timer, host_name: str) -> None:
        self._smtp = smtp
        self._contexts = contexts
        self._timer = timer
        self._host_name = host_name

    async def refused_certificate(self, peer: PeerAddress, clean: Callable[[str], str]) -> Refused | None:
        """
        Returns what certificate *peer* shows, in the configured mode, and believes nothing of it.

        *clean* scrubs its words. None: none could be seen.
        """
        seen: Refused | None = None
        shake_hands = self._configured_way

        async def look(wire: Wire, dialled: Dialled, context: ssl.SSLContext) -> None:
            nonlocal seen
            await shake_hands(wire, dialled, context)
            seen = describe_refused(wire.tls, clean) if wire.tls is not None else None

        try:
            await self._ask(peer, new_peeking_context(self._smtp.minimum_tls_version), look)
        except _NO_ANSWER:
            return None
        return seen

    @property
    def _configured_way(self) -> _Way:
        is_implicit = self._smtp.security is ConnectionSecurity.IMPLICIT_TLS
        return self._shake_hands if is_implicit else self._start_tls

    async def speaks_tls(self, peer: PeerAddress) -> bool:
        """Tells whether *peer* answers a TLS handshake, with whatever certificate; nothing else is sent there."""
        try:
            await self._ask(peer, await self._context(self._smtp.minimum_tls_version), self._shake_hands)
        except ssl.SSLError as error:
            symptom, _ = tls_fault(error, from_first_byte=True)
            return symptom not in (Symptom.PLAINTEXT_INSTEAD_OF_TLS, Symptom.TLS_HANDSHAKE)
        except _NO_ANSWER:
            return False
        return True

    async def speaks_tls_1_2(self, peer: PeerAddress) -> bool:
        """Tells whether *peer* agrees on TLS 1.2 or newer, in the configured mode, with whatever certificate."""
        try:
            await self._ask(peer, await self._context(TlsVersion.TLS_1_2), self._configured_way)
        except ssl.SSLCertVerificationError:
            return True  # certificates are shown after the version is settled
        except _NO_ANSWER:  # ssl.SSLError is one
            return False
        return True

    async def _context(self, minimum: TlsVersion) -> ssl.SSLContext:
        return await self._contexts.get(minimum, self._smtp.ca_certificates)

    async def _ask(self, peer: PeerAddress, context: ssl.SSLContext, way: _Way) -> None:
        async with self._timer.limit(_LONGEST):
            dialled = await dial([peer], seconds=self._timer.seconds(_LONGEST))
            wire = Wire(asyncio.get_running_loop())
            try:
                await way(wire, dialled, context)
            finally:
                wire.abort()

    async def _shake_hands(self, wire: Wire, dialled: Dialled, context: ssl.SSLContext) -> None:
        await wrap(wire, dialled, context, server_name=self._smtp.host.name, seconds=self._timer.seconds())

    async def _start_tls(self, wire: Wire, dialled: Dialled, context: ssl.SSLContext) -> None:
        await asyncio.get_running_loop().create_connection(lambda: wire, sock=dialled.socket)
        await wire.listen()
        name = client_name(configured=self._smtp.ehlo_name, host_name=self._host_name, local_address=wire.local_address)
        await wire.ask(b"EHLO", name.encode())
        await wire.secure(context, self._smtp.host.name)


async def wrap(wire: Wire, dialled: Dialled, context: ssl.SSLContext, *, server_name: str, seconds: float) -> None:
    """Begins TLS on a connection from its first byte; gives up a second after *seconds*, which the caller minds."""
    await asyncio.get_running_loop().create_connection(
        lambda: wire,
        sock=dialled.socket,
        ssl=context,
        server_hostname=server_name,
        ssl_handshake_timeout=seconds + 1,
        ssl_shutdown_timeout=_TLS_CLOSE_SECONDS,
    )
