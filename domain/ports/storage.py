"""What keeps configurations, consents, grants, announcements and deliveries: one unit of work, all or nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Protocol, Self

from domain.account import Account
from domain.announcement import Announcement
from domain.configuration import Configuration
from domain.consent import ConsentRecord, ConsentSession
from domain.data_center import Presence, Reach
from domain.delivery import Attempt, Claimed, Delivery, DeliveryState, advance
from domain.failures.failure import Failure
from domain.forecast import ForecastKind
from domain.grant import Grant, GrantKey
from domain.pause import Pause
from domain.ports.allowances import Allowances
from domain.ports.changes import Changes
from domain.ports.retention import Leftovers
from domain.settings.model import DataCenterPolicy


class Configurations(Protocol):
    """The configurations of all tenants; each call names the tenant, and sees no other's."""

    async def find(self, tenant: str, configuration_id: str) -> Configuration | None:
        """
        Returns the configuration with its secrets opened, or None.

        A secret that does not open comes as an UnreadableSecret; the rest of the settings is there all the same.
        """
        ...

    async def lock(self, tenant: str, configuration_id: str) -> Configuration | None:
        """Returns the configuration as `find` does, locked until the unit of work ends."""
        ...

    async def page(self, tenant: str, *, after: str, limit: int) -> tuple[Configuration, ...]:
        """Returns up to *limit* configurations with ids above *after* ("" for the first), by id."""
        ...

    async def with_oauth(self, *, after: Account | None, limit: int) -> tuple[Account, ...]:
        """
        Returns up to *limit* configurations of all tenants that sign in with OAuth, by tenant and id above *after*.

        Those whose active revision does, or whose draft while nothing is active.
        """
        ...

    async def add(self, configuration: Configuration) -> None:
        """Stores a new configuration. Raises ConcurrentChange when the id is taken meanwhile."""
        ...

    async def save(self, configuration: Configuration, *, expected_version: int) -> None:
        """
        Replaces the stored configuration, secrets sealed; retired revisions and their secrets are gone.

        Raises ConcurrentChange when the stored version is not *expected_version*, or the configuration is gone.
        """
        ...

    async def delete(self, tenant: str, configuration_id: str, *, expected_version: int) -> None:
        """
        Deletes it with its secrets, grant, pause, allowance and consent sessions; deliveries keep their record.

        Raises ConcurrentChange when the stored version is not *expected_version*.
        """
        ...

    async def pauses(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, Pause]:
        """
        Returns the pause records of those configurations that have one, by id.

        A record stands until an attempt succeeds or the configuration is released, also when its time is over; while a
        delivery probes, its `until` is the end of that delivery's first lease.
        """
        ...


__all__ = [
    "Abandoned",
    "Accepted",
    "Account",
    "Admit",
    "Allowances",
    "Announcements",
    "Claim",
    "Configurations",
    "Consents",
    "Deliveries",
    "DeliveryFilter",
    "DeliveryPosition",
    "Grants",
    "IdempotencyRecord",
    "Lease",
    "NewDelivery",
    "Outcome",
    "RefreshLease",
    "UnitOfWork",
]


