"""Mailboxes that the contract of MailboxReader runs on: the fake, and a real Dovecot."""

from __future__ import annotations

import asyncio
import imaplib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from adapters.imap.mailbox import ImapMailboxReader
from adapters.imap.names import encode
from adapters.smtp.reach import Reach
from adapters.system.clock import SystemClock
from domain.address import EmailAddress
from domain.connection import ConnectionSecurity
from domain.host import Host
from domain.ports.mailbox import MailboxAccount, MailboxReader, Patience
from domain.secret import Secret
from domain.settings.model import MailboxSettings
from tests.fakes.mailbox import FakeMailbox, StoredFolder
from tests.fakes.network import FakeResolver
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.fixtures import DOVECOT_USERS

USER: Final = "reader@example.test"
PATIENCE: Final = Patience(
    until_content=timedelta(seconds=10), each_reply=timedelta(seconds=10), overall=timedelta(seconds=30)
)
LONG_AGO: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class World(Protocol):
    """A reader, an account, and what happens at its server meanwhile."""

    @property
    def reader(self) -> MailboxReader: ...

    @property
    def account(self) -> MailboxAccount: ...

    async def deliver(
        self, raw: bytes, *, folder: str = "INBOX", flags: tuple[str, ...] = (), time: datetime = LONG_AGO
    ) -> None:
        """Puts a message into a folder."""
        ...

    async def create(self, folder: str) -> None:
        """Makes a folder."""
        ...

    async def empty(self, folder: str) -> None:
        """Takes all messages of a folder away."""
        ...

    async def rebuild(self, folder: str) -> None:
        """Makes a folder anew, without messages, with another UIDVALIDITY."""
        ...


class FakeWorld:
    def __init__(self) -> None:
        self.reader = FakeMailbox()
        self.account = MailboxAccount(settings(993, ""), lane="t")

    async def deliver(
        self, raw: bytes, *, folder: str = "INBOX", flags: tuple[str, ...] = (), time: datetime = LONG_AGO
    ) -> None:
        self.reader.deliver(raw, folder=folder, flags=flags, receive_time=time)

    async def create(self, folder: str) -> None:
        self.reader.folders[folder] = StoredFolder(uid_validity=len(self.reader.folders) + 1000)

    async def empty(self, folder: str) -> None:
        self.reader.folders[folder].messages.clear()

    async def rebuild(self, folder: str) -> None:
        await self.empty(folder)
        self.reader.rebuild(folder)

    async def close(self) -> None:
        pass


class DovecotWorld:
    """The mailbox of `USER`, emptied first."""

    def __init__(self, dovecot: Dovecot, ca: TestCA, security: ConnectionSecurity, lane: str) -> None:
        self._dovecot = dovecot
        self._context = ssl.create_default_context(cafile=str(ca.path))
        clock = SystemClock()
        self.reader = ImapMailboxReader(reach=Reach(clock=clock), resolver=FakeResolver(), clock=clock)
        port = dovecot.imaps if security is ConnectionSecurity.IMPLICIT_TLS else dovecot.imap
        self.account = MailboxAccount(settings(port, ca.path.read_text(), security), lane=lane)

    async def open(self) -> None:
        def clean(client: imaplib.IMAP4) -> None:
            for line in client.list()[1]:
                name = line.split(b' "/" ')[-1].strip(b'"') if isinstance(line, bytes) else b""
                if name not in (b"INBOX", b"Sent", b"Trash", b""):
                    client.delete(b'"' + name + b'"')  # type: ignore[arg-type]
            for folder in ("INBOX", "Sent", "Trash"):
                _empty(client, folder)

        await self._do(clean)

    async def deliver(
        self, raw: bytes, *, folder: str = "INBOX", flags: tuple[str, ...] = (), time: datetime = LONG_AGO
    ) -> None:
        when = imaplib.Time2Internaldate(time)
        await self._do(lambda client: client.append(_named(folder), " ".join(flags), when, raw))

    async def create(self, folder: str) -> None:
        await self._do(lambda client: client.create(_named(folder)))

    async def empty(self, folder: str) -> None:
        await self._do(lambda client: _empty(client, _named(folder)))

    async def rebuild(self, folder: str) -> None:
        # UIDVALIDITY is the time in seconds, and must not be the same again.
        await self._do(lambda client: (client.delete(_named(folder)), client.create(_named(folder))))

    async def close(self) -> None:
        await self.reader.aclose()

    async def _do(self, work: Callable[[imaplib.IMAP4], Any]) -> None:
        def run() -> None:
            with imaplib.IMAP4_SSL("localhost", self._dovecot.imaps, ssl_context=self._context, timeout=10) as client:
                password = DOVECOT_USERS[USER]
                client.authenticate("PLAIN", lambda _: f"\0{USER}\0{password}".encode())
                work(client)

        await asyncio.to_thread(run)


def settings(
    port: int, ca_certificates: str, security: ConnectionSecurity = ConnectionSecurity.IMPLICIT_TLS
) -> MailboxSettings:
    return MailboxSettings(
        email=EmailAddress("reader", "example.test"),
        host=Host("localhost"),
        port=port,
        security=security,
        password=Secret(DOVECOT_USERS[USER]),
        ca_certificates=ca_certificates,
    )


def _named(folder: str) -> str:
    return '"' + encode(folder).decode() + '"'


def _empty(client: imaplib.IMAP4, folder: str) -> None:
    _, found = client.select(folder)
    if found == [b"0"]:
        return
    client.store("1:*", "+FLAGS", r"\Deleted")
    client.expunge()
