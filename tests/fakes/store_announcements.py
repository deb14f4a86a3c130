"""`domain.ports.announcements.Announcements` in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from domain.announcement import Announcement
from domain.forecast import ForecastKind

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeAnnouncements:
    """The configuration is locked by whoever replaces an announcement of it, until its unit ends."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def of(self, tenant: str, configuration_id: str) -> Mapping[ForecastKind, Announcement]:
        await self._unit.begin("announcements.of")
        return self._unit.announcement_rows.get((tenant, configuration_id), {})

    async def replace(
        self,
        tenant: str,
        configuration_id: str,
        kind: ForecastKind,
        *,
        before: Announcement | None,
        after: Announcement | None,
    ) -> bool:
        await self._unit.begin("announcements.replace")
        name = tenant, configuration_id
        await self._unit.lock(("configuration", *name))
        stored = self._unit.announcement_rows.get(name, {})
        if name not in self._unit.configuration_rows or stored.get(kind) != before:
            return False
        others = {other: each for other, each in stored.items() if other is not kind}
        self._unit.announcement_rows[name] = others if after is None else {**others, kind: after}
        return True

    def forget(self, tenant: str, configuration_id: str) -> None:
        """Lets everything go with its configuration."""
        self._unit.announcement_rows.pop((tenant, configuration_id), None)