@dataclass(frozen=True, slots=True)
class IdempotencyRecord:
    """What a key stands for (rule 10)."""

    key: str
    """1 to 255 printable ASCII characters, unique within the tenant."""
    content_digest: bytes
    """Keyed hash over the named fields of the request."""
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The delivery that stands under an idempotency key."""

    delivery: Delivery
    content_digest: bytes
    """Of the request that was accepted first."""
    is_replay: bool
    """True: it was there before."""
    claim: Claim | None = None
    """Set when it was stored under the lease that `NewDelivery.take` asked for: its first attempt is the caller's."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to attempt a delivery; each write under it proves that it still holds."""

    token: str
    attempt: int


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
class Take:
    """Asks for a lease together with the acceptance: the worker named will make the first attempt."""

    token: str
    """Of the lease; drawn at random for this delivery alone."""
    worker: str
    lease: timedelta
    data_center: str = ""
    """Where the worker is; empty: at no named site."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """What is to be accepted."""

    delivery: Delivery
    content: bytes
    """The flattened message."""
    key: IdempotencyRecord | None = None
    version: int | None = None
    """Of the configuration that it was made for; None: not to be compared."""
    take: Take | None = None
    """None: it waits until it is claimed."""
    is_awaited: bool = False
    """Whether the worker of this process claims it as soon as it can: nobody else has to be told that it is due."""


def claim_at_once(new: NewDelivery) -> Claim:
    """Returns the claim on what was stored under the lease that its `take` asked for, which there is."""
    assert new.take is not None
    delivery = advance(new.delivery, Claimed(new.take.data_center), at=new.delivery.update_time)
    lease = Lease(token=new.take.token, attempt=delivery.attempt_count)
    content = new.content if len(new.content) <= LARGEST_AT_HAND else None
    return Claim(delivery, lease, version=new.version, content=content)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt came to, to be recorded."""

    claim: Claim
    delivery: Delivery
    """After the attempt."""
    attempt: Attempt
    pause: Pause | None = None
    """Pauses the configuration, unless its active revision is another by now."""
    usable_revision: int | None = None
    """The attempt showed that this revision works; a pause of this or an older one is over."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A delivery whose lease ran out: locked until the unit of work ends, to be advanced and saved by the reaper."""

    delivery: Delivery
    past_no_return: bool


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries a list holds; empty fields do not filter."""

    configuration_id: str = ""
    states: frozenset[DeliveryState] = frozenset()
    created_from: datetime | None = None
    """Inclusive."""
    created_before: datetime | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class DeliveryPosition:
    """Where a page ended: lists run from the newest down, by create time and id."""

    create_time: datetime
    delivery_id: str


class Deliveries(Protocol):
    """Accepted messages on their way. Due times and leases are judged by the store's own clock."""

    async def accept(self, delivery: Delivery, content: bytes, key: IdempotencyRecord | None) -> Accepted:
        """
        Stores the delivery, its sealed content and its key, all or nothing; signals that work is due at commit.

        When a live key is taken, stores nothing and returns what stands under it; of any number of concurrent callers
        one is the first. An expired key is free again.
        """
        ...

    async def accept_all(self, batch: Sequence[NewDelivery]) -> Sequence[Accepted | None]:
        """
        Accepts each as `accept` does, in order, in as few statements as can be.

        None for one whose configuration has another version by now, or is gone: nothing of it is stored.
        One with a `take` is stored as if it had been claimed at once, SENDING with its first attempt counted, unless
        its configuration is paused: then it waits like the others, and has no claim. Work is due for others, and
        signalled, only where something waits.
        """
        ...

    async def accepted(self, tenant: str, key: str) -> Accepted | None:
        """Returns what stands under a live idempotency key, or None."""
        ...

    async def find(self, tenant: str, delivery_id: str) -> Delivery | None:
        """Returns the delivery, or None; an id that is not one of ours is None too."""
        ...

    async def attempts(self, tenant: str, delivery_id: str) -> tuple[Attempt, ...]:
        """Returns the attempts in order, at most the last 50."""
        ...

    async def page(
        self, tenant: str, where: DeliveryFilter, *, after: DeliveryPosition | None, limit: int
    ) -> tuple[Delivery, ...]:
        """Returns up to *limit* deliveries, newest first, below *after*."""
        ...

    async def content(self, delivery: Delivery) -> bytes:
        """
        Returns the flattened message.

        Raises SecretUnreadable when it does not open, NotFound when it was shredded.
        """
        ...

    async def has_content(self, delivery: Delivery) -> bool:
        """Tells whether the message is still stored; it stays so until the unit of work ends."""
        ...

    async def keep_key(self, delivery: Delivery, until: datetime) -> None:
        """Keeps the live idempotency key that stands for the delivery, if there is one, until *until* at least."""
        ...

    async def claim(
        self,
        *,
        worker: str,
        lease: timedelta,
        limit: int,
        data_centers: tuple[str, ...] = (),
        passing_over: frozenset[Account] = frozenset(),
        only: Account | None = None,
        reach: Reach | None = None,
        tenants_passed_over: frozenset[str] = frozenset(),
        admit: Admit | None = None,
    ) -> tuple[Claim, ...]:
        """
        Takes up to *limit* due, unexpired deliveries, oldest due time first, that no other worker holds.

        Each is advanced by Claimed, gets an attempt record and a fresh lease token. *data_centers*: only work for these
        sites or for any; empty takes all. *reach*: in their place, whose work is taken; its site is recorded with the
        attempt. *passing_over*: accounts that have all they may have;
        *only*: of this one alone, unless it is paused. *tenants_passed_over*: those that have all they may have.
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

    async def pass_no_return(self, claim: Claim) -> None:
        """Marks that content may leave from now on. Raises LeaseLost when the lease no longer holds."""
        ...

    async def pass_no_return_all(self, claims: Sequence[Claim]) -> Sequence[bool]:
        """Marks each as `pass_no_return` does; False where the lease no longer holds."""
        ...

    async def record_all(self, outcomes: Sequence[Outcome]) -> Sequence[bool]:
        """Records each as `record` does; False where the lease no longer holds."""
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

    async def lock(self, tenant: str, delivery_id: str) -> Delivery | None:
        """Returns the delivery locked until the unit of work ends, or None."""
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


class Consents(Protocol):
    """Consent sessions that wait for their user, and how each configuration's latest one ended."""

    async def add(self, session: ConsentSession) -> None:
        """
        Stores a session, its verifier sealed; it is the configuration's latest from now on, and others stay valid.

        Raises ConcurrentChange when the configuration is gone.
        """
        ...

    async def take(self, state_digest: bytes, *, tenant: str | None) -> ConsentSession | None:
        """
        Removes the session and returns it; of any number of callers one gets it, once it commits.

        *tenant*: only a session of this tenant; None, for the browser's callback, which has no credential: of any.
        Returns None when there is none such. One that has expired comes all the same: the caller says so. A verifier
        that does not open comes as an UnreadableSecret.
        """
        ...

    async def abandon(self, tenant: str, configuration_id: str) -> int:
        """
        Removes the configuration's sessions that wait for their user; returns their number.

        A latest one that was PENDING or AUTHORIZED is forgotten, as nothing comes of it any more; a REFUSED one stays.
        """
        ...

    async def conclude(self, session: ConsentSession, failure: Failure | None) -> None:
        """Records how a session that was taken ended; nothing when a later one has been started meanwhile."""
        ...

    async def latest(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, ConsentRecord]:
        """
        Returns the latest session of each configuration, as recorded (see `domain.consent.standing`), by id.

        Configurations for which none was ever started are left out.
        """
        ...

    async def ended(self, state_digest: bytes) -> ConsentRecord | None:
        """
        Returns how the session of that state ended, of any tenant: for the browser, whose credential the state is.

        None when there is none such, when it has not ended, or when it is not its configuration's latest any more.
        """
        ...

    async def purge_expired(self, before: datetime) -> int:
        """Removes the sessions that expired before *before*; returns their number."""
        ...


