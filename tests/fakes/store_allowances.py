"""`domain.ports.allowances.Allowances` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from domain.account import Account
from domain.allowance import Allowance
from domain.ports.allowances import StoredAllowance
from tests.fakes.store import Name

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeAllowances:
    """Judged by the store's clock; locked by whoever asks first, until its unit ends."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def lock(self, account: Account) -> StoredAllowance:
        await self._unit.begin("allowances.lock")
        await self._unit.lock(("allowance", account))
        allowance, wait_until = self._unit.allowance_rows.get(_name(account), (Allowance(), None))
        return StoredAllowance(allowance, now=self._now, wait_until=wait_until)

    async def save(self, account: Account, allowance: Allowance, *, wait_until: datetime | None = None) -> None:
        await self._unit.begin("allowances.save")
        self._unit.allowance_rows[_name(account)] = allowance, wait_until

    async def of(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, StoredAllowance]:
        await self._unit.begin("allowances.of")
        return {
            name: StoredAllowance(row[0], now=self._now, wait_until=row[1])
            for name in configuration_ids
            if (row := self._unit.allowance_rows.get((tenant, name))) is not None
        }

    async def lowered(self) -> frozenset[Account]:
        await self._unit.begin("allowances.lowered")
        return frozenset(
            Account(*name)
            for name, (allowance, _) in self._unit.allowance_rows.items()
            if allowance.lower_time is not None
        )

    async def share(self, account: Account, *, worker: str, wanted: int, most: int, lease: timedelta) -> int:
        await self._unit.begin("allowances.share")
        held = self._unit.share_rows.get(_name(account), {})
        others = {name: each for name, each in held.items() if name != worker and each[1] > self._now}
        connections = max(0, min(wanted, most - sum(number for number, _ in others.values())))
        mine = {worker: (connections, self._now + lease)} if connections else {}
        self._unit.share_rows[_name(account)] = {**others, **mine}
        return connections

    async def end_share(self, account: Account, *, worker: str) -> None:
        await self._unit.begin("allowances.end_share")
        held = self._unit.share_rows.get(_name(account), {})
        self._unit.share_rows[_name(account)] = {name: each for name, each in held.items() if name != worker}

    def is_waiting(self, name: Name) -> bool:
        """Tells whether the account waits for its allowance."""
        _, wait_until = self._unit.allowance_rows.get(name, (None, None))
        return wait_until is not None and wait_until > self._now

    def wait_no_more(self, name: Name) -> bool:
        """Lets the account's deliveries be claimed again; tells whether it had waited."""
        allowance, wait_until = self._unit.allowance_rows.get(name, (Allowance(), None))
        if wait_until is not None:
            self._unit.allowance_rows[name] = allowance, None
        return wait_until is not None

    def forget(self, tenant: str, configuration_id: str) -> None:
        """Lets everything go with its configuration."""
        self._unit.allowance_rows.pop((tenant, configuration_id), None)
        self._unit.share_rows.pop((tenant, configuration_id), None)

    @property
    def _now(self) -> datetime:
        return self._unit.store.clock.now()


def _name(account: Account) -> Name:
    return account.tenant, account.configuration_id
