"""One folder as it is followed for all who watch it in this process: one connection, and what came over it last."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from domain.errors import MailportError, Unavailable
from domain.mailbox_names import WatchCursor, stale
from domain.ports.mailbox import MOST_NEWS, MailboxAccount, News
from domain.reasons import Reason
from service.usecases.following import FolderName, Following, Insistence
from service.usecases.mails import Mail
from service.usecases.pauses import Pauses

MOST_KEPT: Final = 500
"""Messages that a watcher may be behind without a connection of its own."""
MOST_KEPT_OCTETS: Final = 1024 * 1024
"""Of their header sections together."""

MOST_CATCHING_UP: Final = 3
"""Connections of watchers that are behind, besides the one that all share; others wait for their turn."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that came, and the cursor behind it."""

    cursor: WatchCursor
    mail: Mail


class Behind(Exception):
    """What comes next for a watcher is no longer kept here; it has to fetch that by itself."""


class FolderHub:
    """
    Follows a folder from `run` on, beginning with what comes now, and keeps the latest messages for those who watch it.

    Connects again by itself, at once at first and then after ever longer pauses. It ends, and so do all watches of the
    folder, when it cannot be opened at first, with what only a person can mend, with CURSOR_INVALID when the folder
    was rebuilt, and when the server is away for longer than `Following.blind`.
    """

    def __init__(self, *, name: FolderName, following: Following, tell_of_change: Callable[[], None]) -> None:
        """*tell_of_change*: called when it stands, breaks or ends."""
        self.name = name
        self.is_standing = False
        """Whether the folder is open now."""
        self.catching_up = asyncio.Semaphore(MOST_CATCHING_UP)
        """For watchers that are behind: each needs a connection of its own for a while."""
        self._following = following
        self._tell_of_change = tell_of_change
        self._pauses = Pauses(following)
        self._insistence = Insistence()
        self._cursor: WatchCursor | None = None
        self._mailbox = ""
        self._kept: deque[Arrived] = deque()
        self._kept_octets = 0
        self._floor = 0
        self._reached = 0
        """Up to where the fastest watcher has come."""
        self._taken = asyncio.Event()
        self._news = asyncio.Event()
        self._end: MailportError | None = None

    @property
    def cursor(self) -> WatchCursor:
        """Returns where the folder stands, as far as it was seen; only once `stands` has returned."""
        assert self._cursor is not None
        return self._cursor

    @property
    def floor(self) -> int:
        """Returns the UID above which everything that came is kept here."""
        return self._floor

    @property
    def kept(self) -> int:
        """Returns the number of messages that are kept here."""
        return len(self._kept)

    async def stands(self) -> None:
        """Returns as soon as the folder has been opened once; raises what kept it from being opened."""
        while self._cursor is None:
            self._check_end()
            await self._news.wait()

    def after(self, last_uid: int) -> Arrived | None:
        """
        Returns the first message above *last_uid*; None: nothing came yet.

        Raises Behind, and what the watch ended with once there is nothing left to give.
        """
        if last_uid > self._reached:
            self._reached = last_uid
            self._taken.set()
        if last_uid < self._floor:
            self._check_end()
            raise Behind
        for arrived in self._kept:  # a few hundred at most, and seldom more than the first is passed over
            if arrived.cursor.last_uid > last_uid:
                return arrived
        self._check_end()
        return None

    async def changed(self) -> None:
        """Returns when something has come, or the watch has ended."""
        if self._end is None:
            await self._news.wait()

    async def run(self) -> None:
        """Works until it ends or is cancelled."""
        try:
            while True:
                error = await self._follow()
                self.is_standing = False
                pause = self._pauses.after(error) if self._cursor is not None else None
                if pause is None:
                    self._finish(error)
                    return
                self._following.events.watch_broke(self.name.account, error.reason)
                self._tell_of_change()
                await asyncio.sleep(pause.total_seconds())
        except Exception:
            self._finish(Unavailable("mailport itself failed while it followed the folder.", reason=Reason.INTERNAL))
            raise

    async def _follow(self) -> MailportError:
        """Follows the folder over one connection; returns what ended it."""
        began = self._following.clock.monotonic()
        try:
            account = await self._following.account_of(self.name)
            self._check_mailbox(account)
            async with aclosing(self._following.news(account, self.name.folder, self._cursor)) as news:
                await self._take_all(account, news, began)
        except MailportError as error:
            return error
        except TimeoutError:
            return _lost("The connection to the mail server has been silent for too long.", Reason.SERVER_SILENT)
        return _lost("The connection to the mail server has ended.", Reason.CONNECTION_LOST)

    async def _take_all(self, account: MailboxAccount, news: AsyncGenerator[News], began: timedelta) -> None:
        while True:
            async with asyncio.timeout(self._following.silence.total_seconds()):
                told = await anext(news, None)
            if told is None:
                return
            self._take(told, await self._following.mails(self.name, account, told.messages, self._insistence))
            self._pauses.proven(brought_mail=bool(told.messages), began=began)
            await self._keep_pace()

    async def _keep_pace(self) -> None:
        """Waits, though not for long, while what comes next would push out what no watcher has taken."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._following.pace.total_seconds()):
                while self._is_ahead():
                    self._taken.clear()
                    await self._taken.wait()

    def _is_ahead(self) -> bool:
        pushed_out = len(self._kept) + MOST_NEWS - MOST_KEPT
        if self._kept_octets > MOST_KEPT_OCTETS // 2:
            pushed_out = max(pushed_out, len(self._kept) // 2)
        return pushed_out > 0 and self._kept[pushed_out - 1].cursor.last_uid > self._reached

    def _take(self, told: News, mails: Sequence[Mail]) -> None:
        if self._cursor is None:
            self._floor = mails[0].message.id.uid - 1 if mails else told.cursor.last_uid
        for mail in mails:
            self._kept.append(Arrived(replace(told.cursor, last_uid=mail.message.id.uid), mail))
            self._kept_octets += len(mail.message.header)
        while len(self._kept) > MOST_KEPT or (self._kept_octets > MOST_KEPT_OCTETS and len(self._kept) > 1):
            gone = self._kept.popleft()
            self._kept_octets -= len(gone.mail.message.header)
            self._floor = gone.cursor.last_uid
        self._cursor = told.cursor
        if not self.is_standing:
            self.is_standing = True
            self._following.events.watch_stands(self.name.account)
            self._tell_of_change()
        self._tell()

    def _check_mailbox(self, account: MailboxAccount) -> None:
        """Raises NotReady when the settings name another mailbox by now."""
        if self._mailbox not in ("", account.name):
            raise stale("The settings name another mailbox now.")
        self._mailbox = account.name

    def _finish(self, error: MailportError) -> None:
        self._end = error
        self._following.events.watch_ended(self.name.account, error.reason)
        self._tell_of_change()
        self._tell()

    def _check_end(self) -> None:
        if self._end is not None:
            raise self._end

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _lost(message: str, reason: Reason) -> Unavailable:
    return Unavailable(message, reason=reason, remedy="Watch again with the last cursor: nothing is missed.")
