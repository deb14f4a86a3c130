"""Renews the leases of all that a process holds: one statement now and then, however much it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

from domain.errors import LeaseLost, Unavailable
from domain.ports.delivery_queue import Claim
from domain.ports.storage import UnitOfWork
from service.logs import DELIVERY_ID, RENEWAL_FAILED

_logger = logging.getLogger(__name__)


class Heartbeat:
    """
    Keeps leases alive, and tells who holds one that is lost.

    Each lease is renewed within *every* of its beginning, which has to leave room for a second try before it lapses.
    """

    def __init__(
        self, *, uow: Callable[[], UnitOfWork], lease: timedelta, every: timedelta, try_again: timedelta
    ) -> None:
        """*lease*: how long each holds from its renewal on. *try_again*: the pause while the store is away."""
        self._uow = uow
        self._lease = lease
        self._every = every
        self._try_again = try_again
        self._kept: dict[str, tuple[Claim, Callable[[], None]]] = {}
        self._beating: asyncio.Task[None] | None = None

    def keep(self, claim: Claim, lost: Callable[[], None]) -> None:
        """Renews the lease of *claim* until `drop`, or until it is lost: then *lost* is called, once."""
        self._kept[claim.lease.token] = (claim, lost)
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name="heartbeat")
            self._beating.add_done_callback(self._ended)

    def drop(self, claim: Claim) -> None:
        """Lets the lease of *claim* be; whoever asks twice is forgiven."""
        self._kept.pop(claim.lease.token, None)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._beating = None

    async def _beat(self) -> None:
        pause = self._every
        while True:
            await asyncio.sleep(pause.total_seconds())
            if not self._kept:
                return
            pause = self._every
            claims = [claim for claim, _ in self._kept.values()]
            try:
                await self._renew(claims)
            except Unavailable:
                # The point of no return and the record prove the lease themselves; renewed once the store is back.
                pause = min(self._every, self._try_again)
            except Exception:
                # A fault of ours must not let the leases lapse in silence: the mail would end in doubt.
                _logger.exception(RENEWAL_FAILED, extra={DELIVERY_ID: claims[0].delivery.delivery_id})

    async def _renew(self, claims: Sequence[Claim]) -> None:
        async with self._uow() as work:
            renewed = await work.deliveries.renew_all(claims, lease=self._lease)
            await work.commit()
        for claim, is_renewed in zip(claims, renewed, strict=True):
            if not is_renewed:
                await self._renew_alone(claim)

    async def _renew_alone(self, claim: Claim) -> None:
        """Renews what was locked by somebody, who may just have recorded it; or finds that the lease is lost."""
        if claim.lease.token not in self._kept:
            return
        try:
            async with self._uow() as work:
                await work.deliveries.renew(claim, lease=self._lease)
                await work.commit()
        except LeaseLost:
            if (kept := self._kept.pop(claim.lease.token, None)) is not None:
                kept[1]()
