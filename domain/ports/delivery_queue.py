"""The queue of deliveries: claimed under leases, recorded, put right by the reaper."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from domain.account import Account
from domain.data_center import Reach
from domain.delivery import Attempt, Delivery
from domain.failures.failure import Failure
from domain.pause import Pause
from domain.settings.model import DataCenterPolicy


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to attempt a delivery; each write under it proves that it still holds."""

    token: str
    """Drawn at random for this claim alone."""
    attempt: int
    """Number of the attempt that it is for, from 1 on."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that a worker may attempt now; its state is SENDING and the attempt is counted."""

    delivery: Delivery
    lease: Lease
    version: int | None = None
    """Of its configuration when it was claimed; None: that is gone."""
    content: bytes | None = None
    """The flattened message, when it is small and opens; None: to be asked for with `Deliveries.content`."""

    @property
    def account(self) -> Account:
        """Returns the account whose lane the attempt takes."""
        return Account(self.delivery.tenant, self.delivery.configuration_id)


Admit = Callable[[Sequence[Claim]], Awaitable[Sequence[Claim]]]
"""Returns those of them that may be tried now; asked within the unit that claims, before anything is taken."""


LARGEST_AT_HAND: Final = 64 * 1024
"""Octets up to which a message comes with its claim; a larger one is read when its attempt begins."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to, to be recorded."""

    claim: Claim
    delivery: Delivery
    """After the attempt."""
    attempt: Attempt
    """Its number and data center are the claim's, whatever stands here."""
    pause: Pause | None = None
    """Pauses the configuration, unless its active revision is another by now."""
    usable_revision: int | None = None
    """The attempt showed that this revision works; a pause of this or an older one is over."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A delivery whose lease ran out: locked until the unit of work ends, to be advanced and saved by the reaper."""

    delivery: Delivery
    """Still SENDING, as the worker left it."""
    past_no_return: bool
    """True: content may have left."""


class DeliveryQueue(Protocol):
    """Deliveries as workers and the reaper take them. Due times and leases are judged by the store's own clock."""

    async def claim(
        self,
        *,
        worker: str,
        lease: timedelta,
        limit: int,
        passing_over: frozenset[Account] = frozenset(),
        only: Account | None = None,
        reach: Reach | None = None,
        tenants_passed_over: frozenset[str] = frozenset(),
        admit: Admit | None = None,
    ) -> tuple[Claim, ...]:
        """
        Takes up to *limit*, at least 1, due, unexpired deliveries, oldest due time first, that no other worker holds.

        Each is advanced by Claimed, gets an attempt record and a fresh lease token, good for *lease* from now.
        *reach*: whose work is taken, None for everybody's; its site is recorded with the attempt.
        *passing_over*: accounts that have all they may have. *only*: of this one alone, unless it is paused.
        *tenants_passed_over*: those that have all they may have.
        *admit* chooses among what was found; what it does not name stays as it was, and is no attempt.
        Small messages come with their content. A configuration with a pause record is passed over until the pause is
        over, and then gives one delivery at a time, the probe, before all others. So is an account whose allowance is
        used up, see `Allowances.save`, however much of it is due.
        """
        ...

    async def renew(self, claim: Claim, *, lease: timedelta) -> None:
        """Prolongs the lease from now. Raises LeaseLost when it no longer holds."""
        ...

    async def renew_all(self, claims: Sequence[Claim], *, lease: timedelta) -> Sequence[bool]:
        """
        Prolongs each lease from now; False where it no longer holds or somebody writes to the delivery just now.

        It waits for nobody, so that it never stands in the way of what is recorded together in another order.
        """
        ...

    async def put_back(self, claims: Sequence[Claim]) -> Sequence[bool]:
        """
        Ends the leases of claims that nobody has begun: each is due at once, as if it had never been claimed.

        The attempt is neither counted nor kept. False where the lease no longer holds, or content may have left.
        """
        ...

    async def progress_all(self, steps: Sequence[Claim | Outcome]) -> Sequence[bool]:
        """
        Takes steps of several attempts, of each delivery one; False where the lease no longer holds.

        A Claim passes its point of no return: content may leave from now on. An Outcome is recorded as `record` does;
        a pause of a revision that another of those recorded shows to work is not made, whatever their order: what was
        refused beside what was taken shows nothing about the configuration.
        """
        ...

    async def record(
        self,
        claim: Claim,
        delivery: Delivery,
        attempt: Attempt,
        *,
        pause: Pause | None = None,
        usable_revision: int | None = None,
    ) -> None:
        """
        Stores what the attempt made of the delivery and ends the lease; signals the change at commit.

        *pause*: pauses the configuration, unless its active revision is another by now. *usable_revision*: the attempt
        showed that this revision works; a pause of this or an older one is over, and what waited for it is due.
        Raises LeaseLost when the lease no longer holds; nothing is overwritten then.
        """
        ...

    async def abandoned(self, limit: int) -> tuple[Abandoned, ...]:
        """Locks up to *limit* deliveries that are SENDING under a lease that ran out."""
        ...

    async def end_leases(self) -> int:
        """
        Lets every lease run out now, so that `abandoned` finds its delivery; returns their number.

        Only for a process that knows itself to be alone on the store, after its predecessor died.
        """
        ...

    async def overdue(self, limit: int) -> tuple[Delivery, ...]:
        """Locks up to *limit* waiting deliveries whose lifetime is over."""
        ...

    async def save(self, delivery: Delivery) -> None:
        """Stores a locked delivery that no worker holds any more; ends whatever lease there was; signals at commit."""
        ...

    async def close_attempt(
        self, delivery: Delivery, *, at: datetime, in_doubt: bool, failure: Failure | None = None
    ) -> None:
        """
        Ends the record of the delivery's last attempt, whose worker can no longer do it; one that has ended stays so.

        *in_doubt*: content may have left. *failure*: what there is to say about it.
        """
        ...

    async def release(self, tenant: str, configuration_id: str) -> int:
        """
        Ends the configuration's pause and its wait for the allowance, makes its HELD and RETRYING deliveries due now.

        In order; returns their number, of very many that of the first: `catch_up` does the rest.

        Deliveries that were QUEUED before the pause are due again with it and are not counted.
        """
        ...

    async def move(self, tenant: str, configuration_id: str, data_center: str, policy: DataCenterPolicy) -> int:
        """
        Makes the configuration's waiting deliveries those of *data_center*; returns how many were another's.

        Of very many it returns the number of the first: `catch_up` does the rest. Signals that work is due at commit
        when there were any; one that is SENDING goes on where it is.
        """
        ...

    async def catch_up(self) -> int:
        """Does some of what `release` and `move` have left; returns how many changed. Call again until it is 0."""
        ...
