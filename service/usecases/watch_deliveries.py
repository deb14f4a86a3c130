"""WatchDeliveries: each change of state of the tenant's deliveries, as it comes, resumable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.caller import Caller
from domain.errors import Unavailable
from domain.ports.changes import Change, ChangeFilter, ChangePage
from domain.ports.environment import Clock
from domain.ports.signals import Listening, Signals
from domain.ports.storage import UnitOfWork

_ALIVE_EVERY: Final = timedelta(seconds=30)
_POLL: Final = timedelta(seconds=1)
"""What nobody signalled is seen by then."""
_SOON: Final = timedelta(milliseconds=20)
"""When a change waits for a transaction that is older than it."""
_BREATH: Final = timedelta(milliseconds=50)
"""Between two looks at the log, so that a watcher of a busy tenant reads in batches."""
_LOOK_AGAIN: Final = timedelta(seconds=1)
_PATIENCE: Final = timedelta(seconds=20)
"""How long the store may be away, or a change wait; below the time between signs of life."""
_WINDOW: Final = 200
_RESUME: Final = "Call WatchDeliveries again with the cursor of the last answer: nothing is missed."


@dataclass(frozen=True, slots=True)
class Watched:
    """One answer: a change, or a sign that the watch stands."""

    number: int
    """Where to go on behind it."""
    change: Change | None = None


class WatchDeliveries:
    """Follows the log of changes."""

    def __init__(
        self, *, uow: Callable[[], UnitOfWork], clock: Clock, signals: Signals, breath: timedelta = _BREATH
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._signals = signals
        self._breath = breath

    async def __call__(self, caller: Caller, where: ChangeFilter, *, after: int | None) -> AsyncGenerator[Watched]:
        """
        Yields first that the watch stands, then each change that *where* chooses, and every 30 seconds a sign of life.

        *after*: the number to go on behind; None: from now on. Ends when the caller ends it.
        Raises NotReady CURSOR_INVALID when something behind *after* is not kept, Unavailable when it cannot go on.
        """
        async with self._signals.listen_to_all() as news:
            number = await self._begin(caller, where, after)
            yield Watched(number)
            said = self._clock.monotonic()
            while True:
                page = await self._look(caller, where, number, news)
                for change in page.changes:
                    yield Watched(change.number, change)
                    said = self._clock.monotonic()
                number = page.reached
                if page.has_more:
                    continue
                silent = self._clock.monotonic() - said
                if silent >= _ALIVE_EVERY:
                    yield Watched(number)
                    said, silent = self._clock.monotonic(), timedelta(0)
                pause = _POLL if page.waiting_since is None else _SOON
                if await news.changed(min(pause, _ALIVE_EVERY - silent)):
                    await asyncio.sleep(self._breath.total_seconds())

    async def _begin(self, caller: Caller, where: ChangeFilter, after: int | None) -> int:
        async with self._uow() as work:
            if after is None:
                return await work.changes.newest()
            await work.changes.after(caller.tenant, where, after, limit=1)  # refuses what is no longer kept
            return after

    async def _look(self, caller: Caller, where: ChangeFilter, number: int, news: Listening) -> ChangePage:
        """Reads on; a store that is away is waited for shortly, so that not each of its hiccups ends all watches."""
        deadline = self._clock.monotonic() + _PATIENCE
        while True:
            try:
                async with self._uow() as work:
                    page = await work.changes.after(caller.tenant, where, number, limit=_WINDOW)
            except Unavailable as error:
                if self._clock.monotonic() >= deadline:
                    # Not the error itself: an Overloaded would answer RESOURCE_EXHAUSTED, which a watch never does.
                    raise Unavailable(error.message, reason=error.reason, remedy=_RESUME) from error
                await news.changed(_LOOK_AGAIN)
                continue
            if page.waiting_since is not None and self._clock.now() - page.waiting_since > _PATIENCE:
                raise Unavailable("A transaction that does not end holds the log of changes back.", remedy=_RESUME)
            return page
