"""Who lives: says it of this process's worker, and knows it of all others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from domain.data_center import LIVES_FOR, SEEN_EVERY, TAKEN_OVER_AFTER, Presence, Reach, reach_of
from domain.errors import Overloaded, Unavailable
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from service.logs import ROSTER_FAILED
from service.usecases.events import Events

_logger = logging.getLogger(__name__)


class Roster:
    """
    Keeps one worker in the store's list of the living, and tells whose mail it may take by that list.

    In a process without a worker it only looks, so that somebody hears of mail that nobody is there to send.
    """

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        clock: Clock,
        events: Events,
        name: str,
        data_center: str = "",
        order: tuple[str, ...] = (),
        has_worker: bool = True,
        every: timedelta = SEEN_EVERY,
    ) -> None:
        """
        *name*: of the worker, unlike any other's, past ones included. *order*: all sites, the preferred first.

        *every*: the pause between two looks; well below `LIVES_FOR`, so that one may be late or lost.
        """
        self._uow = uow
        self._clock = clock
        self._events = events
        self._name = name
        self._data_center = data_center
        self._order = order
        self._is_working = has_worker
        self._every = every
        self._reach = Reach(data_center)
        self._since = clock.monotonic()
        self._storing = asyncio.Lock()
        self._missing: dict[str, timedelta] = {}
        """Sites without a live worker, and since when by our own clock; "": there is none at all."""
        self._told: set[str] = set()

    def reach(self) -> Reach:
        """Returns whose mail the worker may take by what is known; of its own site alone at first."""
        return self._reach

    async def run(self) -> None:
        """Works until it is cancelled; a store that is away is waited for."""
        while True:
            try:
                await self.look()
            except (Unavailable, Overloaded):
                pass  # the claiming side, or readiness, says so
            except Exception:
                # Whatever it was, mail of a dead site must not wait for a person to start this process again.
                _logger.exception(ROSTER_FAILED)
            await asyncio.sleep(self._every.total_seconds())

    async def look(self) -> None:
        """Says that the worker lives and reads who else does. Raises Unavailable, Overloaded."""
        async with self._storing, self._uow() as work:
            if self._is_working:
                await work.workers.seen(self._name, self._data_center, lives_for=LIVES_FOR)
            present = await work.workers.present()
            await work.commit()
        # At the start of several processes the others may not have been here yet: their mail waits for them a while.
        if self._clock.monotonic() - self._since >= TAKEN_OVER_AFTER:
            self._reach = reach_of(self._data_center, present, order=self._order)
        self._events.workers_seen(self._with_all_sites(present))
        self._tell(present)

    async def leave(self) -> None:
        """Says that the worker takes nothing more; a store that is away finds out by itself."""
        async with self._storing:
            if not self._is_working:
                return
            self._is_working = False
            try:
                async with self._uow() as work:
                    await work.workers.leave(self._name)
                    await work.commit()
            except (Unavailable, Overloaded):
                pass

    def _with_all_sites(self, present: Sequence[Presence]) -> tuple[Presence, ...]:
        """Adds the sites that should be there and were never seen; the one without a name where there is no other."""
        known = {each.data_center: each for each in present}
        return tuple(known.get(name, Presence(name, 0)) for name in dict.fromkeys([*(self._order or [""]), *known]))

    def _tell(self, present: Sequence[Presence]) -> None:
        """Tells of each site once that nobody lives there, and once that somebody does again."""
        now = self._clock.monotonic()
        live = {each.data_center for each in present if each.live}
        away = {each.data_center: each.away for each in present}
        expected = {*self._order, *(name for name in away if name)}
        missing = {name for name in expected if name not in live} if live else {""}
        self._missing = {name: self._missing.get(name, now) for name in missing}
        for name in sorted(self._told - missing):
            self._told.discard(name)
            if live:  # else all that is told now is that there is none at all
                self._events.worker_back(name)
        for name in sorted(missing - self._told):
            if max(now - self._missing[name], away.get(name, timedelta(0))) >= TAKEN_OVER_AFTER:
                self._told.add(name)
                self._events.worker_missing(name)
