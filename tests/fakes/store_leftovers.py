"""`domain.ports.retention.Leftovers` in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from domain.delivery import DeliveryState
from tests.fakes.store import Name, StoredDelivery

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeLeftovers:
    """Passes over what another unit of work has locked, as PostgreSQL does."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def shred_contents(self, ended_before: datetime, *, limit: int) -> int:
        await self._unit.begin("leftovers.shred_contents")
        old = self._ended(ended_before, lambda stored: stored.content is not None)[:limit]
        for name in old:
            await self._unit.lock(name)
            self._unit.delivery_rows[name] = replace(self._unit.delivery_rows[name], content=None)
        return len(old)

    async def forget_deliveries(self, ended_before: datetime, *, limit: int) -> int:
        await self._unit.begin("leftovers.forget_deliveries")
        old = [*self._ended(ended_before, lambda stored: stored.content is None), *self._undecided(ended_before)]
        old = [name for name in old if not self._has_live_key(name)][:limit]
        for name in old:
            await self._unit.lock(name)
            del self._unit.delivery_rows[name]
            self._unit.bounce_rows.pop(name, None)
            for key in [key for key, stored in self._unit.key_rows.items() if (key[0], stored.delivery_id) == name]:
                del self._unit.key_rows[key]
        return len(old)

    async def forget_keys(self, *, limit: int) -> int:
        await self._unit.begin("leftovers.forget_keys")
        now = self._unit.store.clock.now()
        expired = sorted(
            (stored.record.expire_time, name)
            for name, stored in self._unit.key_rows.items()
            if stored.record.expire_time <= now and self._unit.may_lock(("key", *name))
        )[:limit]
        for _, name in expired:
            await self._unit.lock(("key", *name))
            del self._unit.key_rows[name]
        return len(expired)

    def _ended(self, before: datetime, choose: Callable[[StoredDelivery], bool]) -> list[Name]:
        found = [
            (stored.delivery.final_time, name)
            for name, stored in self._unit.delivery_rows.items()
            if stored.delivery.final_time is not None and stored.delivery.final_time < before
            if choose(stored) and self._unit.may_lock(name)
        ]
        return [name for _, name in sorted(found)]

    def _undecided(self, before: datetime) -> list[Name]:
        found = [
            (delivery.update_time, name)
            for name, stored in self._unit.delivery_rows.items()
            if (delivery := stored.delivery).state is DeliveryState.IN_DOUBT and delivery.next_attempt_time is None
            if delivery.update_time < before and self._unit.may_lock(name)
        ]
        return [name for _, name in sorted(found)]

    def _has_live_key(self, name: Name) -> bool:
        now = self._unit.store.clock.now()
        return any(
            (key[0], stored.delivery_id) == name and stored.record.expire_time > now
            for key, stored in self._unit.key_rows.items()
        )
