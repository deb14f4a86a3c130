"""Turns at mailboxes behind an API, for this process together with every other one on the store."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from domain.errors import Unavailable
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.providers.microsoft import REQUESTS_AT_ONCE
from domain.turns import ALL_TAKEN, Place, Resting, TurnTold

LEASE: Final = timedelta(seconds=20)
"""How long a process that died keeps its turns from others."""
_PROLONG_EVERY: Final = LEASE / 4
_LOOK_AGAIN: Final = timedelta(milliseconds=100)
"""For a turn that another process gives back; of this one's own it is heard at once."""


class Turns:
    """A `domain.ports.turns.Turns`; one object a process."""

    def __init__(
        self, *, uow: Callable[[], UnitOfWork], clock: Clock, name: str = "", most: int = REQUESTS_AT_ONCE
    ) -> None:
        """*name*: the process's, which its tickets begin with. *most*: turns at a place at once."""
        self._name = name
        self._uow = uow
        self._clock = clock
        self._most = most
        self._waiting: dict[Place, asyncio.Event] = {}
        """Who waits here hears by it that a turn of this process has ended."""
        self._leaving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def turn(self, place: Place, *, within: timedelta) -> AsyncIterator[_Turn]:
        """See the port."""
        ticket = f"{self._name} {secrets.token_hex(16)}"
        try:
            await self._come(place, ticket, within)
            keeping = asyncio.create_task(self._keep(place, ticket), name="keep a turn")
            try:
                yield _Turn(self._uow, place)
            finally:
                keeping.cancel()
                await asyncio.wait([keeping])  # or what it just asks for would bring back a ticket that was left
        finally:
            await self._leave(place, ticket)

    async def _come(self, place: Place, ticket: str, within: timedelta) -> None:
        """Returns when the turn has come."""
        deadline = self._clock.monotonic() + within
        while True:
            try:
                told = await self._ask(place, ticket)
            except Unavailable:
                if self._clock.monotonic() >= deadline:
                    raise
                await asyncio.sleep(_LOOK_AGAIN.total_seconds())  # it may be back in a moment, and nothing is lost
                continue
            if told.is_given:
                return
            left = deadline - self._clock.monotonic()
            if told.rest > left:
                raise Resting(told.rest, is_told=True)
            if left <= timedelta(0):
                raise Resting(ALL_TAKEN, is_told=False)
            await self._pause(place, told.rest or min(left, _LOOK_AGAIN), is_rest=bool(told.rest))

    async def _pause(self, place: Place, pause: timedelta, *, is_rest: bool) -> None:
        if is_rest:
            # Its lease must not run out meanwhile, or others would come to stand before it.
            await asyncio.sleep(min(pause, _PROLONG_EVERY).total_seconds())
            return
        news = self._waiting.setdefault(place, asyncio.Event())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await news.wait()

    async def _ask(self, place: Place, ticket: str) -> TurnTold:
        async with self._uow() as work:
            told = await work.turns.ask(place, ticket=ticket, most=self._most, lease=LEASE)
            await work.commit()
        return told

    async def _keep(self, place: Place, ticket: str) -> None:
        while True:
            await asyncio.sleep(_PROLONG_EVERY.total_seconds())
            with contextlib.suppress(Unavailable):  # others cannot take it either
                await self._ask(place, ticket)

    async def _leave(self, place: Place, ticket: str) -> None:
        """Gives the ticket back, also when whoever held it is cancelled; where the store is away, it runs out."""
        task = asyncio.create_task(self._left(place, ticket), name="leave a turn")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        await asyncio.shield(task)

    async def _left(self, place: Place, ticket: str) -> None:
        with contextlib.suppress(Unavailable):
            async with self._uow() as work:
                await work.turns.leave(place, ticket=ticket)
                await work.commit()
        if (news := self._waiting.pop(place, None)) is not None:
            news.set()


class _Turn:
    """A `domain.ports.turns.Turn`."""

    def __init__(self, uow: Callable[[], UnitOfWork], place: Place) -> None:
        self._uow = uow
        self._place = place

    async def resting(self) -> timedelta:
        """See the port."""
        try:
            async with self._uow() as work:
                return await work.turns.resting(self._place)
        except Unavailable:
            return timedelta(0)

    async def rest(self, wait: timedelta) -> None:
        """See the port."""
        with contextlib.suppress(Unavailable):
            async with self._uow() as work:
                await work.turns.rest(self._place, wait=wait)
                await work.commit()
