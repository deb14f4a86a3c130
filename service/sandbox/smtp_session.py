"""One SMTP session of the sandbox: aiosmtpd's protocol, made to behave as the large providers do."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from typing import Any, Final

from aiosmtpd.smtp import SMTP

_STREAM_LIMIT: Final = 64 * 1024
"""Octets buffered for one line."""
_COMMAND_LIMIT: Final = 2_048
"""RFC 5321 section 4.5.3.1.4 asks for 512 at least; extensions (SIZE, SMTPUTF8, AUTH) add to it."""
_AUTH_LIMIT: Final = 12_288
"""Octets of an AUTH line (RFC 4954 section 4): tokens do not fit into an ordinary command line."""
_DATA_LINE_LIMIT: Final = 1_001
"""998 characters, CRLF and a transparent dot (RFC 5321 section 4.5.3.1.6)."""


class SandboxSmtp(SMTP):
    """
    A session on the STARTTLS port, or, without *starttls*, on a connection that is TLS from its first octet.

    Credentials are asked for before any mail and taken over TLS only.
    """

    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"
    line_length_limit = _STREAM_LIMIT

    def __init__(
        self, handler: Any, *, starttls: ssl.SSLContext | None, size_limit_bytes: int, sessions: set[SandboxSmtp]
    ) -> None:
        # aiosmtpd keeps these limits in one dict for all sessions, and empties it whenever a client connects.
        self.command_size_limits = defaultdict(lambda: _COMMAND_LIMIT)
        super().__init__(
            handler,
            hostname="localhost",
            ident="ESMTP mailport sandbox",
            data_size_limit=size_limit_bytes,
            enable_SMTPUTF8=True,
            tls_context=starttls,
            require_starttls=starttls is not None,
            # aiosmtpd counts STARTTLS alone as TLS: asked to insist, it would refuse AUTH under implicit TLS.
            auth_require_tls=starttls is not None,
            authenticator=handler.authenticate,
        )
        self.command_size_limits["AUTH"] = _AUTH_LIMIT
        # The constructor took the attribute as the stream's limit; from here on it bounds lines of data.
        self.line_length_limit = _DATA_LINE_LIMIT
        self._sessions = sessions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins the session, or goes on with it after STARTTLS."""
        super().connection_made(transport)
        self._sessions.add(self)
        if self._handler_coroutine is not None:
            self._handler_coroutine.add_done_callback(_forget_outcome)

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the session."""
        # After a failed handshake aiosmtpd calls this by itself, and the event loop does once more.
        if self in self._sessions:
            self._sessions.discard(self)
            super().connection_lost(error)

    async def abort(self) -> None:
        """Drops the connection without a word and waits until the session is over."""
        task = self._handler_coroutine
        self.drop()
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def drop(self) -> None:
        """Drops the connection without a word."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    @property
    def tls_version(self) -> str:
        """The negotiated version as OpenSSL names it, or an empty text without TLS."""
        tls = self.transport.get_extra_info("ssl_object") if self.transport is not None else None
        return (tls.version() or "") if tls is not None else ""

    async def check_auth_needed(self, caller_method: str) -> bool:
        """Refuses a command before sign-in (RFC 4954 section 6)."""
        if self.session is not None and self.session.authenticated:
            return False
        await self.push("530 5.7.0 Authentication required")
        return True

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Signs in; the mechanism's name may be in any case (RFC 4422 section 3.1 names are upper case)."""
        mechanism, blank, initial_response = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + blank + initial_response)

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """Starts TLS, once (RFC 3207 section 4.2)."""
        if self.tls_version:
            await self.push("503 5.5.1 TLS is already active")
            return
        await super().smtp_STARTTLS(arg or "")


def _forget_outcome(task: asyncio.Task[None]) -> None:
    # A client that goes away ends the task with its ConnectionResetError; unread, the event loop would log it.
    if not task.cancelled():
        task.exception()
