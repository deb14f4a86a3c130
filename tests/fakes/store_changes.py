"""`domain.ports.changes.Changes` in memory: changes get their numbers when they are committed, so none comes late."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from domain.errors import NotReady
from domain.ports.changes import CURSOR_REMEDY, Change, ChangeFilter, ChangePage
from domain.reasons import Reason

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeChanges:
    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def newest(self) -> int:
        await self._unit.begin("changes.newest")
        return self._unit.store.changes_logged

    async def after(self, tenant: str, where: ChangeFilter, number: int, *, limit: int) -> ChangePage:
        await self._unit.begin("changes.after")
        store = self._unit.store
        if not store.changes_purged <= number <= max(store.changes_logged, 1):
            raise NotReady("The cursor is not kept.", reason=Reason.CURSOR_INVALID, remedy=CURSOR_REMEDY)
        behind = [each for each in store.changes if each.number > number and each.delivery.tenant == tenant]
        seen = behind[:limit]
        has_more = len(seen) == limit
        shown = tuple(
            each
            for each in seen
            if _fits(each, where) and (tenant, each.delivery.delivery_id) in self._unit.delivery_rows
        )
        return ChangePage(shown, seen[-1].number if has_more else max(number, store.changes_logged), has_more)

    async def purge(self, before: datetime, *, limit: int) -> int:
        await self._unit.begin("changes.purge")
        store = self._unit.store
        old = [each.number for each in store.changes[:limit] if each.delivery.update_time < before]
        if not old:
            return 0
        store.changes_purged = max(old)
        kept = [each for each in store.changes if each.number > store.changes_purged]
        purged = len(store.changes) - len(kept)
        store.changes[:] = kept
        return purged


def _fits(change: Change, where: ChangeFilter) -> bool:
    delivery = change.delivery
    return (
        where.configuration_id in ("", delivery.configuration_id)
        and (not where.delivery_ids or delivery.delivery_id in where.delivery_ids)
        and (not where.states or delivery.state in where.states)
    )
