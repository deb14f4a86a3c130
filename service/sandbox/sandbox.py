"""The whole sandbox: certificates, mail server, inbox, identity provider, Graph, pages; started and stopped as one."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from starlette.applications import Starlette

from service.sandbox.accounts import DEFAULT_PASSWORD, DEFAULT_USERNAME, Accounts
from service.sandbox.ca import SandboxCertificates, ensure_certificates
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.identity.provider import IdentityProvider
from service.sandbox.imap.server import ImapServer
from service.sandbox.inbox import DEFAULT_MAX_BYTES, DEFAULT_MAX_MESSAGES, Inbox
from service.sandbox.mail_server import DEFAULT_SIZE_LIMIT_BYTES, DEFAULT_SLOW_ANSWER_DELAY, MailServer
from service.sandbox.pages import SandboxFacts, sandbox_app, standalone_site


class Sandbox:
    """
    Runs the simulators on the current event loop, from `start` to `stop` or inside ``async with``.

    *folder* keeps the CA, so that clients which trust it go on doing so. *host* is the address to listen on;
    *host_names* are further names that clients reach it by. Port 0 takes a free port. The inbox lives in memory.
    *access_token_lifetime* shortens the life of the identity provider's access tokens. *imap_without* names what the
    IMAP server is to lack (`ImapServer`).
    """

    def __init__(
        self,
        *,
        folder: Path,
        host: str = "127.0.0.1",
        host_names: tuple[str, ...] = (),
        smtp_port: int = 0,
        smtps_port: int = 0,
        imap_port: int = 0,
        imaps_port: int = 0,
        imap_without: frozenset[str] = frozenset(),
        username: str = DEFAULT_USERNAME,
        password: str = DEFAULT_PASSWORD,
        size_limit_bytes: int = DEFAULT_SIZE_LIMIT_BYTES,
        slow_answer_delay: timedelta = DEFAULT_SLOW_ANSWER_DELAY,
        access_token_lifetime: timedelta | None = None,
        max_messages: int = DEFAULT_MAX_MESSAGES,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self._folder = folder
        self._host = host
        self._host_names = host_names
        self._asked_ports = (smtp_port, smtps_port)
        self._asked_imap_ports = (imap_port, imaps_port)
        self._imap_without = imap_without
        self._username = username
        self._password = password
        self._size_limit_bytes = size_limit_bytes
        self._slow_answer_delay = slow_answer_delay
        self._inbox = Inbox(max_messages=max_messages, max_bytes=max_bytes)
        self._identity = IdentityProvider(password=password, access_token_lifetime=access_token_lifetime)
        self._graph = GraphSimulator(identity=self._identity, inbox=self._inbox)
        self._app = sandbox_app(inbox=self._inbox, identity=self._identity, graph=self._graph, facts=self._facts)
        self._site = standalone_site(self._app)
        self._running: tuple[SandboxCertificates, MailServer, ImapServer] | None = None

    async def start(self) -> None:
        """
        Makes or renews the certificates and opens the ports.

        Raises OSError if the folder cannot be written or a port is taken; nothing is left open then.
        """
        if self._running is not None:
            raise RuntimeError("the sandbox is already running")
        is_wildcard = _is_wildcard(self._host)
        names = self._host_names if is_wildcard else (self._host, *self._host_names)
        certificates = ensure_certificates(self._folder, now=datetime.now(UTC), host_names=names)
        accounts, tls = Accounts({self._username: self._password}), certificates.server_context()
        server = MailServer(
            inbox=self._inbox,
            accounts=accounts,
            mail_tokens=self._identity.mail_tokens,
            tls=tls,
            host=self._host,
            starttls_port=self._asked_ports[0],
            implicit_tls_port=self._asked_ports[1],
            size_limit_bytes=self._size_limit_bytes,
            slow_answer_delay=self._slow_answer_delay,
        )
        imap = ImapServer(
            inbox=self._inbox,
            owner=self._username,
            accounts=accounts,
            mail_tokens=self._identity.mail_tokens,
            tls=tls,
            size_limit_bytes=self._size_limit_bytes,
            host=self._host,
            starttls_port=self._asked_imap_ports[0],
            implicit_tls_port=self._asked_imap_ports[1],
            without=self._imap_without,
        )
        await server.start()
        try:
            await imap.start()
        except OSError:
            await server.stop()
            raise
        self._running = certificates, server, imap

    async def stop(self) -> None:
        """Closes the ports and all connections; the inbox can still be read. Does nothing if not running."""
        running, self._running = self._running, None
        if running is not None:
            await running[1].stop()
            await running[2].stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def smtp_host(self) -> str:
        """The name or address that clients dial and that the certificate carries."""
        return "localhost" if _is_wildcard(self._host) else self._host

    @property
    def smtp_port(self) -> int:
        """The port with STARTTLS. Raises RuntimeError unless running."""
        return self._started()[1].starttls_port

    @property
    def smtps_port(self) -> int:
        """The port with implicit TLS. Raises RuntimeError unless running."""
        return self._started()[1].implicit_tls_port

    @property
    def imap_port(self) -> int:
        """The IMAP port with STARTTLS. Raises RuntimeError unless running."""
        return self.imap.starttls_port

    @property
    def imaps_port(self) -> int:
        """The IMAP port with implicit TLS. Raises RuntimeError unless running."""
        return self.imap.implicit_tls_port

    @property
    def imap(self) -> ImapServer:
        """The IMAP server. Raises RuntimeError unless running."""
        return self._started()[2]

    @property
    def username(self) -> str:
        """The account's user name."""
        return self._username

    @property
    def password(self) -> str:
        """The account's password, which is no secret."""
        return self._password

    @property
    def ca_pem(self) -> str:
        """The CA certificate that clients must trust. Raises RuntimeError unless running."""
        return self._started()[0].ca_pem

    @property
    def ca_path(self) -> Path:
        """The file with that certificate. Raises RuntimeError unless running."""
        return self._started()[0].ca_path

    @property
    def inbox(self) -> Inbox:
        """What arrived."""
        return self._inbox

    @property
    def identity(self) -> IdentityProvider:
        """The identity provider, whose tokens the mail server takes."""
        return self._identity

    @property
    def graph(self) -> GraphSimulator:
        """Microsoft Graph, which takes the identity provider's tokens and delivers to the inbox."""
        return self._graph

    @property
    def app(self) -> Starlette:
        """The pages, for mounting at `pages.MOUNT_PATH`."""
        return self._app

    @property
    def site(self) -> Starlette:
        """The pages as a site of their own, mounted at the same path."""
        return self._site

    def _started(self) -> tuple[SandboxCertificates, MailServer, ImapServer]:
        if self._running is None:
            raise RuntimeError("the sandbox is not running")
        return self._running

    def _facts(self) -> SandboxFacts:
        certificates, server, imap = self._started()
        return SandboxFacts(
            smtp_host=self.smtp_host,
            smtp_port=server.starttls_port,
            smtps_port=server.implicit_tls_port,
            imap_port=imap.starttls_port,
            imaps_port=imap.implicit_tls_port,
            username=self._username,
            password=self._password,
            size_limit_bytes=self._size_limit_bytes,
            ca_path=str(certificates.ca_path),
            ca_pem=certificates.ca_pem,
        )


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return not host
