"""The one place that owns threads: a fixed number of them, for all connections of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """
    Runs blocking work, as much at once as there are threads; what is more waits for its turn on the loop.

    A connection that waits for news holds no thread: the loop watches its descriptor.
    """

    def __init__(self, *, most: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=most, thread_name_prefix="imap")
        self._turns = asyncio.Semaphore(most)

    async def run(self, work: Callable[[], T], *, within: timedelta, cut: Callable[[], None]) -> T:
        """
        Returns what *work* returns.

        When *within* is over, the wait for a thread aside, or the caller is cancelled, *cut* ends what *work* waits
        for; TimeoutError is raised at once, and the thread is free as soon as *work* has noticed.
        """
        await self._turns.acquire()
        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BaseException:
            self._turns.release()
            raise
        future.add_done_callback(self._free)
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await asyncio.shield(future)
        except (TimeoutError, asyncio.CancelledError):
            if not future.done():
                cut()
            raise

    def _free(self, future: asyncio.Future[T]) -> None:
        self._turns.release()
        if not future.cancelled():
            future.exception()  # looked at, so that work that nobody awaits any more ends without a word

    def close(self) -> None:
        """Takes no more work; what runs is ended by whoever began it."""
        self._pool.shutdown(wait=False, cancel_futures=True)
