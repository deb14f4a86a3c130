"""Claims due deliveries and runs the attempt step, each in a lane of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from domain.errors import Unavailable
from domain.ports.signals import Signals
from domain.ports.storage import Account, Claim, UnitOfWork
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
LANES_PER_ACCOUNT: Final = 5
"""Attempts at once for one configuration, so that a stuck server holds its share at most (P8, F25)."""
_POLL: Final = timedelta(seconds=1)
_REAP_EVERY: Final = timedelta(seconds=5)
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
        self._lane_freed = asyncio.Event()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `drain` is called; a database that is away is waited for."""
        reaper = asyncio.create_task(self._reap_now_and_then(), name="reaper")
        try:
            while not self._stopping.is_set():
                try:
                    found_less_than_room = await self._fill_lanes()
                except Unavailable:
                    _logger.warning(WORKER_WAITS_FOR_DATABASE)
                    await self._until_stopping(self._pause_when_away)
                    continue
                except Exception:
                    # Whatever it was, mail that can go out must not wait for a person to start the process again.
                    _logger.exception(CLAIM_FAILED)
                    await self._until_stopping(self._pause_when_away)
                    continue
                if found_less_than_room:
                    await self._until_news()
        finally:
            reaper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reaper

    async def drain(self, within: timedelta) -> None:
        """
        Claims nothing more and waits for the running attempts.

        What is still running after *within* is cancelled: before its point of no return that costs nothing, after it
        the delivery will be in doubt, as after a crash. An answer that is already here is stored first.
        """
        self._stopping.set()
        async with self._claiming:
            pass  # what was being claimed has its lane now, and is waited for too
        if self._lanes:
            await asyncio.wait(self._lanes, timeout=within.total_seconds())
        for task in self._lanes:
            task.cancel()
        if self._lanes:
            await asyncio.wait(self._lanes)

    async def _fill_lanes(self) -> bool:
        """Claims once; True when there was less to do than there was room, so that waiting is right."""
        async with self._claiming:
            if self._stopping.is_set():
                return True
            self._lane_freed.clear()
            running = Counter(claim.account for claim in self._lanes.values())
            full = frozenset(account for account, count in running.items() if count >= LANES_PER_ACCOUNT)
            # All that is claimed may be for the busiest of the others, and even that one keeps its bound.
            busiest = max((count for account, count in running.items() if account not in full), default=0)
            room = min(LANES - len(self._lanes), LANES_PER_ACCOUNT - busiest)
            if room <= 0:
                return True
            claims = await self._claim(room, full)
            for claim in claims:
                task = asyncio.create_task(self._run_lane(claim), name=f"attempt {claim.delivery.delivery_id}")
                self._lanes[task] = claim
                task.add_done_callback(self._free)
            return len(claims) < room

    async def _claim(self, room: int, full: frozenset[Account]) -> tuple[Claim, ...]:
        async with self._uow() as work:
            claims = await work.deliveries.claim(
                worker=self._name, lease=LEASE, limit=room, data_centers=self._data_centers, passing_over=full
            )
            await work.commit()
        return claims

    async def _run_lane(self, claim: Claim) -> None:
        delivery = claim.delivery
        fields = {
            TENANT: delivery.tenant,
            CONFIGURATION_ID: delivery.configuration_id,
            DELIVERY_ID: delivery.delivery_id,
            ATTEMPT: claim.lease.attempt,
        }
        try:
            after = await self._attempt(claim)
        except Exception:
            # One poisoned delivery must not stop the others (F04).
            _logger.exception(ATTEMPT_FAILED, extra=fields)
            return
        if after is None:
            return
        if after.failure is not None:
            fields |= {REASON: after.failure.reason.value, STAGE: after.failure.stage.value}
        self._events.delivery_attempted(after)
        event = DELIVERY_SETTLED if after.is_settled else DELIVERY_ATTEMPTED
        _logger.info(event, extra={**fields, STATE: after.state.value})

    def _free(self, task: asyncio.Task[None]) -> None:
        del self._lanes[task]
        self._lane_freed.set()

    async def _until_news(self) -> None:
        """Waits for due work, a free lane or the end; at the latest for the next poll."""
        waits = [
            asyncio.ensure_future(self._signals.work_due(_POLL)),
            asyncio.ensure_future(self._lane_freed.wait()),
            asyncio.ensure_future(self._stopping.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

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
