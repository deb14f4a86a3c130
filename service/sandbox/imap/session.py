"""One IMAP session: reads commands, has them run, answers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import Final, TypeAlias

from service.sandbox.accounts import Accounts
from service.sandbox.identity.mail_tokens import MailTokens
from service.sandbox.imap.answers import Ended, Malformed, Refused
from service.sandbox.imap.capabilities import NEEDED, capabilities
from service.sandbox.imap.connection import Connection, TooLarge
from service.sandbox.imap.mailbox import Mailbox
from service.sandbox.imap.mailboxes import Mailboxes
from service.sandbox.imap.modified_utf7 import decode_name, encode_name
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.view import View

SIGN_IN_WITHIN: Final = timedelta(minutes=3)
LOGOUT_AFTER: Final = timedelta(minutes=30)
"""RFC 3501 section 5.4: thirty minutes at least."""
_COMMAND_LIMIT: Final = 64 * 1024

_logger = logging.getLogger(__name__)


class State(Enum):
    """RFC 3501 section 3."""

    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all sessions share."""

    mailboxes: Mailboxes
    accounts: Accounts
    mail_tokens: MailTokens
    tls: ssl.SSLContext
    size_limit_bytes: int
    without: frozenset[str]
    """Capabilities that this server does not have, to try a client with."""


class Session:
    """The state of one connection, and what its commands use."""

    def __init__(self, connection: Connection, *, site: Site) -> None:
        self.connection = connection
        self.site = site
        self.username = ""
        self.token: str | None = None
        """The token that signed in; the session does not outlive it."""
        self.mailbox: Mailbox | None = None
        self.view: View | None = None
        self.takes_utf8 = False
        """UTF8=ACCEPT is enabled (RFC 6855)."""
        self.tag = b""
        """The tag of the command that runs."""
        self.is_over = False
        """The client said LOGOUT."""
        self.afterwards: Callable[[], Awaitable[None]] | None = None
        """What a command does once it is answered: the handshake of STARTTLS."""

    @property
    def state(self) -> State:
        """The state, from what there is."""
        if self.mailbox is None:
            return State.NOT_AUTHENTICATED
        return State.AUTHENTICATED if self.view is None else State.SELECTED

    @property
    def capabilities(self) -> str:
        """What the server can do now."""
        return " ".join(
            capabilities(
                is_encrypted=self.connection.is_encrypted,
                is_signed_in=self.mailbox is not None,
                without=self.site.without,
            )
        )

    @property
    def user(self) -> Mailbox:
        """The mailbox of who signed in; commands of those states only ask for it."""
        assert self.mailbox is not None
        return self.mailbox

    @property
    def opened(self) -> View:
        """The folder that is open; commands of that state only ask for it."""
        assert self.view is not None
        return self.view

    def tell(self, *lines: bytes) -> None:
        """Sends untagged lines."""
        self.connection.write(*lines)

    def tell_news(self, *, expunges: bool) -> None:
        """Tells what changed in the folder that is open. Raises Ended when that is gone."""
        if self.view is None:
            return
        if self.view.folder.is_gone:
            raise Ended("The folder was deleted or rebuilt")
        self.tell(*self.view.news(expunges=expunges))

    def read_name(self, cursor: Cursor) -> str:
        """Reads a folder's name. Raises Refused for one that cannot be any."""
        return self.decode_name(cursor.astring())

    def decode_name(self, data: bytes) -> str:
        """Returns a folder's name as text. Raises Refused for octets that are none."""
        try:
            return data.decode() if self.takes_utf8 else decode_name(data)
        except ValueError:
            encoding = "UTF-8" if self.takes_utf8 else "modified UTF-7"
            raise Refused(f"[CANNOT] The name is not {encoding}") from None

    def encode_name(self, name: str) -> bytes:
        """Returns a folder's name as this session writes it."""
        return name.encode() if self.takes_utf8 else encode_name(name)

    def time_left(self) -> timedelta | None:
        """Returns how long the token that signed in is good; None without one."""
        return None if self.token is None else self.site.mail_tokens.time_left(self.token)

    def require_token(self) -> None:
        """Raises Ended when the token that signed in has ended."""
        if self.time_left() == timedelta(0):
            raise Ended("Session expired, please sign in again")


Run: TypeAlias = Callable[[Session, Cursor], Awaitable[str]]
"""Runs a command from its arguments on; returns what follows the tag, and raises Refused, Malformed or Ended."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    run: Run
    states: frozenset[State]
    expunges: bool = True
    """Whether messages may lose their numbers when it is answered (RFC 3501 section 7.4.1)."""


async def serve(session: Session, commands: dict[str, Command]) -> None:
    """Serves until the session ends. Raises nothing but CancelledError."""
    connection = session.connection
    try:
        try:
            session.tell(f"* OK [CAPABILITY {session.capabilities}] mailport sandbox ready".encode())
            while not session.is_over:
                await _serve_one(session, commands)
        except Ended as end:
            if str(end):
                session.tell(f"* BYE {end}".encode())
        except TimeoutError:
            session.tell(b"* BYE Idle for too long")
        except Exception:  # any: a fault of the simulator must be seen in its log and end this session alone
            _logger.exception("sandbox_imap_failed")
            session.tell(b"* BYE The sandbox failed; its log says why")
        with contextlib.suppress(Ended, TimeoutError):
            async with asyncio.timeout(5):
                await connection.drain()
    finally:
        connection.close()


async def _serve_one(session: Session, commands: dict[str, Command]) -> None:
    connection = session.connection
    within = SIGN_IN_WITHIN if session.state is State.NOT_AUTHENTICATED else LOGOUT_AFTER
    try:
        async with asyncio.timeout(within.total_seconds()):
            line = await connection.read_command(limit=lambda begun: _limit(session, begun))
    except Malformed as error:
        session.tell(f"* BAD {error}".encode())
        return
    except TooLarge as error:
        connection.write(error.tag + b" NO [TOOBIG] The literal is too large")
        return
    session.require_token()
    tag, _, rest = line.partition(b" ")
    if not tag or not tag.isascii() or any(octet in b'(){%*"\\+' or octet <= 32 for octet in tag):
        session.tell(b"* BAD A command begins with a tag")
        return
    session.tag = tag
    answer = await _run(session, commands, rest)
    connection.write(tag + b" " + answer.encode())
    await connection.drain()
    afterwards, session.afterwards = session.afterwards, None
    if afterwards is not None:
        await afterwards()


async def _run(session: Session, commands: dict[str, Command], rest: bytes) -> str:
    cursor = Cursor(rest, takes_utf8=session.takes_utf8)
    command: Command | None = None
    try:
        name = cursor.word()
        command = commands.get(name)
        if command is None or NEEDED.get(name) in session.site.without:
            raise Malformed("Unknown command")
        if session.state not in command.states:
            raise Malformed(f"{name} is not allowed now: {session.state.name.replace('_', ' ').lower()}")
        answer = await command.run(session, cursor)
    except Refused as error:
        answer = f"NO {error}"
    except Malformed as error:
        answer = f"BAD {error}"
    session.tell_news(expunges=command is not None and command.expunges)
    return answer


def _limit(session: Session, begun: bytes) -> int:
    verb = begun.split(b" ", 2)[1:2]
    if session.mailbox is not None and verb and verb[0].upper() == b"APPEND":
        return session.site.size_limit_bytes + _COMMAND_LIMIT
    return _COMMAND_LIMIT
