"""ListMessages: messages of a folder, the newest first, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.caller import Caller
from domain.mailbox import MessageQuery
from domain.mailbox_names import PagePosition, query_digest, read_position
from domain.ports.environment import Clock
from domain.ports.mailbox import MailboxReader
from service.usecases.mails import Mail
from service.usecases.open_mailbox import OpenMailbox
from service.usecases.paging import page_size
from service.usecases.prove import interactive_patience
from service.usecases.read_mails import ReadMails

MOST_MESSAGES: Final = 200


@dataclass(frozen=True, slots=True)
class MailPage:
    """Some messages of a folder."""

    mails: tuple[Mail, ...]
    query: MessageQuery
    next: PagePosition | None
    """Where the list goes on; None: that was all."""

    def up_to(self, count: int) -> MailPage:
        """Returns the first *count* messages alone; the list goes on behind them."""
        if count >= len(self.mails):
            return self
        last = self.mails[count - 1].message.id
        end = PagePosition(last.account, last.folder, last.uid_validity, last.uid, query_digest(self.query))
        return MailPage(self.mails[:count], self.query, end)


@dataclass(frozen=True, slots=True)
class ListMessages:
    """Lists messages."""

    open_mailbox: OpenMailbox
    reader: MailboxReader
    read_mails: ReadMails
    clock: Clock

    async def __call__(
        self,
        caller: Caller,
        configuration_id: str,
        folder: str,
        query: MessageQuery,
        *,
        size: int,
        token: str,
        time_left: timedelta,
    ) -> MailPage:
        """
        Returns the page that *token* names, the first without one.

        Raises InputInvalid (a negative size, PAGE_TOKEN_INVALID for a token of another list), what `OpenMailbox` does,
        NotReady CURSOR_INVALID when the folder was rebuilt since the first page, ProviderRefused, DeadlineTooShort.
        """
        deadline = self.clock.monotonic() + time_left
        limit = page_size(size, most=MOST_MESSAGES)
        account = await self.open_mailbox(caller.tenant, configuration_id)
        position = read_position(token, account=account.name, folder=folder, query=query)
        patience = interactive_patience(deadline - self.clock.monotonic())
        page = await self.reader.list_messages(
            account, folder, query=query, limit=limit, patience=patience, position=position
        )
        patience = interactive_patience(deadline - self.clock.monotonic())
        mails = await self.read_mails(caller.tenant, account, page.messages, patience=patience)
        return MailPage(mails, query, page.next)
