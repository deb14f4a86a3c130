"""Claims due deliveries, some ahead, and runs the attempt step for each in a lane of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, cast

from domain.account import Account
from domain.data_center import Reach
from domain.delivery import Delivery
from domain.errors import Unavailable
from domain.failures.failure import Failure, Stage
from domain.ports.acceptance import Take
from domain.ports.delivery_queue import Claim
from domain.ports.signals import Signals
from domain.ports.storage import UnitOfWork
from domain.turns import Resting
from service.allowances import LANES_PER_ACCOUNT, Allowances
from service.backlog import Backlog
from service.logs import (
    ATTEMPT,
    ATTEMPT_FAILED,
    CLAIM_FAILED,
    CONFIGURATION_ID,
    DELIVERY_ATTEMPTED,
    DELIVERY_ID,
    DELIVERY_SETTLED,
    REAP_FAILED,
    REASON,
    RENEWAL_FAILED,
    STAGE,
    STATE,
    TENANT,
    WORKER_WAITS_FOR_DATABASE,
)
from service.usecases.attempt import LEASE, AttemptDelivery
from service.usecases.events import Events
from service.usecases.reap import Reap

LANES: Final = 32
"""Attempts at once in this process."""
LANES_PER_TENANT: Final = LANES // 2
"""Attempts at once for one tenant while another one waits (P8)."""
LANES_FREE: Final = LANES // 8
"""Lanes that nobody takes who has that many, so that whoever comes next finds one, however slow the others are."""
HELD: Final = 1024
"""Deliveries under lease at once in this process, those under way included."""
HELD_PER_ACCOUNT: Final = 256
"""The same for one configuration whose server is quick; for others as many as they may have lanes."""
HELD_WHILE_OTHERS_WAIT: Final = HELD_PER_ACCOUNT // 4
"""Up to which new mail of a quick account goes straight to its lanes although older mail is stored; that is claimed
whenever less than half of its share is held, so that neither waits for the other."""
_CLAIMED_AT_ONCE: Final = 50
"""By one claim for a configuration whose server is quick, so that asking the store costs each mail little."""
_QUICK: Final = timedelta(seconds=1)
"""Of an attempt: an account whose mail goes out within it may have more of it ahead."""
_POLL: Final = timedelta(seconds=1)
_BREATH: Final = timedelta(milliseconds=20)
"""Between two claims that news bring while there is work already: many accepted mails make one claim."""
_REAP_EVERY: Final = timedelta(seconds=5)
_KEEP_SHARES_EVERY: Final = timedelta(seconds=5)
_DATABASE_AWAY: Final = timedelta(seconds=1)
_LAST_ACCEPTED: Final = timedelta(seconds=3)
"""For messages that are being accepted when the process stops; a commit takes no longer, or fails."""

_logger = logging.getLogger(__name__)


class Worker:
    """
    The delivering part of a process.

    It holds deliveries under lease: in lanes, where they are attempted, and in a backlog, which is what lanes go on
    with. They come by claims, or straight from their acceptance: see `reserve`.
    """

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        attempt: AttemptDelivery,
        reap: Reap,
        signals: Signals,
        events: Events,
        allowances: Allowances,
        name: str,
        reach: Callable[[], Reach] = Reach,
        pause_when_away: timedelta = _DATABASE_AWAY,
        reap_every: timedelta = _REAP_EVERY,
    ) -> None:
        """
        *name*: what its attempts are recorded under. *reach*: whose mail it takes, asked anew at each claim.

        *pause_when_away*: between two claims while the database is away. *reap_every*: between two rounds of *reap*.
        """
        self._uow = uow
        self._attempt = attempt
        self._reap = reap
        self._signals = signals
        self._events = events
        self._name = name
        self._reach = reach
        self._pause_when_away = pause_when_away
        self._reap_every = reap_every
        self._claiming = asyncio.Lock()
        self._lanes: dict[asyncio.Task[None], Claim] = {}
        self._running: Counter[Account] = Counter()
        """Lanes by account."""
        self._recording: set[asyncio.Task[None]] = set()
        self._backlog = Backlog()
        self._allowances = allowances
        self._reserved: dict[str, Account] = {}
        """What is being accepted for a place here, by delivery id."""
        self._reserved_for: Counter[Account] = Counter()
        self._quick: set[Account] = set()
        """Whose server takes mail so fast that lanes would wait for the store: more of theirs is held ahead."""
        self._waiting: set[Account] = set()
        """Of whom something due may be stored that nobody holds: it goes first, so nothing is reserved for them."""
        self._may_be_more = True
        """Whether something due may be stored of accounts that nothing is known about."""
        self._is_crowded = False
        """Whether tenants were passed over, of whom something due may be stored too."""
        self._giving_back: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._none_reserved = asyncio.Event()
        self._none_reserved.set()
        self._stopping = asyncio.Event()
        self._is_running = False
        self._got_room: Callable[[Account], None] = lambda account: None

    async def run(self) -> None:
        """Works until `drain` is called; a database that is away is waited for."""
        helpers = [
            asyncio.create_task(self._reap_now_and_then(), name="reaper"),
            asyncio.create_task(self._hear_of_due_work(), name="news of due work"),
            asyncio.create_task(self._hear_of_allowances(), name="news of accounts that may go on"),
            asyncio.create_task(self._keep_shares(), name="shares of connections"),
        ]
        self._is_running = True
        try:
            while not self._stopping.is_set():
                self._wake.clear()
                if not self._wants_more():
                    # Whoever set it meanwhile may have had news that the claim under way has taken into account.
                    await self._wake.wait()
                    continue
                try:
                    await self._claim_some()
                except Unavailable:
                    _logger.warning(WORKER_WAITS_FOR_DATABASE)
                    await self._until_stopping(self._pause_when_away)
                    continue
                except Exception:
                    # Whatever it was, mail that can go out must not wait for a person to start the process again.
                    _logger.exception(CLAIM_FAILED)
                    await self._until_stopping(self._pause_when_away)
        finally:
            self._is_running = False
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def drain(self, within: timedelta) -> None:
        """
        Claims nothing more, gives back what was not begun, and waits for the running attempts.

        What is still running after *within* is cancelled: before its point of no return that costs nothing, after it
        the delivery will be in doubt, as after a crash. An answer that is already here is stored first.
        """
        self._stopping.set()
        self._wake.set()
        async with self._claiming:
            pass  # what was being claimed is in the backlog or has its lane now
        self._give_back(self._backlog.drop())
        if running := [*self._lanes, *self._recording]:
            await asyncio.wait(running, timeout=within.total_seconds())
        for task in [*self._lanes, *self._recording]:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_ACCEPTED.total_seconds()):
                await self._none_reserved.wait()
        while left := [*self._lanes, *self._recording, *self._giving_back]:
            await asyncio.wait(left)
        await self._allowances.end()

    def reserve(self, delivery: Delivery) -> Take | None:
        """
        Keeps a place for a delivery that is being accepted, to be stored under the lease of a minute that is returned.

        None when it has to be stored for whoever claims it: this process works for other sites, the account has limits
        or its share already, or something of the account is stored, which goes first. A place is used up by `take_on`,
        or freed by `release`.
        """
        account = Account(delivery.tenant, delivery.configuration_id)
        if not self._is_running or self._stopping.is_set() or not self._is_ours(delivery):
            return None
        if account in self._waiting and (account not in self._quick or self._held(account) >= HELD_WHILE_OTHERS_WAIT):
            return None
        if not self._allowances.may_go_straight(account):
            return None
        if self._room(account) <= 0:
            self._waiting.add(account)
            return None
        self._reserved[delivery.delivery_id] = account
        self._reserved_for[account] += 1
        self._none_reserved.clear()
        here = self._reach().data_center
        return Take(token=secrets.token_hex(16), worker=self._name, lease=LEASE, data_center=here)

    def release(self, delivery: Delivery) -> None:
        """Frees the place that was kept for *delivery*, if one was."""
        account = self._reserved.pop(delivery.delivery_id, None)
        if account is None:
            return
        _count_down(self._reserved_for, account)
        if not self._reserved:
            self._none_reserved.set()

    def take_on(self, claim: Claim) -> None:
        """Puts what is stored under the lease that `reserve` gave into its place: a lane, or the backlog."""
        if self._stopping.is_set():
            self._give_back([claim])
        else:
            self._keep(claim)
            self._fill_lanes()
        self.release(claim.delivery)

    def awaits(self, delivery: Delivery) -> bool:
        """Tells whether *delivery*, which has no place, will be claimed by this process without its being told."""
        return self._is_running and Account(delivery.tenant, delivery.configuration_id) in self._waiting

    def left(self, delivery: Delivery) -> None:
        """Hears that *delivery* is stored for whoever claims it; whether that may be this process shows then."""
        account = Account(delivery.tenant, delivery.configuration_id)
        if account in self._quick and self._is_ours(delivery):
            self._waiting.add(account)
            if self._wants_more():
                self._wake.set()

    def ahead_of(self, delivery: Delivery) -> int | None:
        """Returns how many of its account go before *delivery* from here; None where waiting would win nothing."""
        account = Account(delivery.tenant, delivery.configuration_id)
        if self._stopping.is_set() or account not in self._quick or not self._is_ours(delivery):
            return None
        if not self._is_running or not self._allowances.may_go_straight(account):
            return None
        return self._running[account] + self._backlog.count(account)

    def hear_of_room(self, listener: Callable[[Account], None]) -> None:
        """Has *listener* called with each account of which fewer are here, or whose mail need not wait any more."""
        self._got_room = listener

    def _is_ours(self, delivery: Delivery) -> bool:
        return self._reach().takes(delivery.data_center, delivery.data_center_policy)

    def _held(self, account: Account) -> int:
        return self._running[account] + self._backlog.count(account) + self._reserved_for[account]

    def _room(self, account: Account) -> int:
        """Returns how many more of *account* may be held."""
        share = HELD_PER_ACCOUNT if account in self._quick else self._allowances.lanes(account)
        return min(share - self._held(account), self._room_for_all())

    def _room_for_all(self) -> int:
        return HELD - len(self._lanes) - len(self._backlog) - len(self._reserved)

    async def _claim_some(self) -> None:
        """Claims for those of whom something is stored, and then what there are free lanes for."""
        async with self._claiming:
            if self._stopping.is_set():
                return
            for account in [each for each in self._waiting & self._quick if self._has_run_low(each)]:
                room = min(self._room(account), _CLAIMED_AT_ONCE)
                if room > 0 and self._keep(*(await self._claim(room, only=account))[0]) < room:
                    self._waiting.discard(account)
            held = self._accounts_held()
            full = {
                account
                for account in held
                if self._room(account) < (LANES_PER_ACCOUNT if account in self._quick else 1)
            }
            passed_over = frozenset(full | (self._waiting & self._quick) | self._allowances.passed_over())
            # All that is claimed may be for the busiest of the others, and even that one keeps its bound.
            busiest = max((self._held(account) for account in held - passed_over - self._quick), default=0)
            room = min(LANES - len(self._lanes), self._room_for_all(), LANES_PER_ACCOUNT - busiest)
            self._may_be_more = True
            if room > 0 and not await self._claim_for_all(room, passed_over):
                self._may_be_more = False
                self._waiting &= passed_over
            self._waiting |= full
            self._fill_lanes()

    async def _claim_for_all(self, room: int, passed_over: frozenset[Account]) -> bool:
        """Claims for tenants with less than their share of the lanes, then for the others; tells if more may be due."""
        tenants = self._tenants()
        crowding = frozenset(tenant for tenant, count in tenants.items() if count >= LANES_PER_TENANT)
        # As with accounts, all may be for the busiest of the others.
        busiest = max((count for tenant, count in tenants.items() if tenant not in crowding), default=0)
        room = min(room, LANES_PER_TENANT - busiest)
        claims, hid_others = await self._claim(room, passing_over=passed_over, tenants_passed_over=crowding)
        kept = self._keep(*claims)
        spare = min(room, LANES - len(self._lanes) - LANES_FREE) - kept
        if crowding and not hid_others and spare > 0:
            claims, hid_others = await self._claim(spare, passing_over=passed_over)
            kept += self._keep(*claims)
        self._is_crowded = bool(crowding)
        return hid_others or kept == room

    def _tenants(self) -> Counter[str]:
        """Counts lanes by tenant."""
        tenants: Counter[str] = Counter()
        for account, count in self._running.items():
            tenants[account.tenant] += count
        return tenants

    def _accounts_held(self) -> set[Account]:
        return {*self._running, *self._backlog.accounts(), *self._reserved_for}

    def _has_run_low(self, account: Account) -> bool:
        share = HELD_PER_ACCOUNT // 2 if account in self._quick else self._allowances.lanes(account)
        return self._held(account) < share

    def _wants_more(self) -> bool:
        """Tells whether claiming may bring something: never again before it did, or before somebody had news."""
        if self._stopping.is_set() or len(self._lanes) >= LANES or self._room_for_all() <= 0:
            return False
        return self._may_be_more or any(self._has_run_low(account) for account in self._waiting)

    def _keep(self, *claims: Claim) -> int:
        for claim in claims:
            self._backlog.add(claim)
            self._attempt.hold(claim, lost=partial(self._backlog.remove, claim))
        return len(claims)

    def _fill_lanes(self) -> None:
        """Begins what has a lane."""
        while len(self._lanes) < LANES and len(self._recording) < HELD and not self._stopping.is_set():
            claim = self._next()
            if claim is None:
                return
            task = asyncio.create_task(self._run_lane(claim), name=f"attempt {claim.delivery.delivery_id}")
            self._lanes[task] = claim
            self._running[claim.account] += 1
            task.add_done_callback(self._free)

    def _next(self) -> Claim | None:
        """Takes a claim whose account has a lane; those of tenants that have less than their share go before others."""
        tenants = self._tenants()
        claim = self._backlog.take(lambda each: tenants[each.tenant] < LANES_PER_TENANT and self._has_lane(each))
        if claim is None and len(self._lanes) < LANES - LANES_FREE:
            claim = self._backlog.take(self._has_lane)
        return claim

    def _has_lane(self, account: Account) -> bool:
        return self._running[account] < self._allowances.lanes(account)

    async def _claim(
        self,
        room: int,
        *,
        passing_over: frozenset[Account] = frozenset(),
        only: Account | None = None,
        tenants_passed_over: frozenset[str] = frozenset(),
    ) -> tuple[tuple[Claim, ...], bool]:
        """Returns what it took, and whether it left something that hid what others have due."""
        async with self._uow() as work:
            admission = await self._allowances.admission(work, held=self._held, ahead=only is not None)
            claims = await work.deliveries.claim(
                worker=self._name,
                lease=LEASE,
                limit=room,
                reach=self._reach(),
                passing_over=passing_over,
                only=only,
                tenants_passed_over=tenants_passed_over,
                admit=admission,
            )
            await work.commit()
        admission.committed()
        return claims, admission.has_refused

    async def _run_lane(self, claim: Claim) -> None:
        delivery = claim.delivery
        fields = {
            TENANT: delivery.tenant,
            CONFIGURATION_ID: delivery.configuration_id,
            DELIVERY_ID: delivery.delivery_id,
            ATTEMPT: claim.lease.attempt,
        }
        begun = asyncio.get_running_loop().time()
        rests_until: list[datetime] = []

        def talked(failure: Failure | None, rest_until: datetime | None) -> None:
            if rest_until is not None:
                rests_until.append(rest_until)
            self._talked(claim.account, failure, rest_until)

        try:
            after = await self._attempt(claim, talked=talked)
        except Resting as resting:
            await self._not_yet(claim, resting)
            return
        except Exception:
            # One poisoned delivery must not stop the others (F04).
            _logger.exception(ATTEMPT_FAILED, extra=fields)
            return
        if after is None:
            return
        await self._allowances.attempted(claim, after)
        for rest_until in rests_until:
            await self._allowances.rested(claim, rest_until - after.update_time)
        if _is_at_ease(after) and asyncio.get_running_loop().time() - begun < _QUICK.total_seconds():
            self._quick.add(claim.account)
        else:
            # What is ahead would wait here for long; and of a configuration that is paused one mail alone may go.
            self._quick.discard(claim.account)
            self._give_back(self._backlog.drop(claim.account))
            self._got_room(claim.account)
        if after.failure is not None:
            fields |= {REASON: after.failure.reason.value, STAGE: after.failure.stage.value}
        self._events.delivery_attempted(after)
        event = DELIVERY_SETTLED if after.is_settled else DELIVERY_ATTEMPTED
        _logger.info(event, extra={**fields, STATE: after.state.value})

    async def _not_yet(self, claim: Claim, resting: Resting) -> None:
        """Puts a claim back of which nothing could be requested, once its account is passed over by everybody."""
        others = self._backlog.drop(claim.account)
        self._allowances.paused(claim.account)
        await self._allowances.rested(claim, resting.wait)
        self._give_back([claim, *others])

    def _talked(self, account: Account, failure: Failure | None, rest_until: datetime | None) -> None:
        """
        Frees the lane of the attempt that calls: what is left of it is to be recorded, which needs no server.

        Of an account that is told to slow down nothing more is begun.
        """
        if self._allowances.refused(account, failure) or (rest_until is not None and self._allowances.paused(account)):
            self._give_back(self._backlog.drop(account))
        task = cast(asyncio.Task[None], asyncio.current_task())
        if self._leave_lane(task):
            self._recording.add(task)
            self._go_on()

    def _free(self, task: asyncio.Task[None]) -> None:
        self._recording.discard(task)
        self._leave_lane(task)
        self._go_on()

    def _leave_lane(self, task: asyncio.Task[None]) -> bool:
        claim = self._lanes.pop(task, None)
        if claim is not None:
            _count_down(self._running, claim.account)
            self._may_be_more |= self._is_crowded
            self._got_room(claim.account)
        return claim is not None

    def _go_on(self) -> None:
        self._fill_lanes()
        if self._wants_more():
            self._wake.set()

    def _give_back(self, claims: Sequence[Claim]) -> None:
        if claims:
            task = asyncio.create_task(self._put_back(claims), name="give back")
            self._giving_back.add(task)
            task.add_done_callback(self._giving_back.discard)

    async def _put_back(self, claims: Sequence[Claim]) -> None:
        await self._attempt.put_back(claims)
        for claim in claims:
            await self._allowances.returned(claim)

    async def _hear_of_allowances(self) -> None:
        """Wakes the claiming as soon as an account that had to wait may go on."""
        while True:
            await self._allowances.someone_may_go()
            self._may_be_more = True
            self._wake.set()

    async def _keep_shares(self) -> None:
        """Keeps the connections that are in use here, and lets others have those that are not."""
        while True:
            await asyncio.sleep(_KEEP_SHARES_EVERY.total_seconds())
            try:
                await self._allowances.keep(self._held)
            except Unavailable:
                pass  # other processes cannot take them either
            except Exception:
                _logger.exception(RENEWAL_FAILED)

    async def _hear_of_due_work(self) -> None:
        """Wakes the claiming whenever work is due, and now and then in case nobody said so."""
        while True:
            await self._signals.work_due(_POLL)
            self._may_be_more = True
            self._wake.set()
            if self._lanes:
                await self._until_stopping(_BREATH)

    async def _until_stopping(self, within: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within.total_seconds()):
                await self._stopping.wait()

    async def _reap_now_and_then(self) -> None:
        while True:
            try:
                while await self._reap():
                    pass
            except Unavailable:
                pass  # the claiming side says so
            except Exception:
                _logger.exception(REAP_FAILED)
            await asyncio.sleep(self._reap_every.total_seconds())


def _is_at_ease(after: Delivery) -> bool:
    """Tells whether the server took the mail, or refused nothing but this one, so that the next may fare better."""
    failure = after.failure
    return (
        failure is None or failure.is_final or (failure.stage is Stage.RCPT_TO and after.next_attempt_time is not None)
    )


def _count_down(counter: Counter[Account], account: Account) -> None:
    counter[account] -= 1
    if counter[account] <= 0:
        del counter[account]