@dataclass(frozen=True, slots=True)
class RefreshLease:
    """The right to refresh one generation of a grant."""

    token: str
    in_doubt: bool
    """True: the grant is REFRESH_IN_DOUBT, so the stored refresh token may have been used up already."""


class Grants(Protocol):
    """The grants, few a configuration (see `domain.grant.superseded`); refresh and access tokens are sealed."""

    async def of(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, tuple[Grant, ...]]:
        """
        Returns the grants of those configurations that have any, by configuration id; the latest consent first.

        A refresh token that does not open comes as an UnreadableSecret; an access token that does not is left out.
        """
        ...

    async def find(self, key: GrantKey) -> Grant | None:
        """Returns the grant, as `of` does, or None."""
        ...

    async def save(self, grant: Grant, *, expected_generation: int, lease: RefreshLease | None = None) -> None:
        """
        Stores the grant in place of its *expected_generation* (0: it is new), and ends any lease on it.

        Generation alone decides, not the lease: whoever holds a newer pair may store it however late, as long as nobody
        has stored one before (P11). A `grant.generation` equal to the expected one changes its state only.
        *lease*: stored only as long as nobody else has taken the lease since, for what is no newer pair.
        Raises ConcurrentChange when another generation, or no grant, is stored, or the configuration is gone;
        SecretUnreadable when the grant's refresh token is an UnreadableSecret, so that none is overwritten.
        """
        ...

    async def delete(self, key: GrantKey) -> bool:
        """Deletes the grant with its tokens; False when there was none."""
        ...

    async def lease_refresh(self, key: GrantKey, *, generation: int, lease: timedelta) -> RefreshLease | None:
        """
        Gives the right to refresh to one caller across all processes, from commit on and for *lease*.

        Returns None when somebody else has it, the stored generation is another, or the grant is gone or dead. When a
        former holder let its lease lapse, it may have posted the refresh token and never stored the answer: the grant
        is REFRESH_IN_DOUBT from now on (P12). Time is the store's own.
        """
        ...

    async def holds(self, key: GrantKey, lease: RefreshLease) -> bool:
        """Tells whether *lease* is the last one that was given for the grant, and not ended."""
        ...

    async def is_shared(self, grant: Grant) -> bool:
        """
        Tells whether another living grant, of any configuration, rests on the same client, endpoint and user name.

        A provider such as Google ends all of them together.
        """
        ...

    async def end_lease(self, key: GrantKey, lease: RefreshLease) -> None:
        """Gives a lease up after a definite answer, or when nothing was sent; nothing when it no longer holds."""
        ...

    async def end_leases(self) -> int:
        """
        Lets every lease run out now, as if its holder had died; returns their number.

        Only for a process that knows itself to be alone on the store, after its predecessor died.
        """
        ...

    async def due_for_keeping(self, before: datetime, limit: int) -> tuple[GrantKey, ...]:
        """
        Returns up to *limit* living grants whose `domain.token_life.keep_time` lies before *before*, earliest first.

        Those under a lease are left out: somebody refreshes them already.
        """
        ...

    async def page(self, *, after: GrantKey | None, limit: int) -> tuple[GrantKey, ...]:
        """Returns up to *limit* grants of all tenants, by tenant, configuration and id above *after*."""
        ...


