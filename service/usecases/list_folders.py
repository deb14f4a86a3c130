"""ListFolders: the folders of a configuration's mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.caller import Caller
from domain.mailbox import Folder
from domain.ports.mailbox import MailboxReader
from service.usecases.open_mailbox import OpenMailbox
from service.usecases.prove import interactive_patience


@dataclass(frozen=True, slots=True)
class ListFolders:
    """Lists folders."""

    open_mailbox: OpenMailbox
    reader: MailboxReader

    async def __call__(
        self, caller: Caller, configuration_id: str, *, with_counts: bool, time_left: timedelta
    ) -> tuple[Folder, ...]:
        """
        Returns the folders, INBOX first.

        Raises what `OpenMailbox` does, ProviderRefused when the server says no, DeadlineTooShort.
        """
        account = await self.open_mailbox(caller.tenant, configuration_id)
        patience = interactive_patience(time_left)
        return await self.reader.list_folders(account, patience=patience, with_counts=with_counts)
