"""The reaper's step: what dead workers left behind, and what has outlived its lifetime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domain.delivery import BROKEN_OFF, LeaseExpired, LifetimeOver, advance
from domain.ports.environment import Clock, Entropy
from domain.ports.storage import UnitOfWork

_BATCH: Final = 50


class Reap:
    """Puts abandoned deliveries back, or in doubt, and ends overdue ones."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock, entropy: Entropy) -> None:
        self._uow = uow
        self._clock = clock
        self._entropy = entropy

    async def __call__(self) -> int:
        """Returns how many deliveries it moved; call again at once when it is not zero."""
        moved = 0
        async with self._uow() as work:
            now = self._clock.now()
            for abandoned in await work.deliveries.abandoned(_BATCH):
                event = LeaseExpired(past_no_return=abandoned.past_no_return, jitter=self._entropy.fraction())
                await work.deliveries.save(advance(abandoned.delivery, event, at=now))
                await work.deliveries.close_attempt(
                    abandoned.delivery,
                    at=now,
                    in_doubt=abandoned.past_no_return,
                    failure=BROKEN_OFF if abandoned.past_no_return else None,
                )
                moved += 1
            for delivery in await work.deliveries.overdue(_BATCH):
                await work.deliveries.save(advance(delivery, LifetimeOver(), at=now))
                moved += 1
            await work.commit()
        return moved

    async def after_restart(self) -> None:
        """
        Puts right at once what the predecessor of this process left behind, instead of waiting for its leases.

        Only for a process that is alone on its database.
        """
        async with self._uow() as work:
            await work.deliveries.end_leases()
            await work.commit()
        while await self():
            pass
