"""An SMTP server that says what the test tells it to: PLAIN, LOGIN, XOAUTH2, STARTTLS, faults per stage."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, Self, TypeAlias

from aiosmtpd.smtp import MISSING, SMTP, AuthResult

_PATH: Final = re.compile(r"<([^>]*)>")


class Fault(StrEnum):
    """Instead of a reply."""

    DROP = "drop"
    """Cuts the connection."""
    HANG = "hang"
    """Says nothing more until the client goes away or the server stops."""
    PASS = "pass"
    """No fault this time; for lists."""


Plan: TypeAlias = str | list[str]


@dataclass(frozen=True, slots=True)
class Received:
    """One message the server said yes to."""

    mail_from: str
    rcpt_tos: tuple[str, ...]
    mail_options: tuple[str, ...]
    content: bytes
    """As sent, with CRLF, without the dots of transparency."""
    login: str | None
    is_encrypted: bool


class FaultySmtp:
    """
    A server in the test's own loop; ``async with`` runs it.

    `plan` maps a stage to a reply line or a `Fault`. Stages: ``ehlo``, ``starttls``, ``auth``, ``mail``, ``rcpt``,
    ``rcpt:<address>`` (goes before ``rcpt``), ``data`` (instead of 354), ``dot`` (after the content), ``rset``,
    ``quit``. A list is used up, one entry each time its stage is reached, and then the stage is well again; greylisting
    is ``{"rcpt:a@b.example": ["450 4.2.0 Greylisted", "450 4.2.0 Greylisted"]}``. After a 421 the connection is closed.

    TLS: *context* alone offers STARTTLS and requires it (less with *require_starttls* false); with *implicit* it
    speaks TLS first; without it never. *passwords* and *tokens* switch sign-in on and require it. *hide* leaves
    capabilities out of the EHLO reply, *announce* adds lines.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        implicit: bool = False,
        require_starttls: bool = True,
        passwords: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        mechanisms: Collection[str] = ("PLAIN", "LOGIN", "XOAUTH2"),
        plan: Mapping[str, Plan] | None = None,
        hide: Collection[str] = (),
        announce: Sequence[str] = (),
        smtputf8: bool = True,
        data_size_limit: int = 50_000_000,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.host, self.port = host, port
        self.plan: dict[str, Plan] = dict(plan or {})
        self.passwords, self.tokens = dict(passwords or {}), dict(tokens or {})
        self.messages: list[Received] = []
        self.commands: list[str] = []
        """Every command of every connection, as sent, in order."""
        self.connections = 0
        self.open_connections = 0
        self.most_open_connections = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self.is_hanging = asyncio.Event()
        """Set once a stage hangs."""
        self.hide, self.announce = {keyword.upper() for keyword in hide}, tuple(announce)
        self._changed = asyncio.Condition()
        self._stopped = asyncio.Event()
        self._sessions: set[_Session] = set()
        self._implicit = context if implicit else None
        self._server: asyncio.Server | None = None
        needs_auth = bool(self.passwords or self.tokens)
        self._options: dict[str, Any] = {
            "hostname": "mx.example.test",
            "tls_context": None if implicit else context,
            "require_starttls": require_starttls and not implicit,
            # aiosmtpd knows nothing of TLS below it, so with implicit TLS it must not ask for it.
            "auth_require_tls": needs_auth and context is not None and not implicit,
            "auth_exclude_mechanism": {"PLAIN", "LOGIN", "XOAUTH2"} - set(mechanisms),
            "authenticator": self._check_password,
            "enable_SMTPUTF8": smtputf8,
            "data_size_limit": data_size_limit,
        }
        self.needs_auth = needs_auth

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, self.host, self.port, ssl=self._implicit)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopped.set()
        if self._server is not None:
            self._server.close()
            for session in list(self._sessions):
                session.cut()
            await self._server.wait_closed()

    async def wait_for_messages(self, count: int = 1, *, within: timedelta = timedelta(seconds=10)) -> list[Received]:
        """Returns the messages as soon as there are *count*; raises TimeoutError if they do not come."""
        async with asyncio.timeout(within.total_seconds()), self._changed:
            await self._changed.wait_for(lambda: len(self.messages) >= count)
        return self.messages

    async def wait_until_left(self, *, within: timedelta = timedelta(seconds=15)) -> None:
        """Returns when no connection is open; raises TimeoutError if some stay."""
        async with asyncio.timeout(within.total_seconds()):
            await self._empty.wait()

    async def end_sessions(self) -> None:
        """Ends all sessions as a server does that is restarted or finds them idle too long (RFC 5321 section 3.8)."""
        for session in list(self._sessions):
            await session.push("421 4.4.2 mx.example.test Error: timeout exceeded")
            session.close()

    def _session(self) -> SMTP:
        return _Session(self, self._options)

    def _opened(self, session: _Session) -> None:
        self._sessions.add(session)
        self.connections += 1
        self.open_connections += 1
        self._empty.clear()
        self.most_open_connections = max(self.most_open_connections, self.open_connections)

    def _closed(self, session: _Session) -> None:
        self._sessions.discard(session)
        self.open_connections -= 1
        if not self.open_connections:
            self._empty.set()

    def _next_fault(self, stage: str, address: str | None = None) -> str | None:
        key = f"{stage}:{address}" if address is not None and f"{stage}:{address}" in self.plan else stage
        planned = self.plan.get(key)
        if isinstance(planned, list):
            planned = planned.pop(0) if planned else None
        return None if planned == Fault.PASS else planned

    async def _interfere(self, session: _Session, stage: str, address: str | None = None) -> bool:
        """Does what is planned for the stage; tells whether anything was."""
        fault = self._next_fault(stage, address)
        if fault is None:
            return False
        if fault == Fault.DROP:
            session.cut()
        elif fault == Fault.HANG:
            self.is_hanging.set()
            await self._stopped.wait()
        else:
            await session.push(fault)
            if fault.startswith("421"):
                session.close()
        return True

    def _check_password(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        login = data.login.decode()
        is_right = login in self.passwords and self.passwords[login] == data.password.decode()
        return AuthResult(success=is_right, handled=False, auth_data=data)

    async def auth_XOAUTH2(self, server: Any, args: list[str]) -> AuthResult:  # noqa: N802
        blob = args[1] if len(args) > 1 else await server.challenge_auth("")
        if blob is MISSING:
            return AuthResult(success=False)
        raw = base64.b64decode(blob) if isinstance(blob, str) else blob
        pairs = dict(part.split(b"=", 1) for part in raw.split(b"\x01") if b"=" in part)
        user, bearer = pairs.get(b"user", b"").decode(), pairs.get(b"auth", b"").decode()
        if user in self.tokens and bearer == f"Bearer {self.tokens[user]}":
            return AuthResult(success=True, auth_data=_Login(user.encode()))
        # What Google and Microsoft do: a JSON challenge, and only then 535.
        await server.challenge_auth(b'{"status":"401","schemes":"bearer","scope":"https://mail.example.test/"}')
        return AuthResult(success=False, handled=False)

    async def handle_EHLO(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        hidden = self.hide if self.needs_auth else self.hide | {"AUTH"}
        kept = [line[4:] for line in replies if line[4:].split()[0].upper() not in hidden]
        lines = [*kept[:-1], *self.announce, kept[-1]]
        return [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str | None:  # noqa: N802
        if await self._interfere(server, "dot"):
            return None
        login = getattr(session.auth_data, "login", None)
        self.messages.append(
            Received(
                mail_from=envelope.mail_from,
                rcpt_tos=tuple(envelope.rcpt_tos),
                mail_options=tuple(envelope.mail_options),
                content=envelope.original_content,
                login=login.decode() if login else None,
                is_encrypted=session.ssl is not None or self._implicit is not None,
            )
        )
        async with self._changed:
            self._changed.notify_all()
        return f"250 2.0.0 queued as {len(self.messages)}"


@dataclass(frozen=True, slots=True)
class _Login:
    login: bytes


class _Session(SMTP):
    """One connection; every command passes the plan first."""

    line_length_limit = 12_288  # what RFC 4954 section 4 asks for: an access token is longer than a line of mail

    def __init__(self, peer: FaultySmtp, options: Mapping[str, Any]) -> None:
        super().__init__(peer, loop=asyncio.get_running_loop(), **options)
        self._peer = peer
        self._is_counted = False
        self._smtp_methods = {verb: self._watched(verb, run) for verb, run in self._smtp_methods.items()}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # aiosmtpd calls this again after STARTTLS.
        if not self._is_counted:
            self._is_counted = True
            self._peer._opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        if self._is_counted:
            self._is_counted = False
            self._peer._closed(self)
            super().connection_lost(error)

    def cut(self) -> None:
        """Ends the connection without a word, below TLS."""
        for transport in (self._original_transport, self.transport):
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def push(self, status: Any) -> None:
        # A handler that has answered itself returns None, which aiosmtpd would try to send.
        if status is not None:
            await super().push(status)

    async def check_auth_needed(self, caller_method: str) -> bool:
        if self._peer.needs_auth and self.session is not None and not self.session.authenticated:
            await self.push("530 5.7.0 Authentication required")
            return True
        return False

    def _watched(
        self, verb: str, run: Callable[[str | None], Awaitable[None]]
    ) -> Callable[[str | None], Awaitable[None]]:
        async def watched(arg: str | None) -> None:
            self._peer.commands.append(verb if arg is None else f"{verb} {arg}")
            path = _PATH.search(arg or "") if verb == "RCPT" else None
            if not await self._peer._interfere(self, verb.lower(), path.group(1) if path else None):
                await run(arg)

        return watched
