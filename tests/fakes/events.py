"""`service.usecases.events.Events`: keeps what it is told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from domain.account import Account
from domain.data_center import Presence
from domain.delivery import Delivery
from domain.failures.failure import Failure
from domain.forecast import Forecast
from domain.reasons import Reason


class FakeEvents:
    """Lists of what was told, in order; `foreseen` is what stands at present."""

    def __init__(self) -> None:
        self.foreseen: Final[dict[Account, tuple[Forecast, ...]]] = {}
        self.announced: Final[list[tuple[Account, Forecast, int]]] = []
        self.refreshed: Final[list[tuple[Account, Failure | None]]] = []
        self.died: Final[list[tuple[Account, Failure]]] = []
        self.consented: Final[list[tuple[Account, Failure | None]]] = []
        self.attempted: Final[list[Delivery]] = []
        self.settled: Final[list[Delivery]] = []
        self.watches: Final[list[tuple[Account, Reason | None]]] = []
        """None: it stands."""
        self.watches_ended: Final[list[tuple[Account, Reason]]] = []
        self.followed = (0, 0)
        """Folders whose watch stands, and broken ones."""
        self.present: tuple[Presence, ...] = ()
        self.missing: Final[list[str]] = []
        self.back: Final[list[str]] = []

    def ends_foreseen(self, account: Account, found: Sequence[Forecast]) -> None:
        self.foreseen[account] = tuple(found)

    def only_accounts(self, accounts: Collection[Account]) -> None:
        for account in set(self.foreseen) - set(accounts):
            del self.foreseen[account]

    def end_announced(self, account: Account, forecast: Forecast, *, days_left: int) -> None:
        self.announced.append((account, forecast, days_left))

    def token_refreshed(self, account: Account, failure: Failure | None) -> None:
        self.refreshed.append((account, failure))

    def grant_died(self, account: Account, failure: Failure) -> None:
        self.died.append((account, failure))

    def consent_ended(self, account: Account, failure: Failure | None) -> None:
        self.consented.append((account, failure))

    def delivery_attempted(self, after: Delivery) -> None:
        self.attempted.append(after)

    def delivery_settled(self, after: Delivery) -> None:
        self.settled.append(after)

    def watch_stands(self, account: Account) -> None:
        self.watches.append((account, None))

    def watch_broke(self, account: Account, reason: Reason) -> None:
        self.watches.append((account, reason))

    def watch_ended(self, account: Account, reason: Reason) -> None:
        self.watches_ended.append((account, reason))

    def folders_followed(self, *, standing: int, broken: int) -> None:
        self.followed = (standing, broken)

    def workers_seen(self, present: Sequence[Presence]) -> None:
        self.present = tuple(present)

    def worker_missing(self, data_center: str) -> None:
        self.missing.append(data_center)

    def worker_back(self, data_center: str) -> None:
        self.back.append(data_center)
