"""WatchMailbox: each new message of a folder as it comes, once per stream, resumable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from domain.account import Account
from domain.caller import Caller
from domain.errors import MailportError
from domain.mailbox_names import WatchCursor, read_cursor, rebuilt, stale
from service.usecases.folder_hub import Arrived, Behind, FolderHub
from service.usecases.folder_hubs import FolderHubs
from service.usecases.following import FolderName, Following, Insistence
from service.usecases.in_turn import ended, in_turn
from service.usecases.mails import Mail
from service.usecases.pauses import Pauses

ALIVE_EVERY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class WatchedMail:
    """One answer: a message that came, or a sign that the watch stands."""

    cursor: WatchCursor
    """Where to resume after it."""
    mail: Mail | None = None


class WatchMailbox:
    """Follows folders; all who watch the same one share a connection."""

    def __init__(self, *, hubs: FolderHubs, following: Following, alive_every: timedelta = ALIVE_EVERY) -> None:
        self._hubs = hubs
        self._following = following
        self._alive_every = alive_every.total_seconds()

    async def __call__(
        self, caller: Caller, configuration_id: str, folder: str, *, cursor: str
    ) -> AsyncGenerator[WatchedMail]:
        """
        Yields first that the watch stands, then each message above *cursor*, and every 30 seconds a sign of life.

        *cursor*: of an answer that was handled; empty: from now on. A watcher that takes its answers slowly is waited
        for, and what it missed is fetched anew for it. Ends when the caller ends it.
        Raises what `OpenMailbox` does, ProviderRefused when the server says no or is away for minutes, NotReady
        CURSOR_INVALID when the cursor is of another mailbox or folder, or the folder was rebuilt; Unavailable.
        """
        name = FolderName(Account(caller.tenant, configuration_id), folder)
        account = await self._following.account_of(name)
        start = read_cursor(cursor, account=account.name, folder=folder)
        async with aclosing(self._mails(name, start)) as mails, aclosing(self._alive(mails)) as answers:
            async for answer in answers:
                yield answer

    async def _mails(self, name: FolderName, start: WatchCursor | None) -> AsyncGenerator[WatchedMail]:
        async with self._hubs.joined(name) as hub:
            await hub.stands()
            cursor = start or hub.cursor
            if cursor.uid_validity != hub.cursor.uid_validity:
                raise rebuilt(name.folder, was=cursor.uid_validity, now=hub.cursor.uid_validity)
            yield WatchedMail(cursor)
            async with aclosing(self._follow(hub, cursor)) as watched:
                async for each in watched:
                    yield each

    async def _follow(self, hub: FolderHub, cursor: WatchCursor) -> AsyncGenerator[WatchedMail]:
        while True:
            try:
                arrived = hub.after(cursor.last_uid)
            except Behind:
                async with aclosing(self._catch_up(hub, cursor)) as missed:
                    async for each in missed:
                        cursor = each.cursor
                        if isinstance(each, Arrived):
                            yield WatchedMail(each.cursor, each.mail)
                continue
            if arrived is None:
                await hub.changed()
                continue
            cursor = arrived.cursor
            yield WatchedMail(cursor, arrived.mail)

    async def _catch_up(self, hub: FolderHub, cursor: WatchCursor) -> AsyncGenerator[Arrived | WatchedMail]:
        """Yields what came after *cursor*, or places alone, until the hub has what follows or others want a turn."""
        pauses, insistence = Pauses(self._following), Insistence()
        while True:
            try:
                source = self._missed(hub, cursor, pauses, insistence)
                turn = in_turn(source, turns=hub.catching_up, pace=self._following.pace)
                async with aclosing(turn) as missed:
                    async for each in missed:
                        cursor = each.cursor
                        yield each
                    return
            except MailportError as error:
                if (pause := pauses.after(error)) is None:
                    raise
            await asyncio.sleep(pause.total_seconds())

    async def _missed(
        self, hub: FolderHub, cursor: WatchCursor, pauses: Pauses, insistence: Insistence
    ) -> AsyncGenerator[Arrived | WatchedMail]:
        """Does so over one connection."""
        began = self._following.clock.monotonic()
        account = await self._following.account_of(hub.name)
        if account.name != cursor.account:
            raise stale("The settings name another mailbox now.")
        async with aclosing(self._following.news(account, hub.name.folder, cursor)) as news:
            is_first, floor = True, hub.floor
            async for told in news:
                before = cursor
                for mail in await self._following.mails(hub.name, account, told.messages, insistence):
                    cursor = replace(cursor, last_uid=mail.message.id.uid)
                    yield Arrived(cursor, mail)
                if told.cursor.last_uid > cursor.last_uid:  # the last ones went before they were fetched
                    cursor = told.cursor
                    yield WatchedMail(cursor)
                pauses.proven(brought_mail=bool(told.messages), began=began)
                if cursor.last_uid >= hub.floor:
                    return
                if not is_first and cursor == before:
                    # Nothing is left that came before; what is below the floor was expunged, and never comes.
                    yield WatchedMail(replace(cursor, last_uid=max(cursor.last_uid, floor)))
                    return
                is_first, floor = False, hub.floor

    async def _alive(self, mails: AsyncGenerator[WatchedMail]) -> AsyncGenerator[WatchedMail]:
        """Yields what *mails* yields, and the last cursor again whenever nothing has come for a while."""
        cursor: WatchCursor | None = None
        while True:
            coming = asyncio.ensure_future(anext(mails))
            try:
                while not coming.done():
                    await asyncio.wait([coming], timeout=self._alive_every)
                    if not coming.done() and cursor is not None:
                        yield WatchedMail(cursor)
                answer = coming.result()
            except StopAsyncIteration:
                return
            finally:
                await ended(coming)
            cursor = answer.cursor
            yield answer
