"""The one place that owns threads: a fixed number of them, for all connections of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Share:
    """What one owner has of the threads."""

    turns: asyncio.Semaphore
    users: int = 0
    """Pieces of work under way and waiting."""


class Threads:
    """
    Runs blocking work, as much at once as there are threads; what is more waits for its turn on the loop.

    Half of them at most work for one owner, so that servers of his that hang leave room for everybody else's.

    A connection that waits for news holds no thread: the loop watches its descriptor.
    """

    def __init__(self, *, most: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=most, thread_name_prefix="imap")
        self._turns = asyncio.Semaphore(most)
        self._share = max(1, most // 2)
        self._shares: dict[str, _Share] = {}

    async def run(self, work: Callable[[], T], *, within: timedelta, cut: Callable[[], None], owner: str = "") -> T:
        """
        Returns what *work* returns.

        When *within* is over, the wait for a thread aside, or the caller is cancelled, *cut* ends what *work* waits
        for; TimeoutError is raised at once, and the thread is free as soon as *work* has noticed.
        """
        free = await self._turn(owner)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BaseException:
            free()
            raise
        future.add_done_callback(partial(_freed, free))
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await asyncio.shield(future)
        except (TimeoutError, asyncio.CancelledError):
            if not future.done():
                cut()
            raise

    async def _turn(self, owner: str) -> Callable[[], None]:
        """Returns what gives the turn back, as soon as it is *owner*'s."""
        share = self._shares.setdefault(owner, _Share(asyncio.Semaphore(self._share)))
        share.users += 1
        try:
            await share.turns.acquire()
            try:
                await self._turns.acquire()
            except BaseException:
                share.turns.release()
                raise
        except BaseException:
            self._leave(owner, share)
            raise

        def free() -> None:
            self._turns.release()
            share.turns.release()
            self._leave(owner, share)

        return free

    def _leave(self, owner: str, share: _Share) -> None:
        share.users -= 1
        if not share.users:
            del self._shares[owner]

    def close(self) -> None:
        """Takes no more work; what runs is ended by whoever began it."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _freed(free: Callable[[], None], future: asyncio.Future[T]) -> None:
    free()
    if not future.cancelled():
        future.exception()  # looked at, so that work that nobody awaits any more ends without a word
