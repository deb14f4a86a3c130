"""One folder as it is followed for all who watch it in this process: one connection, and what came over it last."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.errors import MailportError, ProviderRefused, Unavailable
from domain.failures.failure import FailureKind
from domain.mailbox_names import WatchCursor, stale
from domain.ports.mailbox import MOST_NEWS, MailboxAccount, News
from domain.reasons import Reason
from service.usecases.following import FolderName, Following
from service.usecases.mails import Mail

MOST_KEPT: Final = 500
"""Messages that a watcher may be behind without a connection of its own."""
MOST_KEPT_OCTETS: Final = 1024 * 1024
"""Of their header sections together."""
_HEALS_BY_WAITING: Final = frozenset({FailureKind.TRANSIENT, FailureKind.THROTTLED})
_LONGEST_PAUSE: Final = timedelta(seconds=30)
_STANDS_FIRMLY: Final = timedelta(minutes=1)
"""A connection that stood so long starts the pauses anew when it breaks."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that came, and the cursor behind it."""

    cursor: WatchCursor
    mail: Mail


class Behind(Exception):
    """What comes next for a watcher is no longer kept here; it has to fetch that by itself."""


class FolderHub:
    """
    Follows a folder from `run` on, and keeps the latest messages for those who watch it.

    Connects again by itself, at once at first and then after ever longer pauses with jitter. It ends, and so do all
    watches of the folder, with what only a person can mend, with CURSOR_INVALID when the folder was rebuilt, and when
    the server is away for longer than `Following.blind`.
    """

    def __init__(
        self,
        *,
        name: FolderName,
        following: Following,
        start: WatchCursor | None,
        tell_of_change: Callable[[], None],
    ) -> None:
        """*start*: where to begin; None: from now on. *tell_of_change*: called when it stands, breaks or ends."""
        self.name = name
        self.start = start
        self.has_stood = False
        """Whether the folder was open at least once."""
        self.is_standing = False
        """Whether it is open now."""
        self._following = following
        self._clock = following.clock
        self._events = following.events
        self._tell_of_change = tell_of_change
        self._cursor = start
        self._mailbox = ""
        self._kept: deque[Arrived] = deque()
        self._kept_octets = 0
        self._floor = 0
        self._reached = 0
        """Up to where the fastest watcher has come."""
        self._taken = asyncio.Event()
        self._news = asyncio.Event()
        self._end: MailportError | None = None
        self._last_proof = following.clock.monotonic()
        self._tries = 0

    @property
    def cursor(self) -> WatchCursor:
        """Returns where the folder stands, as far as it was seen; only once `stands` has returned."""
        assert self._cursor is not None
        return self._cursor

    @property
    def floor(self) -> int:
        """Returns the UID above which everything that came is kept here."""
        return self._floor

    async def stands(self) -> None:
        """Returns as soon as the folder has been opened once; raises what kept it from being opened."""
        while not self.has_stood:
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
        for arrived in self._kept:  # 500 at most, and nearly always the last one is meant
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
                if (pause := self._pause_after(error)) is None:
                    self._finish(error)
                    return
                self._events.watch_broke(self.name.account, error.reason)
                self._tell_of_change()
                await asyncio.sleep(pause.total_seconds())
        except Exception:
            self._finish(Unavailable("mailport itself failed while it followed the folder.", reason=Reason.INTERNAL))
            raise

    async def _follow(self) -> MailportError:
        """Follows the folder over one connection; returns what ended it."""
        began = self._clock.monotonic()
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
            mails = await self._following.mails(self.name, account, told.messages)
            self._take(told, mails)
            self._last_proof = self._clock.monotonic()
            if told.messages or self._last_proof - began > _STANDS_FIRMLY:
                self._tries = 0
            await self._keep_pace()

    async def _keep_pace(self) -> None:
        """Waits, though not for long, while what comes next would push out what no watcher has taken."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._following.pace.total_seconds()):
                while self._is_ahead():
                    self._taken.clear()
                    await self._taken.wait()

    def _is_ahead(self) -> bool:
        next_out = max(len(self._kept) + MOST_NEWS - MOST_KEPT, 0)
        is_near = self._kept_octets > MOST_KEPT_OCTETS // 2 and len(self._kept) > 1
        last = self._kept[next_out - 1] if next_out else self._kept[0] if is_near else None
        return last is not None and last.cursor.last_uid > self._reached

    def _take(self, told: News, mails: Sequence[Mail]) -> None:
        if not self.has_stood:
            self._floor = self.start.last_uid if self.start is not None else told.cursor.last_uid
            if self.start is None and told.messages:
                self._floor = told.messages[0].id.uid - 1
        for mail in mails:
            uid = mail.message.id.uid
            cursor = WatchCursor(told.cursor.account, told.cursor.folder, told.cursor.uid_validity, uid)
            self._kept.append(Arrived(cursor, mail))
            self._kept_octets += len(mail.message.header)
        while len(self._kept) > MOST_KEPT or (self._kept_octets > MOST_KEPT_OCTETS and len(self._kept) > 1):
            gone = self._kept.popleft()
            self._kept_octets -= len(gone.mail.message.header)
            self._floor = gone.cursor.last_uid
        self._cursor = told.cursor
        was_standing = self.is_standing
        self.has_stood = self.is_standing = True
        if not was_standing:
            self._events.watch_stands(self.name.account)
            self._tell_of_change()
        self._tell()

    def _check_mailbox(self, account: MailboxAccount) -> None:
        """Raises NotReady when the settings name another mailbox by now."""
        if self._mailbox not in ("", account.name):
            raise stale("The settings name another mailbox now.")
        self._mailbox = account.name

    def _pause_after(self, error: MailportError) -> timedelta | None:
        """Returns how long to wait before the next try; None: there is none."""
        if not _may_heal(error):
            return None
        jitter = self._following.entropy.fraction()
        if self._tries:
            pause = min(self._following.pause * 2 ** min(self._tries - 1, 10), _LONGEST_PAUSE) * (0.5 + jitter / 2)
        else:
            pause = self._following.pause * jitter / 4  # at once, but not all watches of a server together
        self._tries += 1
        pause = max(pause, _asked(error, self._clock.now()))
        is_hopeless = not self.has_stood or self._clock.monotonic() + pause - self._last_proof > self._following.blind
        return None if is_hopeless else pause

    def _finish(self, error: MailportError) -> None:
        self._end = error
        self._events.watch_ended(self.name.account, error.reason)
        self._tell_of_change()
        self._tell()

    def _check_end(self) -> None:
        if self._end is not None:
            raise self._end

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _may_heal(error: MailportError) -> bool:
    if isinstance(error, ProviderRefused):
        return error.failure.kind in _HEALS_BY_WAITING
    return isinstance(error, Unavailable)


def _lost(message: str, reason: Reason) -> Unavailable:
    return Unavailable(message, reason=reason, remedy="Watch again with the last cursor: nothing is missed.")


def _asked(error: MailportError, now: datetime) -> timedelta:
    """Returns how long the server, or the store, asked to be left alone."""
    if isinstance(error, ProviderRefused):
        retry_time = error.failure.retry_time
        return max(retry_time - now, timedelta(0)) if retry_time is not None else timedelta(0)
    return error.retry_after if isinstance(error, Unavailable) else timedelta(0)
