"""SetFlags: marks a message, e.g. as seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.caller import Caller
from domain.mailbox import FlagChange
from domain.mailbox_names import read_message_id
from domain.ports.mailbox import MailboxReader
from service.usecases.not_found import gone_folder_as_not_found
from service.usecases.open_mailbox import OpenMailbox
from service.usecases.prove import interactive_patience


@dataclass(frozen=True, slots=True)
class SetFlags:
    """Adds and removes flags."""

    open_mailbox: OpenMailbox
    reader: MailboxReader

    async def __call__(
        self, caller: Caller, configuration_id: str, message_id: str, change: FlagChange, *, time_left: timedelta
    ) -> tuple[str, ...]:
        """
        Returns all flags that the message has then.

        Raises what `OpenMailbox` does, NotReady CURSOR_INVALID, NotFound when the message is gone, ProviderRefused.
        """
        account = await self.open_mailbox(caller.tenant, configuration_id)
        named = read_message_id(message_id, account=account.name)
        with gone_folder_as_not_found():
            return await self.reader.set_flags(account, named, change, patience=interactive_patience(time_left))
