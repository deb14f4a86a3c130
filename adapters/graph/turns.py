"""Turns at mailboxes within one process: what a transport goes by that is given no better."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from domain.ports.environment import Clock
from domain.providers.microsoft import REQUESTS_AT_ONCE
from domain.turns import ALL_TAKEN, LONGEST_REST, Place, Resting

_NO_TIME: Final = timedelta(0)


@dataclass(slots=True)
class _Mailbox:
    slots: asyncio.Semaphore
    users: int = 0
    rest_until: timedelta = field(default=_NO_TIME)
    """By the monotonic clock."""


class TurnsHere:
    """A `domain.ports.turns.Turns` of this process alone."""

    def __init__(self, *, clock: Clock, most: int = REQUESTS_AT_ONCE) -> None:
        self._clock = clock
        self._most = most
        self._mailboxes: dict[Place, _Mailbox] = {}

    @asynccontextmanager
    async def turn(self, place: Place, *, within: timedelta) -> AsyncIterator[_TurnHere]:
        """See the port."""
        self._forget_rested()
        deadline = self._clock.monotonic() + within
        mailbox = self._mailboxes.setdefault(place, _Mailbox(asyncio.Semaphore(self._most)))
        turn = _TurnHere(mailbox, self._clock)
        mailbox.users += 1
        try:
            await self._rested(turn, deadline)
            await self._slot(mailbox, deadline)
            try:
                await self._rested(turn, deadline)  # whoever had it before may have been told to
                yield turn
            finally:
                mailbox.slots.release()
        finally:
            mailbox.users -= 1

    async def _rested(self, turn: _TurnHere, deadline: timedelta) -> None:
        while (wait := await turn.resting()) > _NO_TIME:
            if self._clock.monotonic() + wait > deadline:
                raise Resting(wait, is_told=True)
            await asyncio.sleep(wait.total_seconds())

    async def _slot(self, mailbox: _Mailbox, deadline: timedelta) -> None:
        left = max(_NO_TIME, deadline - self._clock.monotonic())
        try:
            async with asyncio.timeout(left.total_seconds()):
                await mailbox.slots.acquire()
        except TimeoutError:
            raise Resting(ALL_TAKEN, is_told=False) from None

    def _forget_rested(self) -> None:
        now = self._clock.monotonic()
        for place, mailbox in list(self._mailboxes.items()):
            if not mailbox.users and mailbox.rest_until <= now:
                del self._mailboxes[place]


class _TurnHere:
    """A `domain.ports.turns.Turn`."""

    def __init__(self, mailbox: _Mailbox, clock: Clock) -> None:
        self._mailbox = mailbox
        self._clock = clock

    async def resting(self) -> timedelta:
        """See the port."""
        return max(_NO_TIME, self._mailbox.rest_until - self._clock.monotonic())

    async def rest(self, wait: timedelta) -> None:
        """See the port."""
        until = self._clock.monotonic() + min(wait, LONGEST_REST)
        self._mailbox.rest_until = max(self._mailbox.rest_until, until)
