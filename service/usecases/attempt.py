"""The step that the worker runs for each claimed delivery: talk to the server, record what it said."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from domain.account import Account
from domain.configuration import Configuration
from domain.cures import fitted_report
from domain.delivery import Answered, Attempt, Delivery, DeliveryState, LeaseExpired, NotTried, advance
from domain.earlier import earlier_of
from domain.errors import LeaseLost, NotFound, SecretUnreadable, Unavailable
from domain.failures.failure import Failure
from domain.failures.trace import Trace, untried
from domain.grant import Grant, GrantKey, grant_for
from domain.pause import Pause, pause_after, shows_usable
from domain.ports.delivery_queue import Claim, Outcome
from domain.ports.environment import Clock, Entropy
from domain.ports.storage import UnitOfWork
from domain.ports.transport import MailTransport, Patience, Report
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.turns import Resting
from service.heartbeat import Heartbeat
from service.usecases.changed_accounts import lanes_of
from service.usecases.known_configurations import KnownConfigurations
from service.usecases.obstacles import broken, gone, unmarked, unreadable_content, usable_settings
from service.usecases.token_sources import TokenSources

LEASE: Final = timedelta(seconds=60)
_RENEW_EVERY: Final = LEASE / 3
_STORE_AGAIN: Final = timedelta(milliseconds=250)
Talked = Callable[[Failure | None, datetime | None], None]
"""Hears what the server said last: what it refused, and until when it wants a rest beside what it took."""
_LAST_MOMENT: Final = timedelta(seconds=3)
"""For storing an answer that is already here when the process stops."""


@dataclass(slots=True)
class _Course:
    """How far one attempt has come."""

    start: datetime
    revision: int | None = None
    """The active revision that it was made with; None while it is not known."""
    grant: GrantKey | None = None
    """What would give its tokens, dead or alive; None without OAuth, or before anybody consented."""
    is_past_no_return: bool = False


def _nothing(failure: Failure | None, rest_until: datetime | None) -> None:
    """Nobody wants to know."""


class _ChangesOfPause(NamedTuple):
    """What the attempt makes of the configuration's pause."""

    pause: Pause | None = None
    usable_revision: int | None = None