class Announcements(Protocol):
    """What was said of each configuration's foreseen ends, one a kind at most; it goes with its configuration."""

    async def of(self, tenant: str, configuration_id: str) -> Mapping[ForecastKind, Announcement]:
        """Returns what is remembered of each kind of end; empty when nothing was said, or there is no configuration."""
        ...

    async def replace(
        self,
        tenant: str,
        configuration_id: str,
        kind: ForecastKind,
        *,
        before: Announcement | None,
        after: Announcement | None,
    ) -> bool:
        """
        Puts *after* in the place of *before*; None, for one of the two at most: nothing is remembered.

        True for one caller across all processes, who alone says what is to be said, once it has committed. False, with
        nothing changed, when something else than *before* is stored, or the configuration is gone.
        """
        ...


class Workers(Protocol):
    """Which workers live, and where. Time is the store's own."""

    async def seen(self, name: str, data_center: str, *, lives_for: timedelta) -> None:
        """Says that the worker *name* lives for *lives_for* from now; forgets those that have been gone for a day."""
        ...

    async def leave(self, name: str) -> None:
        """Says that the worker lives no more from now on; nothing when it was never seen."""
        ...

    async def present(self) -> tuple[Presence, ...]:
        """Returns the sites at which a worker was within a day, by name."""
        ...


class UnitOfWork(Protocol):
    """
    One transaction over all repositories.

    ``async with uow() as work:``; leaving without `commit` rolls back. A fresh unit for each use. A store that is away
    raises Unavailable, from any call, within two seconds.
    """

    @property
    def configurations(self) -> Configurations: ...

    @property
    def consents(self) -> Consents: ...

    @property
    def grants(self) -> Grants: ...

    @property
    def announcements(self) -> Announcements: ...

    @property
    def allowances(self) -> Allowances: ...

    @property
    def deliveries(self) -> Deliveries: ...

    @property
    def changes(self) -> Changes: ...

    @property
    def leftovers(self) -> Leftovers: ...

    @property
    def workers(self) -> Workers: ...

    async def commit(self) -> None:
        """Makes everything durable, then lets the signals out."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
