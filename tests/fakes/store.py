"""What is stored, who has locked it, and what goes wrong next."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.account import Account
from domain.allowance import Allowance
from domain.announcement import Announcement
from domain.bounce import Bounce
from domain.configuration import Configuration
from domain.consent import ConsentRecord, ConsentSession
from domain.delivery import Attempt, Delivery
from domain.errors import Overloaded, Unavailable
from domain.forecast import ForecastKind
from domain.grant import Grant, GrantKey
from domain.pause import Pause
from domain.ports.acceptance import IdempotencyRecord
from domain.ports.changes import Change
from domain.ports.vault import Place, Vault
from domain.turns import Place as TurnPlace
from tests.fakes.environment import FakeClock
from tests.fakes.signals import FakeSignals
from tests.fakes.vault import FakeVault

_LOCK_SECONDS: Final = 2

Name = tuple[str, str]
"""Tenant and id."""


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    """A configuration without its secrets, and what was sealed of them, by revision and field."""

    configuration: Configuration
    sealed: Mapping[tuple[int, str], bytes]


@dataclass(frozen=True, slots=True)
class StoredLease:
    """Who holds a delivery, and until when."""

    token: str
    worker: str
    until: datetime
    past_no_return: bool = False


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery with what belongs to it; `content` is sealed, None when it was shredded."""

    delivery: Delivery
    content: bytes | None
    attempts: tuple[Attempt, ...] = ()
    lease: StoredLease | None = None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An idempotency key and the delivery under it."""

    record: IdempotencyRecord
    delivery_id: str


@dataclass(frozen=True, slots=True)
class StoredConsent:
    """A consent session without its verifier, and what was sealed of it; its name is tenant and state digest in hex."""

    session: ConsentSession
    verifier: bytes


@dataclass(frozen=True, slots=True)
class StoredConsentRecord:
    """How a configuration's latest session stands, and which one that is."""

    record: ConsentRecord
    state_digest: bytes


