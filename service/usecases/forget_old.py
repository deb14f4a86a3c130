"""Forgets what is kept for a while only: messages, deliveries, idempotency keys and changes that are old enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from domain.ports.changes import KEPT
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.retention import Retention

_BATCH: Final = 200
"""In one transaction: its locks are short, and a store that is busy delivering hardly notices."""


class ForgetOld:
    """One round; of several processes each does a part of it."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock, retention: Retention) -> None:
        self._uow = uow
        self._clock = clock
        self._retention = retention

    async def __call__(self) -> None:
        """Removes all that is due. Raises Unavailable when the store is away; what was removed stays removed."""
        now = self._clock.now()
        content, delivery = now - self._retention.content, now - self._retention.delivery
        await self._all(lambda work: work.leftovers.shred_contents(content, limit=_BATCH))
        await self._all(lambda work: work.leftovers.forget_keys(limit=_BATCH))
        await self._all(lambda work: work.leftovers.forget_deliveries(delivery, limit=_BATCH))
        await self._all(lambda work: work.changes.purge(now - KEPT, limit=_BATCH))

    async def _all(self, remove: Callable[[UnitOfWork], Awaitable[int]]) -> None:
        removed = _BATCH
        while removed >= _BATCH:
            async with self._uow() as work:
                removed = await remove(work)
                await work.commit()
