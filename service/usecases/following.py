"""What it takes to follow folders: shared by the hubs and by the watchers that are behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, cast

from domain.account import Account
from domain.mailbox import FolderMessage
from domain.mailbox_names import WatchCursor
from domain.ports.environment import Clock, Entropy
from domain.ports.mailbox import MailboxAccount, MailboxReader, News, Vigilance
from domain.ports.transport import Patience
from service.usecases.events import Events
from service.usecases.mails import Mail
from service.usecases.open_mailbox import OpenMailbox
from service.usecases.read_mails import ReadMails

PATIENCE: Final = Patience(until_content=timedelta(seconds=60), each_reply=timedelta(seconds=60))
"""For the way to the server, sign-in included."""
_GRACE: Final = timedelta(minutes=1)
_MOST_INSISTED: Final = 3
"""Times that the same messages are read anew for a report among them that cannot be fetched."""
_MOST_OPENING: Final = 4


@dataclass(frozen=True, slots=True)
class FolderName:
    """Which folder of which configuration's mailbox."""

    account: Account
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """Follows folders and reads what comes."""

    open_mailbox: OpenMailbox
    reader: MailboxReader
    read_mails: ReadMails
    clock: Clock
    entropy: Entropy
    events: Events
    vigilance: Vigilance = Vigilance()  # noqa: RUF009 - frozen
    blind: timedelta = timedelta(minutes=3)
    """How long a folder may be without a connection before its watches end."""
    pause: timedelta = timedelta(seconds=1)
    """Before the second try to connect again; each further one waits twice as long, half a minute at most."""
    pace: timedelta = timedelta(seconds=5)
    """How long even the fastest watcher is waited for before what it has not taken is let go."""

    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_OPENING))
    """Settings are read for a few watches at a time: all begin together when a process, or a server, is back."""

    @property
    def silence(self) -> timedelta:
        """Returns when a follower that says nothing is taken for lost, although it does not say so."""
        return self.vigilance.silence + PATIENCE.until_content + _GRACE

    async def account_of(self, name: FolderName) -> MailboxAccount:
        """Returns the mailbox as the settings are now; raises what `OpenMailbox` does."""
        async with self.turns:
            return await self.open_mailbox(name.account.tenant, name.account.configuration_id)

    def news(self, account: MailboxAccount, folder: str, cursor: WatchCursor | None) -> AsyncGenerator[News]:
        """Returns what `MailboxReader.follow` yields; to be closed."""
        news = self.reader.follow(account, folder, vigilance=self.vigilance, patience=PATIENCE, cursor=cursor)
        return cast(AsyncGenerator[News], news)

    async def mails(
        self, name: FolderName, account: MailboxAccount, messages: Sequence[FolderMessage], insistence: Insistence
    ) -> tuple[Mail, ...]:
        """
        Returns the mails that *messages* are, correlated.

        Raises ProviderRefused for a report among them that could be fetched later, as long as *insistence* holds.
        """
        insist = insistence.holds_for(messages)
        return await self.read_mails(name.account.tenant, account, messages, patience=PATIENCE, insist=insist)


@dataclass(slots=True)
class Insistence:
    """
    How often one who follows a folder has tried to read what comes next.

    A stream gives a report once, so it waits for what the report says; but not for ever, for a message that breaks
    every connection over which it is fetched.
    """

    _first_uid: int = 0
    _times: int = 0

    def holds_for(self, messages: Sequence[FolderMessage]) -> bool:
        """Notes that *messages* are read, and tells whether to do so anew when a report among them is missing."""
        if not messages:
            return False
        first_uid = messages[0].id.uid
        self._times = self._times + 1 if first_uid == self._first_uid else 1
        self._first_uid = first_uid
        return self._times <= _MOST_INSISTED
