"""MoveMessage: files a message that was handled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.caller import Caller
from domain.mailbox_names import MailboxMessageId, read_message_id
from domain.ports.mailbox import MailboxReader
from service.usecases.not_found import gone_folder_as_not_found
from service.usecases.open_mailbox import OpenMailbox
from service.usecases.prove import interactive_patience


@dataclass(frozen=True, slots=True)
class MoveMessage:
    """Moves a message to another folder."""

    open_mailbox: OpenMailbox
    reader: MailboxReader

    async def __call__(
        self, caller: Caller, configuration_id: str, message_id: str, folder: str, *, time_left: timedelta
    ) -> MailboxMessageId | None:
        """
        Returns the message's new name, None where the server does not tell.

        Raises what `OpenMailbox` does, NotReady CURSOR_INVALID, NotFound when the message or the folder is gone,
        ProviderRefused.
        """
        account = await self.open_mailbox(caller.tenant, configuration_id)
        named = read_message_id(message_id, account=account.name)
        with gone_folder_as_not_found():
            return await self.reader.move(account, named, folder, patience=interactive_patience(time_left))
