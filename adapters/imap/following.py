"""A folder followed over one connection: IDLE where the server has it, looked at in turns where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from adapters.imap.failures import Stopped
from adapters.imap.operations import Mailbox, Selected
from adapters.imap.session import Session
from domain.mailbox_names import WatchCursor
from domain.ports.mailbox import MOST_NEWS, News, Vigilance

T = TypeVar("T")

_LONGEST_IDLE: Final = timedelta(minutes=28)
"""Servers may end a session that says nothing for 29 minutes (RFC 2177)."""
_AT_A_TIME: Final = timedelta(minutes=10)
"""For one piece of work; each answer in it has its own bound."""
_MOST_FRUITLESS: Final = 3
"""Times in a row that a server may speak of news and have none before it is asked more slowly."""
_FIRST_PAUSE: Final = timedelta(milliseconds=100)


class Following:
    """
    Follows a folder on a *session* until something ends it; `cursor` is where to resume.

    `cursor` is None before the folder is open where none was given.

    No thread is held while the server has nothing to say: the loop watches the descriptor.
    """

    def __init__(
        self, session: Session, folder: str, *, account: str, vigilance: Vigilance, cursor: WatchCursor | None
    ) -> None:
        self.cursor = cursor
        self._session = session
        self._conversation = session.conversation
        self._folder = folder
        self._account = account
        self._vigilance = vigilance
        self._mailbox = Mailbox(session.conversation, account=account, is_utf8=session.is_utf8)

    async def run(self) -> AsyncGenerator[News, None]:
        """Yields what arrives; raises Stopped, or NotReady CURSOR_INVALID when the folder was rebuilt."""
        selected, cursor = await self._work(self._open)
        self.cursor = cursor
        yield News(cursor)
        is_caught_up, fruitless = False, 0
        while True:
            fresh = await self._work(partial(self._arrived, selected, cursor, since_opened=not is_caught_up))
            for begin in range(0, len(fresh), MOST_NEWS):
                some = fresh[begin : begin + MOST_NEWS]
                told = await self._work(partial(self._mailbox.messages, selected, some))
                self.cursor = cursor = replace(cursor, last_uid=some[-1])
                yield News(cursor, tuple(told[uid] for uid in some if uid in told))
            if fresh:
                fruitless = 0
                continue  # there may be more than one answer holds
            if is_caught_up:
                yield News(cursor)
            is_caught_up = True
            await self._breathe(fruitless)
            await self._wait()
            fruitless = fruitless + 1 if self._has_news() else 0

    async def _breathe(self, fruitless: int) -> None:
        """Waits longer and longer for a server that tells of messages in every answer and has no new ones."""
        if fruitless >= _MOST_FRUITLESS:
            pause = _FIRST_PAUSE * 2 ** min(fruitless - _MOST_FRUITLESS, 20)
            await asyncio.sleep(min(pause, self._vigilance.poll_after).total_seconds())

    def _open(self) -> tuple[Selected, WatchCursor]:
        former = self.cursor
        if former is None:
            selected = self._mailbox.select(self._folder)
            last = self._mailbox.last_uid(selected)
            return selected, WatchCursor(self._account, self._folder, selected.uid_validity, last)
        return self._mailbox.select(self._folder, uid_validity=former.uid_validity), former

    def _arrived(self, selected: Selected, cursor: WatchCursor, *, since_opened: bool) -> list[int]:
        return self._mailbox.arrived(selected, above=cursor.last_uid, since_opened=since_opened)

    async def _wait(self) -> None:
        """Returns when there may be news, or when it is time to ask."""
        if "IDLE" not in self._conversation.features:
            await asyncio.sleep(self._vigilance.poll_after.total_seconds())
            await self._work(self._mailbox.look)
            return
        if self._has_news():
            return
        try:
            await self._work(self._conversation.begin_idle)
        except Stopped as refused:
            if refused.is_end:
                raise
            await asyncio.sleep(self._vigilance.poll_after.total_seconds())  # it lists IDLE and does not take it
            await self._work(self._mailbox.look)
            return
        end = asyncio.get_running_loop().time() + min(self._vigilance.renew_after, _LONGEST_IDLE).total_seconds()
        while not self._has_news() and await self._is_readable(end):
            await self._work(self._conversation.hear_idle)
        await self._work(self._conversation.end_idle)

    def _has_news(self) -> bool:
        return self._conversation.has_news

    async def _is_readable(self, end: float) -> bool:
        """Waits for something to read; False when there is nothing until *end*, by the loop's clock."""
        if self._session.wire.has_waiting():
            return True
        loop, readable, descriptor = asyncio.get_running_loop(), asyncio.Event(), self._session.wire.fileno()
        loop.add_reader(descriptor, readable.set)
        try:
            async with asyncio.timeout_at(end):
                await readable.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(descriptor)
        return True

    async def _work(self, work: Callable[[], T]) -> T:
        return await self._session.run(work, within=_AT_A_TIME)
