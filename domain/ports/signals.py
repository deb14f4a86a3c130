"""News between processes: work is due, a delivery changed, an account changed."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

from domain.account import Account


class Listening(Protocol):
    """News about deliveries, collected from the moment it was entered."""

    async def changed(self, within: timedelta) -> bool:
        """
        Waits until one of them may have changed; True then, False when *within* has passed first.

        News that came between two calls is not lost: the next call returns at once.
        """
        ...


class AccountNews(Protocol):
    """News about accounts, collected from the moment it was entered."""

    async def next(self) -> Account | None:
        """
        Waits for a configuration that was saved or deleted, or that lost a grant: by revocation, replaced, or dead.

        None: any may have, since news may have been missed. A grant that was merely refreshed is no news.
        """
        ...


class Signals(Protocol):
    """
    Hints, never facts: a signal may be spurious, late or lost, so whoever waits also looks by itself now and then.

    Signals are raised by the repositories when a unit of work commits, not by callers.
    """

    async def work_due(self, within: timedelta) -> None:
        """Returns when a delivery may have become due, at the latest after *within*."""
        ...

    def listen(self, delivery_id: str) -> AbstractAsyncContextManager[Listening]:
        """Listens for changes of one delivery while the context is open."""
        ...

    def listen_to_all(self) -> AbstractAsyncContextManager[Listening]:
        """Listens for whatever happens to any delivery while the context is open."""
        ...

    def listen_to_accounts(self) -> AbstractAsyncContextManager[AccountNews]:
        """Listens for changes of what mail is sent with while the context is open."""
        ...
