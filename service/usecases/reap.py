"""The reaper's step: what dead workers left behind, and what has outlived its lifetime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domain.delivery import BROKEN_OFF, Delivery, LeaseExpired, LifetimeOver, advance
from domain.ports.environment import Clock, Entropy
from domain.ports.storage import UnitOfWork
from service.usecases.events import Events
from service.usecases.sites import with_obstacle

_BATCH: Final = 50


class Reap:
    """Puts abandoned deliveries back, or in doubt, and ends overdue ones."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock, entropy: Entropy, events: Events) -> None:
        self._uow = uow
        self._clock = clock
        self._entropy = entropy
        self._events = events

    async def __call__(self) -> int:
        """Returns how many deliveries it moved; call again at once when it is not zero."""
        moved: list[Delivery] = []
        async with self._uow() as work:
            now = self._clock.now()
            for abandoned in await work.deliveries.abandoned(_BATCH):
                event = LeaseExpired(past_no_return=abandoned.past_no_return, jitter=self._entropy.fraction())
                after = advance(abandoned.delivery, event, at=now)
                await work.deliveries.save(after)
                await work.deliveries.close_attempt(
                    abandoned.delivery,
                    at=now,
                    in_doubt=abandoned.past_no_return,
                    failure=BROKEN_OFF if abandoned.past_no_return else None,
                )
                moved.append(after)
            overdue = await work.deliveries.overdue(_BATCH)
            # What could not even be tried says why: nobody else will be asked by then.
            for delivery in await with_obstacle(work, overdue, now=now):
                after = advance(delivery, LifetimeOver(), at=now)
                await work.deliveries.save(after)
                moved.append(after)
            await work.commit()
        for after in moved:
            if after.is_settled:
                self._events.delivery_settled(after)
        return len(moved) + await self._catch_up()

    async def _catch_up(self) -> int:
        """Goes on with what settings or a consent have changed for more deliveries than could be changed at once."""
        async with self._uow() as work:
            changed = await work.deliveries.catch_up()
            await work.commit()
        return changed

    async def after_restart(self) -> None:
        """
        Puts right at once what the predecessor of this process left behind, instead of waiting for its leases.

        Only for a process that is alone on its database.
        """
        async with self._uow() as work:
            await work.deliveries.end_leases()
            await work.grants.end_leases()
            await work.commit()
        while await self():
            pass
