"""`domain.ports.workers.Workers` in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from domain.data_center import Presence
from tests.fakes.store import StoredWorker

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork

_REMEMBERED: Final = timedelta(days=1)


class FakeWorkers:
    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def seen(self, name: str, data_center: str, *, lives_for: timedelta) -> None:
        await self._unit.begin("workers.seen")
        for other, stored in list(self._unit.worker_rows.items()):
            if stored.until < self._now - _REMEMBERED:
                del self._unit.worker_rows[other]
        self._unit.worker_rows[name] = StoredWorker(data_center, self._now + lives_for)

    async def leave(self, name: str) -> None:
        await self._unit.begin("workers.leave")
        if (stored := self._unit.worker_rows.get(name)) is not None:
            self._unit.worker_rows[name] = StoredWorker(stored.data_center, min(stored.until, self._now))

    async def present(self) -> tuple[Presence, ...]:
        await self._unit.begin("workers.present")
        known = [stored for stored in self._unit.worker_rows.values() if stored.until > self._now - _REMEMBERED]
        return tuple(
            Presence(
                site,
                sum(stored.until > self._now for stored in known if stored.data_center == site),
                max(self._now - max(stored.until for stored in known if stored.data_center == site), timedelta(0)),
            )
            for site in sorted({stored.data_center for stored in known})
        )

    @property
    def _now(self) -> datetime:
        return self._unit.store.clock.now()
