"""What keeps the allowances of accounts, for all processes together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.account import Account
from domain.allowance import Allowance


@dataclass(frozen=True, slots=True)
class StoredAllowance:
    """An allowance as it is stored."""

    allowance: Allowance
    now: datetime
    """The instant of the store's own clock, by which all that is in it is judged."""
    wait_until: datetime | None = None
    """Until then the account's deliveries are passed over, see `Allowances.save`."""


class Allowances(Protocol):
    """
    Allowances of accounts that have limits or are lowered; others have none, and cost nothing.

    An allowance stays when its configuration is set up anew, since the provider's count does not begin anew either; it
    goes with the configuration.
    """

    async def lock(self, account: Account) -> StoredAllowance:
        """
        Returns the account's allowance locked until the unit of work ends; a fresh one if it had none.

        Whoever locks several goes by tenant and id, so that no two wait for each other.
        """
        ...

    async def save(self, account: Account, allowance: Allowance, *, wait_until: datetime | None = None) -> None:
        """
        Stores a locked allowance.

        *wait_until*: `Deliveries.claim` passes the account over until then, or until it is released. Its deliveries
        stay as they are, however many there are.
        """
        ...

    async def of(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, StoredAllowance]:
        """Returns the allowances of those configurations that have one, by id, unlocked."""
        ...

    async def lowered(self) -> frozenset[Account]:
        """Returns the accounts whose allowance throttling answers have lowered and that is not whole again."""
        ...

    async def share(self, account: Account, *, worker: str, wanted: int, most: int, lease: timedelta) -> int:
        """
        Gives *worker* up to *wanted*, at least 1, connections of the account for *lease* from now, in place of its own.

        Never more than *most* for all workers together, leases that ran out aside. Returns how many; 0 when all are
        taken. The account's allowance must be locked by the unit.
        """
        ...

    async def end_share(self, account: Account, *, worker: str) -> None:
        """Gives the worker's connections back."""
        ...