class AttemptDelivery:
    """Attempts one claimed delivery once."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        mark: Callable[[Claim], Awaitable[bool]],
        record: Callable[[Outcome], Awaitable[bool]],
        grants: Callable[[Account], Awaitable[Sequence[Grant]]],
        known: KnownConfigurations,
        transport: MailTransport,
        sources: TokenSources,
        clock: Clock,
        entropy: Entropy,
        renew_every: timedelta = _RENEW_EVERY,
        store_again: timedelta = _STORE_AGAIN,
        last_moment: timedelta = _LAST_MOMENT,
    ) -> None:
        self._uow = uow
        self._mark = mark
        self._record_outcome = record
        self._grants_of = grants
        self._known = known
        self._transport = transport
        self._sources = sources
        self._clock = clock
        self._entropy = entropy
        self._heartbeat = Heartbeat(uow=uow, lease=LEASE, every=renew_every, try_again=min(renew_every, store_again))
        self._store_again = store_again
        self._last_moment = last_moment

    async def __call__(self, claim: Claim, *, talked: Talked = _nothing) -> Delivery | None:
        """
        Returns the delivery as it was recorded, or None when the lease was lost: another worker decides then.

        *talked* is called when the server has had its last word, with what it refused if it did, and until when it
        wants to be left alone although it took the mail. That is not recorded yet: another mail may go there, or none.

        The lease is renewed while the server thinks. Once the server has answered, the answer is kept and stored again
        and again until the database takes it or the lease is lost; when the process stops, for a last moment.
        Cancelled before content left, it gives the delivery back for another worker to take at once.
        What nobody foresaw is recorded too, so that a poisoned delivery waits longer each time, and then raised.

        Raises Resting when nothing could be requested yet: the claim is as it was, and the caller's to put back.
        """
        course = _Course(self._clock.now())
        try:
            try:
                async with self._kept_alive(claim):
                    event, report = await self._talk(claim, course)
                talked(_refusal(event), report.rest_until if report is not None else None)
            except LeaseLost:
                raise
            except Resting:
                if not course.is_past_no_return:
                    raise
                await self._record(claim, course, self._unforeseen(course), None)
                raise
            except asyncio.CancelledError:
                if not course.is_past_no_return:
                    await self._give_back(claim, course.start)
                raise
            except Exception:
                await self._record(claim, course, self._unforeseen(course), None)
                raise
            return await self._record(claim, course, event, report)
        except LeaseLost:
            return None

    async def _talk(self, claim: Claim, course: _Course) -> tuple[Answered | NotTried, Report | None]:
        prepared = await self._prepare(claim, course)
        if isinstance(prepared, Failure):
            return NotTried(prepared, self._entropy.fraction()), None
        settings, content = prepared

        async def before_content() -> None:
            await self._pass_no_return(claim)
            course.is_past_no_return = True

        try:
            report = await self._transport.submit(
                settings,
                claim.delivery.envelope(),
                content,
                before_content=before_content,
                patience=Patience(),
                tokens=self._sources.stored(claim.delivery.tenant, claim.delivery.configuration_id, settings),
                lane=_lane(claim, course),
                earlier=earlier_of(claim.delivery),
            )
        except Unavailable:
            return NotTried(unmarked(), self._entropy.fraction()), None
        report = fitted_report(report, settings)
        return Answered(report.verdicts, self._entropy.fraction(), report.failure), report

    async def _prepare(self, claim: Claim, course: _Course) -> tuple[MailSettings, bytes] | Failure:
        """Reads what the attempt needs; a store that is away is waited for as long as the lease holds."""
        while True:
            try:
                return await self._read(claim, course)
            except Unavailable:
                await asyncio.sleep(self._store_again.total_seconds())

    async def _read(self, claim: Claim, course: _Course) -> tuple[MailSettings, bytes] | Failure:
        configuration = self._known_at(claim)
        if configuration is not None and claim.content is not None:
            grants = await self._grants_of(claim.account) if _uses_oauth(configuration) else ()
            settings = _note(course, configuration, grants)
            return settings if isinstance(settings, Failure) else (settings, claim.content)
        async with self._uow() as work:
            return await self._read_stored(work, claim, course, configuration)

    async def _read_stored(
        self, work: UnitOfWork, claim: Claim, course: _Course, known: Configuration | None
    ) -> tuple[MailSettings, bytes] | Failure:
        tenant, configuration_id = claim.delivery.tenant, claim.delivery.configuration_id
        configuration = known or await work.configurations.find(tenant, configuration_id)
        grants: Sequence[Grant] = ()
        if configuration is not None:
            self._known.learn(configuration)
            if _uses_oauth(configuration):
                grants = (await work.grants.of(tenant, [configuration_id])).get(configuration_id, ())
        settings = _note(course, configuration, grants)
        if isinstance(settings, Failure):
            return settings
        try:
            return settings, claim.content or await work.deliveries.content(claim.delivery)
        except SecretUnreadable:
            return unreadable_content()
        except NotFound:
            return gone("The message's content is no longer stored.")

    def _known_at(self, claim: Claim) -> Configuration | None:
        return self._known.of_version(claim.account, claim.version) if claim.version is not None else None

    async def _pass_no_return(self, claim: Claim) -> None:
        if not await self._mark(claim):
            raise LeaseLost

    def _unforeseen(self, course: _Course) -> NotTried | LeaseExpired:
        if course.is_past_no_return:
            return LeaseExpired(past_no_return=True, jitter=self._entropy.fraction())
        return NotTried(broken(), self._entropy.fraction())

    async def _record(
        self, claim: Claim, course: _Course, event: Answered | NotTried | LeaseExpired, report: Report | None
    ) -> Delivery:
        end = self._clock.now()
        after = advance(claim.delivery, event, at=end)
        attempt = Attempt(
            number=claim.lease.attempt,
            start_time=course.start,
            end_time=end,
            failure=None if isinstance(event, LeaseExpired) else after.failure,
            trace=_trace_of(course, event, report, end),
            in_doubt=after.doubt_count > claim.delivery.doubt_count,
        )
        changes = _changes_of_pause(course, event, report, after)
        held = self._store_held(claim, after, attempt, course) if after.state is DeliveryState.HELD else None
        storing = asyncio.create_task(
            held or self._store(claim, after, attempt, changes), name=f"record {after.delivery_id}"
        )
        try:
            await asyncio.shield(storing)
        except asyncio.CancelledError:
            await asyncio.wait([storing], timeout=self._last_moment.total_seconds())
            storing.cancel()
            with contextlib.suppress(LeaseLost, asyncio.CancelledError):
                await storing
            raise
        return after

    def hold(self, claim: Claim, *, lost: Callable[[], None]) -> None:
        """Keeps the lease of a claim that waits here to be begun or put back; *lost* is called when it is lost."""
        self._heartbeat.keep(claim, lost)

    async def put_back(self, claims: Sequence[Claim]) -> None:
        """
        Puts claims back that nobody has begun, as if they had not been taken, for another worker to take at once.

        If the store takes it in a last moment; else the leases run out by themselves.
        """
        for claim in claims:
            self._heartbeat.drop(claim)

        async def store() -> None:
            while True:
                try:
                    async with self._uow() as work:
                        await work.deliveries.put_back(claims)
                        await work.commit()
                    return
                except Unavailable:
                    await asyncio.sleep(self._store_again.total_seconds())

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._last_moment.total_seconds()):
                await store()

    async def _give_back(self, claim: Claim, start: datetime) -> None:
        """
        Queues a delivery again whose attempt was broken off before content left, for another worker to take at once.

        If the store takes it in a last moment; else the lease runs out by itself.
        """
        end = self._clock.now()
        after = advance(claim.delivery, LeaseExpired(past_no_return=False, jitter=0.0), at=end)
        attempt = Attempt(number=claim.lease.attempt, start_time=start, end_time=end)
        storing = asyncio.create_task(self._store(claim, after, attempt), name=f"give back {after.delivery_id}")
        await asyncio.wait([storing], timeout=self._last_moment.total_seconds())
        storing.cancel()
        with contextlib.suppress(LeaseLost, asyncio.CancelledError):
            await storing

    async def _store(
        self, claim: Claim, after: Delivery, attempt: Attempt, changes: _ChangesOfPause | None = None
    ) -> None:
        pause, usable_revision = changes or _ChangesOfPause()
        while True:
            try:
                if not await self._record_outcome(Outcome(claim, after, attempt, pause, usable_revision)):
                    raise LeaseLost
                return
            except Unavailable:
                await asyncio.sleep(self._store_again.total_seconds())

    async def _store_held(self, claim: Claim, after: Delivery, attempt: Attempt, course: _Course) -> None:
        """
        Stores that the delivery waits for a consent, unless that is overtaken already: then it is due at once.

        Whoever stores a consent, other settings, or their end locks the configuration, too: either it is seen here, or
        it sees the delivery held and releases it.
        """
        tenant, configuration_id = claim.delivery.tenant, claim.delivery.configuration_id
        while True:
            try:
                async with self._uow() as work:
                    configuration = await work.configurations.lock(tenant, configuration_id)
                    held = await work.grants.of(tenant, [configuration_id])
                    await work.deliveries.record(claim, after, attempt)
                    if _is_overtaken(course, configuration, held.get(configuration_id, ())):
                        await work.deliveries.release(tenant, configuration_id)
                    await work.commit()
                return
            except Unavailable:
                await asyncio.sleep(self._store_again.total_seconds())

    @contextlib.asynccontextmanager
    async def _kept_alive(self, claim: Claim) -> AsyncIterator[None]:
        """Renews the lease meanwhile; losing it cancels the work, which then has no right to go on."""
        work_task = asyncio.current_task()
        assert work_task is not None
        is_lost = False

        def lost() -> None:
            nonlocal is_lost
            is_lost = True
            work_task.cancel()

        self._heartbeat.keep(claim, lost)
        try:
            try:
                yield
            finally:
                self._heartbeat.drop(claim)
        except asyncio.CancelledError:
            # The heartbeat's cancelling is taken back; what remains is somebody else's, and that one is obeyed.
            if is_lost and work_task.uncancel() == 0:
                raise LeaseLost from None
            raise


def _refusal(event: Answered | NotTried) -> Failure | None:
    """Returns what it was refused with, as a whole or for its first refused recipient."""
    if isinstance(event, NotTried) or event.failure is not None:
        return event.failure
    return next((verdict.failure for verdict in event.verdicts if verdict.failure is not None), None)


def _note(course: _Course, configuration: Configuration | None, grants: Sequence[Grant]) -> MailSettings | Failure:
    """Returns the settings to send with, or why there are none, and notes what they are."""
    if configuration is not None and configuration.active is not None:
        course.revision = configuration.active.number
        grant = grant_for(configuration.active.settings, grants)
        course.grant = grant.key if grant is not None else None
    return usable_settings(configuration, grants)


def _uses_oauth(configuration: Configuration) -> bool:
    active = configuration.active
    return active is not None and isinstance(active.settings.authentication, OAuthAuthentication)


def _lane(claim: Claim, course: _Course) -> str:
    """Names what a connection may be kept for: one account, with the settings and the consent that it has now."""
    grant = course.grant.grant_id if course.grant is not None else ""
    return "\0".join([lanes_of(claim.account), str(course.revision), grant])


def _trace_of(
    course: _Course, event: Answered | NotTried | LeaseExpired, report: Report | None, end: datetime
) -> Trace | None:
    """Returns what the attempt went through; what it ended with, where nothing was dialled."""
    if report is not None:
        return report.trace
    if isinstance(event, NotTried):
        return untried(event.failure, start_time=course.start, duration=end - course.start)
    return None


def _is_overtaken(course: _Course, configuration: Configuration | None, grants: Sequence[Grant]) -> bool:
    """
    Tells whether the next attempt would meet something else than this one: a living grant, other settings, or none.

    Told by what was read, not by when: a consent may be older than the attempt and be stored in its midst.
    """
    if course.revision is None:
        return False
    active = configuration.active if configuration is not None else None
    if active is None or active.number != course.revision:
        return True
    grant = grant_for(active.settings, grants)
    return grant is not None and not grant.is_dead and grant.key != course.grant


def _changes_of_pause(
    course: _Course, event: Answered | NotTried | LeaseExpired, report: Report | None, after: Delivery
) -> _ChangesOfPause:
    if course.revision is None:
        return _ChangesOfPause()
    if report is not None and shows_usable(report.failure):
        return _ChangesOfPause(usable_revision=course.revision)
    failure = None if isinstance(event, LeaseExpired) else event.failure
    return _ChangesOfPause(
        pause_after(failure, revision=course.revision, next_attempt_time=after.next_attempt_time, now=after.update_time)
    )
