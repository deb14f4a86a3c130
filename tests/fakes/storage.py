"""`domain.ports.storage.UnitOfWork` in memory: changes are the unit's own until it commits."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Final, Self, TypeVar

from domain.account import Account
from domain.allowance import Allowance
from domain.announcement import Announcement
from domain.bounce import Bounce
from domain.errors import Unavailable
from domain.forecast import ForecastKind
from domain.grant import GrantKey
from domain.pause import Pause
from domain.ports.changes import Change
from domain.turns import Place
from tests.fakes.store import (
    FakeStore,
    Name,
    StoredConfiguration,
    StoredConsent,
    StoredConsentRecord,
    StoredDelivery,
    StoredGrant,
    StoredKey,
    StoredPlace,
    StoredWorker,
)
from tests.fakes.store_allowances import FakeAllowances
from tests.fakes.store_announcements import FakeAnnouncements
from tests.fakes.store_changes import FakeChanges
from tests.fakes.store_configurations import FakeConfigurations
from tests.fakes.store_consents import FakeConsents
from tests.fakes.store_correlation import FakeCorrelation
from tests.fakes.store_deliveries import FakeDeliveries
from tests.fakes.store_grants import FakeGrants
from tests.fakes.store_leftovers import FakeLeftovers
from tests.fakes.store_turns import FakeTurns
from tests.fakes.store_workers import FakeWorkers

__all__ = ["FakeStore", "FakeUnitOfWork"]

_Key = TypeVar("_Key", bound=Hashable)
_Row = TypeVar("_Row")


class FakeUnitOfWork:
    """
    One transaction over a `FakeStore`: sees what others have committed meanwhile, and its own changes.

    ``lambda: FakeUnitOfWork(store)`` is what use cases take. Each call gives way to other tasks once, as I/O does.
    """

    def __init__(self, store: FakeStore) -> None:
        self.store = store
        self.configuration_rows: Rows[Name, StoredConfiguration] = Rows(store.configurations)
        self.delivery_rows: Rows[Name, StoredDelivery] = Rows(store.deliveries)
        self.key_rows: Rows[Name, StoredKey] = Rows(store.keys)
        self.consent_rows: Rows[Name, StoredConsent] = Rows(store.consents)
        self.consent_record_rows: Rows[Name, StoredConsentRecord] = Rows(store.consent_records)
        self.grant_rows: Rows[GrantKey, StoredGrant] = Rows(store.grants)
        self.pause_rows: Rows[Name, Pause] = Rows(store.pauses)
        self.allowance_rows: Rows[Name, tuple[Allowance, datetime | None]] = Rows(store.allowances)
        self.share_rows: Rows[Name, Mapping[str, tuple[int, datetime]]] = Rows(store.shares)
        self.turn_rows: Rows[Place, StoredPlace] = Rows(store.turns)
        self.announcement_rows: Rows[Name, Mapping[ForecastKind, Announcement]] = Rows(store.announcements)
        self.worker_rows: Rows[str, StoredWorker] = Rows(store.workers)
        self.bounce_rows: Rows[Name, Mapping[str, Bounce]] = Rows(store.bounces)
        self._tables: Final = (
            self.configuration_rows,
            self.delivery_rows,
            self.key_rows,
            self.consent_rows,
            self.consent_record_rows,
            self.grant_rows,
            self.pause_rows,
            self.allowance_rows,
            self.share_rows,
            self.turn_rows,
            self.announcement_rows,
            self.worker_rows,
            self.bounce_rows,
        )
        self.due = False
        self.changed: list[str] = []
        self.accounts: list[Account] = []
        self.logged: list[Change] = []
        """Changes of state that this unit made; they get their numbers at commit."""
        self._configurations: Final = FakeConfigurations(self)
        self._consents: Final = FakeConsents(self)
        self._grants: Final = FakeGrants(self)
        self._announcements: Final = FakeAnnouncements(self)
        self._allowances: Final = FakeAllowances(self)
        self._turns: Final = FakeTurns(self)
        self._deliveries: Final = FakeDeliveries(self)
        self._changes: Final = FakeChanges(self)
        self._correlation: Final = FakeCorrelation(self)
        self._leftovers: Final = FakeLeftovers(self)
        self._workers: Final = FakeWorkers(self)
        self._is_open = False
        self._is_broken = False

    @property
    def configurations(self) -> FakeConfigurations:
        return self._configurations

    @property
    def consents(self) -> FakeConsents:
        return self._consents

    @property
    def grants(self) -> FakeGrants:
        return self._grants

    @property
    def announcements(self) -> FakeAnnouncements:
        return self._announcements

    @property
    def allowances(self) -> FakeAllowances:
        return self._allowances

    @property
    def turns(self) -> FakeTurns:
        return self._turns

    @property
    def deliveries(self) -> FakeDeliveries:
        return self._deliveries

    @property
    def changes(self) -> FakeChanges:
        return self._changes

    @property
    def correlation(self) -> FakeCorrelation:
        return self._correlation

    @property
    def leftovers(self) -> FakeLeftovers:
        return self._leftovers

    @property
    def workers(self) -> FakeWorkers:
        return self._workers

    async def __aenter__(self) -> Self:
        await asyncio.sleep(0)
        self.store.meet("enter")
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._is_open = False
        self._forget()
        self.store.unlock(self)

    async def commit(self) -> None:
        await self.begin("commit")
        for rows in self._tables:
            rows.write()
        for change in self.logged:
            self.store.changes_logged += 1
            self.store.changes.append(replace(change, number=self.store.changes_logged))
        due, changed, accounts = self.due, self.changed, self.accounts
        self._forget()
        self.store.unlock(self)
        self.store.tell(due=due, changed=changed, accounts=accounts)
        self.store.meet("commit", afterwards=True)
        await asyncio.sleep(0)  # others run before the answer is here, and whoever waits for it may be cancelled

    async def begin(self, operation: str) -> None:
        """Starts a call: lets others run, meets the planned fault. A unit whose store was away is of no more use."""
        if not self._is_open:
            raise RuntimeError("this unit of work is not entered")
        await asyncio.sleep(0)
        try:
            if self._is_broken:
                raise Unavailable("The connection to the store was lost.")
            self.store.meet(operation)
        except Unavailable:
            self._is_broken = True
            self._forget()
            raise

    async def lock(self, record: Hashable) -> None:
        """Waits for a record and holds it until the unit ends."""
        await self.store.lock(record, holder=self)

    def may_lock(self, record: Hashable) -> bool:
        """Tells whether no other unit holds the record."""
        return not self.store.is_locked(record, by_others_than=self)

    def _forget(self) -> None:
        for rows in self._tables:
            rows.forget()
        self.due, self.changed, self.logged, self.accounts = False, [], [], []


class Rows(MutableMapping[_Key, _Row]):
    """A table as one unit of work sees it: the committed rows below its own changes."""

    def __init__(self, committed: dict[_Key, _Row]) -> None:
        self._committed = committed
        self._changes: dict[_Key, _Row | None] = {}

    def __getitem__(self, name: _Key) -> _Row:
        row = self._changes[name] if name in self._changes else self._committed[name]
        if row is None:
            raise KeyError(name)
        return row

    def __setitem__(self, name: _Key, row: _Row) -> None:
        self._changes[name] = row

    def __delitem__(self, name: _Key) -> None:
        if name not in self:
            raise KeyError(name)
        self._changes[name] = None

    def __iter__(self) -> Iterator[_Key]:
        names = dict.fromkeys((*self._committed, *self._changes))
        return (name for name in names if self._changes.get(name, True) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def write(self) -> None:
        """Brings the changes into the committed rows."""
        for name, row in self._changes.items():
            if row is None:
                self._committed.pop(name, None)
            else:
                self._committed[name] = row
        self._changes.clear()

    def forget(self) -> None:
        """Drops the changes."""
        self._changes.clear()
