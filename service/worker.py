"""Claims due deliveries, some ahead, and runs the attempt step for each in a lane of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, Final, cast

from domain.delivery import DeliveryState
from domain.errors import Unavailable
from domain.ports.signals import Signals
from domain.ports.storage import Account, Claim, UnitOfWork
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
HELD: Final = 256
"""Deliveries under lease at once in this process, those under way included."""
HELD_PER_ACCOUNT: Final = 50
"""The same for one configuration: a claim is for up to as many, so that asking the store costs each mail little."""
_QUICK: Final = timedelta(seconds=1)
"""Of an attempt: an account whose mail goes out within it may have more of it ahead."""
_POLL: Final = timedelta(seconds=1)
_REAP_EVERY: Final = timedelta(seconds=5)
_KEEP_SHARES_EVERY: Final = timedelta(seconds=5)
_DATABASE_AWAY: Final = timedelta(seconds=1)

_logger = logging.getLogger(__name__)


class Worker:
    """The delivering part of a process."""

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
        data_centers: tuple[str, ...] = (),
        pause_when_away: timedelta = _DATABASE_AWAY,
        reap_every: timedelta = _REAP_EVERY,
    ) -> None:
        self._uow = uow
        self._attempt = attempt
        self._reap = reap
        self._signals = signals
        self._events = events
        self._name = name
        self._data_centers = data_centers
        self._pause_when_away = pause_when_away
        self._reap_every = reap_every
        self._claiming = asyncio.Lock()
        self._lanes: dict[asyncio.Task[None], Claim] = {}
        self._recording: set[asyncio.Task[None]] = set()
        self._backlog = Backlog()
        self._allowances = allowances
        self._quick: set[Account] = set()
        """Whose server takes mail so fast that lanes would wait for the store: more of theirs is claimed ahead."""
        self._may_be_more = True
        """Whether the last claim took all that it was allowed to, so that more may be due."""
        self._giving_back: set[asyncio.Task[None]] = set()
        self._lane_freed = asyncio.Event()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `drain` is called; a database that is away is waited for."""
        helpers = [
            asyncio.create_task(self._reap_now_and_then(), name="reaper"),
            asyncio.create_task(self._renew_now_and_then(), name="leases of the backlog"),
            asyncio.create_task(self._keep_shares(), name="shares of connections"),
        ]
        try:
            while not self._stopping.is_set():
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
                    continue
                await self._until_news()
        finally:
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
        async with self._claiming:
            pass  # what was being claimed is in the backlog or has its lane now
        self._give_back(self._backlog.drop())
        if running := [*self._lanes, *self._recording]:
            await asyncio.wait(running, timeout=within.total_seconds())
        for task in [*self._lanes, *self._recording]:
            task.cancel()
        if left := [*self._lanes, *self._recording, *self._giving_back]:
            await asyncio.wait(left)
        await self._allowances.end()

    async def _claim_some(self) -> None:
        """Claims what there are free lanes for, and ahead for those accounts whose server is quick."""
        async with self._claiming:
            if self._stopping.is_set():
                return
            self._lane_freed.clear()
            held = Counter(claim.account for claim in (*self._lanes.values(), *self._backlog))
            for account in [each for each in self._quick if held[each] < HELD_PER_ACCOUNT // 2]:
                room = min(HELD - held.total(), HELD_PER_ACCOUNT - held[account])
                if room > 0 and self._keep(await self._claim(room, held, only=account)) == 0:
                    self._quick.discard(account)
            full = frozenset(account for account, count in held.items() if count >= self._allowances.lanes(account))
            # All that is claimed may be for the busiest of the others, and even that one keeps its bound.
            busiest = max((count for account, count in held.items() if account not in full), default=0)
            room = min(LANES - len(self._lanes), LANES_PER_ACCOUNT - busiest)
            self._may_be_more = False
            if room > 0:
                await self._claim_for_all(room, held, full | self._quick | self._allowances.passed_over())
            self._fill_lanes()

    async def _claim_for_all(self, room: int, held: Counter[Account], passing_over: frozenset[Account]) -> None:
        """Claims for those who have less than their share of the lanes first, and then for those who have more."""
        tenants = Counter(claim.account.tenant for claim in self._lanes.values())
        crowding = frozenset(tenant for tenant, count in tenants.items() if count >= LANES_PER_TENANT)
        # As with accounts, all may be for the busiest of the others.
        busiest = max((count for tenant, count in tenants.items() if tenant not in crowding), default=0)
        room = min(room, LANES_PER_TENANT - busiest)
        kept = self._keep(await self._claim(room, held, passing_over=passing_over, tenants_passed_over=crowding))
        spare = min(room, LANES - len(self._lanes) - LANES_FREE) - kept
        if crowding and not self._may_be_more and spare > 0:
            kept += self._keep(await self._claim(spare, held, passing_over=passing_over))
        self._may_be_more |= kept == room

    def _keep(self, claims: Sequence[Claim]) -> int:
        for claim in claims:
            self._backlog.add(claim)
        return len(claims)

    def _fill_lanes(self) -> None:
        """Begins what has a lane."""
        while len(self._lanes) < LANES and len(self._recording) < HELD and not self._stopping.is_set():
            claim = self._next()
            if claim is None:
                return
            task = asyncio.create_task(self._run_lane(claim), name=f"attempt {claim.delivery.delivery_id}")
            self._lanes[task] = claim
            task.add_done_callback(self._free)

    def _next(self) -> Claim | None:
        """Takes a claim whose account has a lane; those of tenants that have less than their share go before others."""
        running = Counter(claim.account for claim in self._lanes.values())
        tenants = Counter(claim.account.tenant for claim in self._lanes.values())

        def has_lane(account: Account) -> bool:
            return running[account] < self._allowances.lanes(account)

        claim = self._backlog.take(lambda each: tenants[each.tenant] < LANES_PER_TENANT and has_lane(each))
        if claim is None and len(self._lanes) < LANES - LANES_FREE:
            claim = self._backlog.take(has_lane)
        return claim

    async def _claim(
        self,
        room: int,
        held: Counter[Account],
        *,
        passing_over: frozenset[Account] = frozenset(),
        only: Account | None = None,
        tenants_passed_over: frozenset[str] = frozenset(),
    ) -> tuple[Claim, ...]:
        async with self._uow() as work:
            admission = self._allowances.admission(work, held=held, ahead=only is not None)
            claims = await work.deliveries.claim(
                worker=self._name,
                lease=LEASE,
                limit=room,
                data_centers=self._data_centers,
                passing_over=passing_over,
                only=only,
                tenants_passed_over=tenants_passed_over,
                admit=admission,
            )
            await work.commit()
        admission.committed()
        self._may_be_more |= admission.has_refused  # of others, whom it hid
        return claims

    async def _run_lane(self, claim: Claim) -> None:
        delivery = claim.delivery
        fields = {
            TENANT: delivery.tenant,
            CONFIGURATION_ID: delivery.configuration_id,
            DELIVERY_ID: delivery.delivery_id,
            ATTEMPT: claim.lease.attempt,
        }
        begun = asyncio.get_running_loop().time()
        try:
            after = await self._attempt(claim, talked=self._talked)
        except Exception:
            # One poisoned delivery must not stop the others (F04).
            _logger.exception(ATTEMPT_FAILED, extra=fields)
            return
        if after is None:
            return
        await self._allowances.attempted(claim, after)
        if after.state is DeliveryState.SENT and asyncio.get_running_loop().time() - begun < _QUICK.total_seconds():
            self._quick.add(claim.account)
        else:
            # What is ahead would wait here for long; and of a configuration that is paused one mail alone may go.
            self._quick.discard(claim.account)
            self._give_back(self._backlog.drop(claim.account))
        if after.failure is not None:
            fields |= {REASON: after.failure.reason.value, STAGE: after.failure.stage.value}
        self._events.delivery_attempted(after)
        event = DELIVERY_SETTLED if after.is_settled else DELIVERY_ATTEMPTED
        _logger.info(event, extra={**fields, STATE: after.state.value})

    def _talked(self) -> None:
        """Frees the lane of the attempt that calls: what is left of it is to be recorded, which needs no server."""
        task = cast(asyncio.Task[None], asyncio.current_task())
        if self._lanes.pop(task, None) is not None:
            self._recording.add(task)
            self._fill_lanes()
            self._lane_freed.set()

    def _free(self, task: asyncio.Task[None]) -> None:
        self._recording.discard(task)
        self._lanes.pop(task, None)
        self._fill_lanes()
        self._lane_freed.set()

    def _give_back(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            task = asyncio.create_task(self._return(claim), name=f"give back {claim.delivery.delivery_id}")
            self._giving_back.add(task)
            task.add_done_callback(self._giving_back.discard)

    async def _return(self, claim: Claim) -> None:
        await self._attempt.give_back(claim)
        await self._allowances.returned(claim)

    def _is_idle(self) -> bool:
        """Tells whether a lane is free that claiming may find work for."""
        return len(self._lanes) < LANES and len(self._backlog) < HELD_PER_ACCOUNT // 4

    async def _until_news(self) -> None:
        """Waits for due work, a lane that is free where more may be due, or the end; at the latest for a poll."""
        if self._may_be_more and self._is_idle():
            return
        await self._either(
            self._signals.work_due(_POLL),
            self._allowances.someone_may_go(),
            self._lane_freed.wait(),
            self._stopping.wait(),
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL.total_seconds()):
                while not self._is_idle() and not self._stopping.is_set():
                    self._lane_freed.clear()
                    await self._either(self._lane_freed.wait(), self._stopping.wait())

    async def _either(self, *events: Coroutine[Any, Any, object]) -> None:
        waits = [asyncio.ensure_future(each) for each in events]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _renew_now_and_then(self) -> None:
        """Keeps the leases of what waits here; what was lost is another worker's."""
        while True:
            await asyncio.sleep((LEASE / 3).total_seconds())
            try:
                for claim in tuple(self._backlog):
                    if not await self._attempt.renew(claim):
                        self._backlog.remove(claim)
            except Unavailable:
                pass  # each attempt proves its lease itself, before anything leaves
            except Exception:
                _logger.exception(RENEWAL_FAILED)

    async def _keep_shares(self) -> None:
        """Keeps the connections that are in use here, and lets others have those that are not."""
        while True:
            await asyncio.sleep(_KEEP_SHARES_EVERY.total_seconds())
            try:
                await self._allowances.keep(Counter(claim.account for claim in (*self._lanes.values(), *self._backlog)))
            except Unavailable:
                pass  # other processes cannot take them either
            except Exception:
                _logger.exception(RENEWAL_FAILED)

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
