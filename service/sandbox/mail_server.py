"""The sandbox's mail server: SMTP submission with STARTTLS on one port and implicit TLS on another."""

from __future__ import annotations

import asyncio
import logging
import ssl
from datetime import timedelta
from typing import Final

from service.sandbox.accounts import Accounts
from service.sandbox.identity.mail_tokens import MailTokens
from service.sandbox.inbox import Inbox
from service.sandbox.smtp_handler import SandboxHandler
from service.sandbox.smtp_session import SandboxSmtp

DEFAULT_SIZE_LIMIT_BYTES: Final = 35_882_577
"""What smtp.gmail.com announces as SIZE."""
DEFAULT_SLOW_ANSWER_DELAY: Final = timedelta(seconds=5)


class MailServer:
    """
    Takes mail for any recipient into *inbox*, on the running event loop.

    Sign-in (PLAIN, LOGIN, XOAUTH2, OAUTHBEARER) is required, and TLS before it. `recipients.MAGIC_RECIPIENTS` are
    refused as described there.
    Port 0 takes a free one; the properties tell which, once started.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        accounts: Accounts,
        mail_tokens: MailTokens,
        tls: ssl.SSLContext,
        host: str = "127.0.0.1",
        starttls_port: int = 0,
        implicit_tls_port: int = 0,
        size_limit_bytes: int = DEFAULT_SIZE_LIMIT_BYTES,
        slow_answer_delay: timedelta = DEFAULT_SLOW_ANSWER_DELAY,
    ) -> None:
        self._handler = SandboxHandler(
            inbox=inbox, accounts=accounts, mail_tokens=mail_tokens, slow_answer_delay=slow_answer_delay
        )
        self._tls = tls
        self._host = host
        self._ports = (starttls_port, implicit_tls_port)
        self._size_limit_bytes = size_limit_bytes
        self._sessions: set[SandboxSmtp] = set()
        self._servers: list[asyncio.Server] = []

    @property
    def starttls_port(self) -> int:
        """The port that asks for STARTTLS. Raises RuntimeError unless started."""
        return self._port(0)

    @property
    def implicit_tls_port(self) -> int:
        """The port that is TLS from the first octet. Raises RuntimeError unless started."""
        return self._port(1)

    async def start(self) -> None:
        """Listens on both ports. Raises OSError, with neither open, if one is taken."""
        # aiosmtpd writes addresses, and at debug level message lines, to this logger: those belong in no log.
        logging.getLogger("mail.log").disabled = True
        loop = asyncio.get_running_loop()
        try:
            self._servers.append(
                await loop.create_server(lambda: self._session(starttls=self._tls), self._host, self._ports[0])
            )
            self._servers.append(
                await loop.create_server(
                    lambda: self._session(starttls=None), self._host, self._ports[1], ssl=self._tls
                )
            )
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Closes both ports and every session, waiting for none to finish."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        await asyncio.gather(*(session.abort() for session in tuple(self._sessions)))
        for server in servers:
            await server.wait_closed()

    def _session(self, *, starttls: ssl.SSLContext | None) -> SandboxSmtp:
        return SandboxSmtp(
            self._handler, starttls=starttls, size_limit_bytes=self._size_limit_bytes, sessions=self._sessions
        )

    def _port(self, index: int) -> int:
        if not self._servers:
            raise RuntimeError("the sandbox's mail server has not been started")
        return int(self._servers[index].sockets[0].getsockname()[1])
