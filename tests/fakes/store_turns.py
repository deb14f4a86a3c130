"""`domain.ports.turns.TurnBook` in memory."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from domain.turns import LONGEST_REST, Place, TurnTold
from tests.fakes.store import StoredPlace

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeTurns:
    """Judged by the store's clock; a place is locked by whoever asks first, until its unit ends."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def ask(self, place: Place, *, ticket: str, most: int, lease: timedelta) -> TurnTold:
        found, now = await self._locked(place, "turns.ask"), self._now
        there = [(name, until) for name, until in found.tickets if until > now or name == ticket]
        if ticket not in [name for name, _ in there]:
            there.append((ticket, now))
        tickets = tuple((name, now + lease if name == ticket else until) for name, until in there)
        self._unit.turn_rows[place] = StoredPlace(tickets, found.rest_until)
        before = [name for name, _ in tickets].index(ticket)
        rests = found.rest_until is not None and found.rest_until > now
        return TurnTold(not rests and before < most, now=now, rest_until=found.rest_until if rests else None)

    async def resting(self, place: Place) -> timedelta:
        await self._unit.begin("turns.resting")
        until = self._unit.turn_rows.get(place, StoredPlace()).rest_until
        return max(timedelta(0), until - self._now) if until is not None else timedelta(0)

    async def leave(self, place: Place, *, ticket: str) -> None:
        found = await self._locked(place, "turns.leave")
        tickets = tuple(each for each in found.tickets if each[0] != ticket)
        self._unit.turn_rows[place] = StoredPlace(tickets, found.rest_until)

    async def rest(self, place: Place, *, wait: timedelta) -> datetime:
        found, until = await self._locked(place, "turns.rest"), self._now + min(wait, LONGEST_REST)
        until = max(until, found.rest_until or until)
        self._unit.turn_rows[place] = StoredPlace(found.tickets, until)
        return until

    async def _locked(self, place: Place, operation: str) -> StoredPlace:
        await self._unit.begin(operation)
        await self._unit.lock(("turns", place))
        return self._unit.turn_rows.get(place, StoredPlace())

    @property
    def _now(self) -> datetime:
        return self._unit.store.clock.now()
