"""The folders that are followed in this process: each once, for as long as somebody watches it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from domain.errors import Overloaded
from service.logs import CONFIGURATION_ID, TENANT, WATCH_FAILED
from service.usecases.folder_hub import FolderHub
from service.usecases.following import FolderName, Following

MOST_FOLDERS: Final = 500
"""Each takes a connection, and what its header sections fill, 1 MiB at most."""

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Followed:
    hub: FolderHub
    task: asyncio.Task[None]
    watchers: int = 0


class FolderHubs:
    """Makes a hub for the first who watches a folder, and ends it with the last."""

    def __init__(self, *, following: Following, most: int = MOST_FOLDERS) -> None:
        self._following = following
        self._most = most
        self._followed: dict[FolderName, _Followed] = {}

    @asynccontextmanager
    async def joined(self, name: FolderName) -> AsyncIterator[FolderHub]:
        """
        Gives the hub of a folder while the context is open; it may have ended, or not stand yet.

        Raises Overloaded when too many folders are followed.
        """
        followed = self._followed.get(name) or self._begin(name)
        followed.watchers += 1
        try:
            yield followed.hub
        finally:
            followed.watchers -= 1
            if not followed.watchers:
                await self._leave(followed)

    def followed(self) -> tuple[FolderHub, ...]:
        """Returns the hubs of all folders that are followed."""
        return tuple(each.hub for each in self._followed.values())

    def _begin(self, name: FolderName) -> _Followed:
        if len(self._followed) >= self._most:
            raise Overloaded(
                f"mailport follows as many folders at once as it can: {self._most}.",
                remedy="Call again when other watches have ended, or call another process.",
            )
        hub = FolderHub(name=name, following=self._following, tell_of_change=self._count)
        followed = _Followed(hub, asyncio.create_task(hub.run(), name=f"watch {name.account.configuration_id}"))
        self._followed[name] = followed
        followed.task.add_done_callback(lambda task: self._ended(followed, task))
        return followed

    async def _leave(self, followed: _Followed) -> None:
        self._forget(followed)
        followed.task.cancel()
        with suppress(asyncio.CancelledError, Exception):  # told of by `_ended`
            await asyncio.shield(asyncio.wait([followed.task]))

    def _ended(self, followed: _Followed, task: asyncio.Task[None]) -> None:
        self._forget(followed)
        if not task.cancelled() and (error := task.exception()) is not None:
            account = followed.hub.name.account
            fields = {TENANT: account.tenant, CONFIGURATION_ID: account.configuration_id}
            _logger.error(WATCH_FAILED, extra=fields, exc_info=error)

    def _forget(self, followed: _Followed) -> None:
        """Lets the next who watches the folder begin anew."""
        if self._followed.get(followed.hub.name) is followed:
            del self._followed[followed.hub.name]
        self._count()

    def _count(self) -> None:
        standing = sum(each.hub.is_standing for each in self._followed.values())
        self._following.events.folders_followed(standing=standing, broken=len(self._followed) - standing)
