"""The sandbox's IMAP server: STARTTLS on one port, implicit TLS on another."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Final

from service.sandbox.accounts import Accounts
from service.sandbox.identity.mail_tokens import MailTokens
from service.sandbox.imap.commands import COMMANDS
from service.sandbox.imap.connection import LINE_LIMIT, Connection
from service.sandbox.imap.mailboxes import Mailboxes
from service.sandbox.imap.session import Session, Site, serve
from service.sandbox.inbox import Inbox

_MAX_SESSIONS: Final = 1_000


class ImapServer:
    """
    Serves what *inbox* received, on the running event loop: *owner* sees all of it, others what was sent to them.

    Sign-in is required, and TLS before it: LOGIN and PLAIN with *accounts*, XOAUTH2 and OAUTHBEARER with tokens of
    the identity provider. *without* names capabilities that it is to lack (also ``CHARSET``, which is none: then
    SEARCH takes US-ASCII alone), to try a client with. Port 0 takes a free one; the properties tell which, once
    started.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        owner: str,
        accounts: Accounts,
        mail_tokens: MailTokens,
        tls: ssl.SSLContext,
        size_limit_bytes: int,
        host: str = "127.0.0.1",
        starttls_port: int = 0,
        implicit_tls_port: int = 0,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.mailboxes = Mailboxes(inbox=inbox, owner=owner, now=datetime.now(UTC))
        self._site = Site(
            mailboxes=self.mailboxes,
            accounts=accounts,
            mail_tokens=mail_tokens,
            tls=tls,
            size_limit_bytes=size_limit_bytes,
            without=without,
        )
        self._host = host
        self._ports = (starttls_port, implicit_tls_port)
        self._servers: list[asyncio.Server] = []
        self._sessions: dict[asyncio.Task[None], Connection] = {}

    @property
    def starttls_port(self) -> int:
        """The port that asks for STARTTLS. Raises RuntimeError unless started."""
        return self._port(0)

    @property
    def implicit_tls_port(self) -> int:
        """The port that is TLS from the first octet. Raises RuntimeError unless started."""
        return self._port(1)

    @property
    def session_count(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    async def start(self) -> None:
        """Listens on both ports. Raises OSError, with neither open, if one is taken."""
        try:
            for port, tls in zip(self._ports, (None, self._site.tls), strict=True):
                self._servers.append(
                    await asyncio.start_server(self._accept, self._host, port, ssl=tls, limit=LINE_LIMIT)
                )
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Closes both ports and every session, waiting for none to finish."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        await self.drop_sessions()
        self.mailboxes.end()
        for server in servers:
            await server.wait_closed()

    async def drop_sessions(self) -> None:
        """Drops every connection without a word; new ones are taken."""
        sessions = dict(self._sessions)
        for task, connection in sessions.items():
            connection.drop()
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = Connection(reader, writer)
        if len(self._sessions) >= _MAX_SESSIONS:
            connection.write(b"* BYE [UNAVAILABLE] Too many connections")
            connection.close()
            return
        self._sessions[task] = connection
        try:
            await serve(Session(connection, site=self._site), COMMANDS)
        except asyncio.CancelledError:
            connection.drop()  # by drop_sessions; the stream's own callback would log a task that was cancelled
        finally:
            del self._sessions[task]

    def _port(self, index: int) -> int:
        if not self._servers:
            raise RuntimeError("the sandbox's IMAP server has not been started")
        return int(self._servers[index].sockets[0].getsockname()[1])
