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
        self, name: FolderName, account: MailboxAccount, messages: Sequence[FolderMessage]
    ) -> tuple[Mail, ...]:
        """Returns the mails that *messages* are, correlated."""
        return await self.read_mails(name.account.tenant, account, messages, patience=PATIENCE)