@dataclass(frozen=True, slots=True)
class StoredRefreshLease:
    """Who refreshes a grant, and until when."""

    token: str
    until: datetime


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant without its tokens, and what was sealed of them: by field."""

    grant: Grant
    sealed: Mapping[str, bytes]
    lease: StoredRefreshLease | None = None


@dataclass(frozen=True, slots=True)
class StoredWorker:
    """Where a worker is, and until when it lives."""

    data_center: str
    until: datetime


@dataclass(frozen=True, slots=True)
class StoredPlace:
    """Tickets at a mailbox in the order of their coming, each with the end of its lease."""

    tickets: tuple[tuple[str, datetime], ...] = ()
    rest_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Fault:
    error: Exception
    afterwards: bool


class FakeStore:
    """
    The committed state that `FakeUnitOfWork`s share.

    `clock` judges due times and leases, `vault` seals (give another one to lose keys), `signals` hears of commits.
    While `away` is true, every call raises Unavailable.
    """

    def __init__(
        self, *, clock: FakeClock | None = None, vault: Vault | None = None, signals: FakeSignals | None = None
    ) -> None:
        self.clock = clock or FakeClock()
        self.vault = vault or FakeVault()
        self.signals = signals or FakeSignals(clock=self.clock)
        self.away = False
        self.configurations: dict[Name, StoredConfiguration] = {}
        self.deliveries: dict[Name, StoredDelivery] = {}
        self.keys: dict[Name, StoredKey] = {}
        self.consents: dict[Name, StoredConsent] = {}
        self.consent_records: dict[Name, StoredConsentRecord] = {}
        self.grants: dict[GrantKey, StoredGrant] = {}
        self.pauses: dict[Name, Pause] = {}
        self.allowances: dict[Name, tuple[Allowance, datetime | None]] = {}
        """With the time until which the account's deliveries are passed over."""
        self.shares: dict[Name, Mapping[str, tuple[int, datetime]]] = {}
        """Connections by worker, and until when."""
        self.turns: dict[TurnPlace, StoredPlace] = {}
        self.announcements: dict[Name, Mapping[ForecastKind, Announcement]] = {}
        self.bounces: dict[Name, Mapping[str, Bounce]] = {}
        """By address in lower case."""
        self.workers: dict[str, StoredWorker] = {}
        self.changes: list[Change] = []
        """The log, oldest first."""
        self.changes_logged = 0
        self.changes_purged = 0
        """The number of the last change that was purged."""
        self.leases_given = 0
        self._heard_by: list[FakeSignals] = []
        self._faults: dict[str, deque[_Fault]] = defaultdict(deque)
        self._locks: dict[Hashable, object] = {}
        self._unlocked = asyncio.Event()

    def fail_next(self, operation: str, error: Exception | None = None, *, afterwards: bool = False) -> None:
        """
        Lets the next *operation* raise *error*, by default Unavailable; several are met in order.

        Operations are ``enter``, ``commit`` and repository calls such as ``deliveries.record``. *afterwards*, for
        ``commit``: everything is stored, and only the answer is lost.
        """
        self._faults[operation].append(_Fault(error or _away(), afterwards))

    def also_signals(self, signals: FakeSignals) -> FakeSignals:
        """Lets *signals*, as of another process, hear of commits too."""
        self._heard_by.append(signals)
        return signals

    def delivery(self, delivery_id: str) -> Delivery:
        """Returns a committed delivery of whatever tenant; KeyError when there is none."""
        return self._stored(delivery_id).delivery

    def attempts(self, delivery_id: str) -> tuple[Attempt, ...]:
        """Returns a committed delivery's attempts."""
        return self._stored(delivery_id).attempts

    def content(self, delivery_id: str) -> bytes:
        """Returns a committed delivery's content, opened."""
        stored = self._stored(delivery_id)
        if stored.content is None:
            raise KeyError(delivery_id)
        return self.vault.open(stored.content, place=content_place(stored.delivery))

    def shred(self, delivery_id: str) -> None:
        """Removes a delivery's content."""
        stored = self._stored(delivery_id)
        self.deliveries[stored.delivery.tenant, delivery_id] = StoredDelivery(
            stored.delivery, None, stored.attempts, stored.lease
        )

    def meet(self, operation: str, *, afterwards: bool = False) -> None:
        """Raises what was planned for *operation*, or Unavailable while away; for the units of work."""
        if self.away:
            raise _away()
        faults = self._faults[operation]
        if faults and faults[0].afterwards is afterwards:
            raise faults.popleft().error

    def is_locked(self, record: Hashable, *, by_others_than: object) -> bool:
        """Tells whether another unit of work holds *record*."""
        return self._locks.get(record, by_others_than) is not by_others_than

    async def lock(self, record: Hashable, *, holder: object) -> None:
        """Waits for *record* and holds it until `unlock`; raises Overloaded after two seconds."""
        try:
            async with asyncio.timeout(_LOCK_SECONDS):
                while self.is_locked(record, by_others_than=holder):
                    await self._unlocked.wait()
        except TimeoutError:
            raise Overloaded("The store is too busy with other work to answer in time.") from None
        self._locks[record] = holder

    def unlock(self, holder: object) -> None:
        """Lets go of all that *holder* holds."""
        self._locks = {record: other for record, other in self._locks.items() if other is not holder}
        self._unlocked.set()
        self._unlocked = asyncio.Event()

    def tell(self, *, due: bool, changed: list[str], accounts: list[Account]) -> None:
        """Lets the signals of a commit out."""
        for signals in (self.signals, *self._heard_by):
            if due:
                signals.raise_due()
            for delivery_id in changed:
                signals.raise_changed(delivery_id)
            for account in accounts:
                signals.raise_account(account)

    def _stored(self, delivery_id: str) -> StoredDelivery:
        return next(stored for (_, name), stored in self.deliveries.items() if name == delivery_id)


def content_place(delivery: Delivery) -> Place:
    """Where a delivery's content is sealed."""
    return Place(tenant=delivery.tenant, record=f"delivery/{delivery.delivery_id}", field="content")


def _away() -> Unavailable:
    return Unavailable("The store does not answer.")
