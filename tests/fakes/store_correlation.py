"""`domain.ports.correlation.Correlation` in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from domain.bounce import MOST_BOUNCES, Bounce, is_news

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeCorrelation:
    """Looks through all deliveries of the tenant."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def deliveries_of(self, tenant: str, message_ids: Collection[str]) -> Mapping[str, str]:
        await self._unit.begin("correlation.deliveries_of")
        stored = [each.delivery for (owner, _), each in self._unit.delivery_rows.items() if owner == tenant]
        oldest_first = sorted(stored, key=lambda delivery: delivery.create_time)
        return {each.message_id: each.delivery_id for each in oldest_first if each.message_id in set(message_ids)}

    async def record(self, tenant: str, bounces: Sequence[Bounce]) -> int:
        await self._unit.begin("correlation.record")
        changed = 0
        for bounce in bounces:
            name = tenant, bounce.delivery_id
            key = bounce.address.lower()
            await self._unit.lock(("bounce", *name, key))
            held = self._unit.bounce_rows.get(name, {})
            has_room = key in held or len(held) < MOST_BOUNCES
            if name in self._unit.delivery_rows and has_room and is_news(bounce, held.get(key)):
                self._unit.bounce_rows[name] = {**held, key: bounce}
                changed += 1
        return changed

    async def bounces(self, tenant: str, delivery_id: str) -> tuple[Bounce, ...]:
        await self._unit.begin("correlation.bounces")
        held = self._unit.bounce_rows.get((tenant, delivery_id), {})
        by_key = [held[key] for key in sorted(held)]
        return tuple(sorted(by_key, key=lambda bounce: bounce.report_time, reverse=True))
