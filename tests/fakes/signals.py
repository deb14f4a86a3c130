"""News within one process."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from domain.account import Account
from tests.fakes.environment import FakeClock

_PATIENCE: Final = timedelta(milliseconds=10)
"""How long other tasks get to bring news before the fake clock is moved."""


class FakeListening:
    """`domain.ports.signals.Listening`."""

    def __init__(self, signals: FakeSignals) -> None:
        self._signals = signals
        self.news = asyncio.Event()

    async def changed(self, within: timedelta) -> bool:
        came = await self._signals.wait(self.news, within)
        self.news.clear()
        return came


class FakeAccountNews:
    """`domain.ports.signals.AccountNews`."""

    def __init__(self) -> None:
        self.news: asyncio.Queue[Account | None] = asyncio.Queue()

    async def next(self) -> Account | None:
        return await self.news.get()


class FakeSignals:
    """
    `domain.ports.signals.Signals`; `FakeStore` raises them when a unit of work commits.

    With a *clock*, a wait that brings nothing takes no time: after a moment for other tasks the clock is moved to the
    wait's end. Without one, waits are real. What was raised is kept: `due_count` and `changes`, the ids in order.
    """

    def __init__(self, *, clock: FakeClock | None = None) -> None:
        self._clock = clock
        self._due = asyncio.Event()
        self._listening: dict[str, set[FakeListening]] = defaultdict(set)
        self._listening_to_all: set[FakeListening] = set()
        self._listening_to_accounts: set[FakeAccountNews] = set()
        self.due_count = 0
        self.changes: list[str] = []

    async def work_due(self, within: timedelta) -> None:
        await self.wait(self._due, within)
        self._due.clear()

    @asynccontextmanager
    async def listen(self, delivery_id: str) -> AsyncIterator[FakeListening]:
        listening = FakeListening(self)
        self._listening[delivery_id].add(listening)
        try:
            yield listening
        finally:
            self._listening[delivery_id].discard(listening)

    @asynccontextmanager
    async def listen_to_all(self) -> AsyncIterator[FakeListening]:
        listening = FakeListening(self)
        self._listening_to_all.add(listening)
        try:
            yield listening
        finally:
            self._listening_to_all.discard(listening)

    @asynccontextmanager
    async def listen_to_accounts(self) -> AsyncIterator[FakeAccountNews]:
        news = FakeAccountNews()
        self._listening_to_accounts.add(news)
        try:
            yield news
        finally:
            self._listening_to_accounts.discard(news)

    def raise_account(self, account: Account | None) -> None:
        """Tells that an account changed, or, with None, that any may have."""
        for news in self._listening_to_accounts:
            news.news.put_nowait(account)

    @property
    def listeners(self) -> int:
        """How many listen to all deliveries."""
        return len(self._listening_to_all)

    def raise_due(self) -> None:
        """Tells that work is due."""
        self.due_count += 1
        self._due.set()
        for listening in self._listening_to_all:
            listening.news.set()

    def raise_changed(self, delivery_id: str) -> None:
        """Tells that a delivery changed."""
        self.changes.append(delivery_id)
        for listening in (*self._listening[delivery_id], *self._listening_to_all):
            listening.news.set()

    async def wait(self, event: asyncio.Event, within: timedelta) -> bool:
        """Waits for *event*; False when *within* passed first."""
        patience = within if self._clock is None else min(within, _PATIENCE)
        try:
            async with asyncio.timeout(patience.total_seconds()):
                return await event.wait()
        except TimeoutError:
            if self._clock is not None:
                self._clock.advance(max(within, timedelta(0)))
            return False
