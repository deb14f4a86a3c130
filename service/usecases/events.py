"""What use cases tell the operator; how it is told, in log lines and metrics, is for whoever listens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from domain.account import Account
from domain.data_center import Presence
from domain.delivery import Delivery
from domain.failures.failure import Failure
from domain.forecast import Forecast
from domain.reasons import Reason


class Events(Protocol):
    """
    Things that happened, each told once, by whoever stored it and after the commit.

    The calls come at once and never fail. Nothing is told that holds a secret, an address or content.
    """

    def ends_foreseen(self, account: Account, found: Sequence[Forecast]) -> None:
        """Tells all the ends that are foreseen for a configuration now, in the place of those told before."""
        ...

    def only_accounts(self, accounts: Collection[Account]) -> None:
        """Tells that all configurations were gone through: of the others nothing is foreseen any more."""
        ...

    def end_announced(self, account: Account, forecast: Forecast, *, days_left: int) -> None:
        """Warns of an end that has come within a threshold; *days_left* are begun days, 0 or less when it is past."""
        ...

    def token_refreshed(self, account: Account, failure: Failure | None) -> None:
        """Tells how asking the token endpoint ended, as soon as it has answered; None: with tokens."""
        ...

    def grant_died(self, account: Account, failure: Failure) -> None:
        """Tells that only a new consent helps (REAUTHORIZATION_REQUIRED), beside the refresh that found it out."""
        ...

    def consent_ended(self, account: Account, failure: Failure | None) -> None:
        """Tells how a consent session ended; None: authorized."""
        ...

    def delivery_attempted(self, after: Delivery) -> None:
        """Tells how a delivery stands after an attempt."""
        ...

    def delivery_settled(self, after: Delivery) -> None:
        """Tells of a delivery that came to its end without another attempt, its lifetime being over as a rule."""
        ...

    def watch_stands(self, account: Account) -> None:
        """Tells that a folder of a mailbox is followed from now on, or again."""
        ...

    def watch_broke(self, account: Account, reason: Reason) -> None:
        """Tells that the connection which follows a folder has ended; another one is tried."""
        ...

    def watch_ended(self, account: Account, reason: Reason) -> None:
        """Tells that a folder is followed no more, and all its watches end, since that cannot go on."""
        ...

    def folders_followed(self, *, standing: int, broken: int) -> None:
        """Tells how many folders are followed now, and how many are to be and have no connection."""
        ...

    def workers_seen(self, present: Sequence[Presence]) -> None:
        """Tells how many workers live at each site, in the place of what was told before."""
        ...

    def worker_missing(self, data_center: str) -> None:
        """Tells that a site has been without a live worker for a while; empty: there is none at all."""
        ...

    def worker_back(self, data_center: str) -> None:
        """Tells that a site of which `worker_missing` was told has a live worker again; empty: there is one at all."""
        ...
