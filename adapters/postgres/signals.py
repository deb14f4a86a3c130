"""News between processes over LISTEN and NOTIFY: work is due, a delivery changed, an account changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import psycopg
from psycopg import AsyncConnection, Notify, sql

from adapters.postgres.failures import checked_dsn
from adapters.postgres.session import Session
from domain.account import Account

DUE_CHANNEL: Final = "mailport_due"
CHANGED_CHANNEL: Final = "mailport_changed"
ACCOUNT_CHANNEL: Final = "mailport_account"
MOST_NOTIFIED: Final = 200
"""Ids in one notification, blanks between them; its payload stays below the 8,000 bytes that PostgreSQL takes."""
_RECONNECT: Final = timedelta(seconds=1)


class _Listening:
    def __init__(self) -> None:
        self._news = asyncio.Event()

    def tell(self) -> None:
        self._news.set()

    async def changed(self, within: timedelta) -> bool:
        """See `domain.ports.signals.Listening`."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True


class _AccountNews:
    def __init__(self) -> None:
        self._news: asyncio.Queue[Account | None] = asyncio.Queue()

    def tell(self, account: Account | None) -> None:
        self._news.put_nowait(account)

    async def next(self) -> Account | None:
        """See `domain.ports.signals.AccountNews`."""
        return await self._news.get()


async def tell_of_account(session: Session, account: Account) -> None:
    """Tells all processes, once the transaction commits, that *account* changed."""
    payload = json.dumps([account.tenant, account.configuration_id])
    await session.row("select pg_notify(%(channel)s, %(payload)s)", {"channel": ACCOUNT_CHANNEL, "payload": payload})


class PostgresSignals:
    """
    A `domain.ports.signals.Signals` over one connection of its own, which is made anew whenever it breaks.

    Run `run` as a task for as long as signals are wanted. After each reconnection everybody is woken once, since news
    may have been missed meanwhile.
    """

    def __init__(self, *, dsn: str) -> None:
        self._dsn = checked_dsn(dsn)
        self._due = asyncio.Event()
        self._listeners: dict[str, set[_Listening]] = defaultdict(set)
        self._listen_to_all: set[_Listening] = set()
        self._listen_to_accounts: set[_AccountNews] = set()

    async def run(self) -> None:
        """Listens until it is cancelled; never raises for a database that is away."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._listen_once()
            await asyncio.sleep(_RECONNECT.total_seconds())

    async def work_due(self, within: timedelta) -> None:
        """See the port."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._due.wait()
        self._due.clear()

    @contextlib.asynccontextmanager
    async def listen(self, delivery_id: str) -> AsyncIterator[_Listening]:
        """See the port."""
        listening = _Listening()
        self._listeners[delivery_id].add(listening)
        try:
            yield listening
        finally:
            self._listeners[delivery_id].discard(listening)
            if not self._listeners[delivery_id]:
                del self._listeners[delivery_id]

    @contextlib.asynccontextmanager
    async def listen_to_all(self) -> AsyncIterator[_Listening]:
        """See the port."""
        listening = _Listening()
        self._listen_to_all.add(listening)
        try:
            yield listening
        finally:
            self._listen_to_all.discard(listening)

    @contextlib.asynccontextmanager
    async def listen_to_accounts(self) -> AsyncIterator[_AccountNews]:
        """See the port."""
        news = _AccountNews()
        self._listen_to_accounts.add(news)
        try:
            yield news
        finally:
            self._listen_to_accounts.discard(news)

    async def _listen_once(self) -> None:
        connection = await AsyncConnection.connect(
            self._dsn,
            autocommit=True,
            connect_timeout=5,
            fallback_application_name="mailport signals",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
        )
        async with connection:
            for channel in (DUE_CHANNEL, CHANGED_CHANNEL, ACCOUNT_CHANNEL):
                await connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            self._wake_all()
            async for notify in connection.notifies():
                self._tell(notify)

    def _tell(self, notify: Notify) -> None:
        if notify.channel == ACCOUNT_CHANNEL:
            account = Account(*json.loads(notify.payload))
            for news in self._listen_to_accounts:
                news.tell(account)
            return
        if notify.channel == DUE_CHANNEL:
            self._due.set()
        if self._listeners:
            for delivery_id in notify.payload.split():
                for listening in self._listeners.get(delivery_id, ()):
                    listening.tell()
        for listening in self._listen_to_all:
            listening.tell()

    def _wake_all(self) -> None:
        self._due.set()
        for news in self._listen_to_accounts:
            news.tell(None)
        for listening in self._listen_to_all:
            listening.tell()
        for listeners in self._listeners.values():
            for listening in listeners:
                listening.tell()
