"""What one mailbox is spared within this process: more than four requests at once, and any while it is to rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from domain.failures.failure import Failure
from domain.ports.environment import Clock

MOST_AT_ONCE: Final = 4
"""Requests for a mailbox (learn.microsoft.com/graph/throttling-limits#outlook-service-limits, seen 2026-11)."""

_A_MOMENT: Final = 0.01


@dataclass(slots=True)
class Gate:
    """The way to one mailbox."""

    slots: asyncio.Semaphore
    users: int = 0
    rest_until: datetime | None = None
    wish: Failure | None = field(default=None)
    """The refusal that asked for the rest; None: it came beside an acceptance."""

    def rest(self, until: datetime, wish: Failure | None) -> None:
        """Leaves the mailbox alone until then, unless it is left alone longer already."""
        if self.rest_until is None or until > self.rest_until:
            self.rest_until, self.wish = until, wish

    def resting_until(self, now: datetime) -> datetime | None:
        """Returns when the rest is over; None while there is none."""
        return self.rest_until if self.rest_until is not None and now < self.rest_until else None

    async def rested(self, clock: Clock) -> None:
        """Waits until the rest is over; the caller's time is the bound."""
        until = self.resting_until(clock.now())
        while until is not None:
            await asyncio.sleep(max(_A_MOMENT, (until - clock.now()).total_seconds()))
            until = self.resting_until(clock.now())


class Gates:
    """All mailboxes that are in use, or at rest."""

    def __init__(self, *, most: int = MOST_AT_ONCE) -> None:
        self._most = most
        self._gates: dict[str, Gate] = {}

    @asynccontextmanager
    async def turn(self, mailbox: str, now: datetime) -> AsyncIterator[Gate]:
        """
        Waits for a turn at *mailbox* and gives its gate; whoever has a turn makes one request at a time.

        Turns come in the order in which they were asked for.
        """
        self._forget_rested(now)
        gate = self._gates.setdefault(mailbox, Gate(asyncio.Semaphore(self._most)))
        gate.users += 1
        try:
            async with gate.slots:
                yield gate
        finally:
            gate.users -= 1

    def _forget_rested(self, now: datetime) -> None:
        for mailbox, gate in list(self._gates.items()):
            if not gate.users and gate.resting_until(now) is None:
                del self._gates[mailbox]
