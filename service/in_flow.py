"""New mail waits a moment while its account has plenty here: accepted faster than it leaves, it costs more."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from domain.account import Account
from domain.delivery import Delivery

PLENTY: Final = 64
"""Deliveries of an account: enough to keep its lanes busy until the next ones are stored."""
DELAY: Final = timedelta(seconds=0.25)
"""What Postfix's in_flow_delay is there for (postconf(5)), a quarter of it: a second is far more than a call takes."""


class Lanes(Protocol):
    """Who delivers what is let in; see `service.worker.Worker`."""

    def ahead_of(self, delivery: Delivery) -> int | None: ...

    def hear_of_room(self, listener: Callable[[Account], None]) -> None: ...


class InFlow:
    """
    Lets mail of one account in as fast as its server takes it, and some more.

    What goes straight from its acceptance to a lane costs far less than what is stored and claimed later, so callers
    that are faster than the mail server would slow down its deliveries, and themselves with them. Nobody waits whose
    server is slow, as that would help nothing; nobody waits longer than `DELAY`; accounts do not wait for each other.
    """

    def __init__(
        self,
        *,
        lanes: Lanes | None = None,
        plenty: int = PLENTY,
        delay: timedelta = DELAY,
    ) -> None:
        """*lanes* None: nothing is delivered here, so nobody waits."""
        self.callers = 0
        """How many are being let in or accepted, of all accounts."""
        self._lanes = lanes
        self._plenty = plenty
        self._delay = delay
        self._inside: Counter[Account] = Counter()
        """How many are being accepted, by account."""
        self._waiting: defaultdict[Account, deque[tuple[Delivery, asyncio.Future[None]]]] = defaultdict(deque)
        if lanes is not None:
            lanes.hear_of_room(self._let_in)

    def entering(self, delivery: Delivery, within: timedelta) -> Entering:
        """Holds a place while *delivery* is being accepted; ``async with`` waits for one, *within* at most."""
        return Entering(self, delivery, within)

    async def enter(self, delivery: Delivery, within: timedelta) -> None:
        """Takes a place, which `leave` gives back."""
        account = Account(delivery.tenant, delivery.configuration_id)
        self.callers += 1
        try:
            if account in self._waiting or self._has_plenty(account, delivery):
                await self._wait(account, delivery, max(timedelta(0), min(within, self._delay)))
            else:
                self._inside[account] += 1
        except BaseException:
            self.callers -= 1
            raise

    def leave(self, delivery: Delivery) -> None:
        """Gives a place back."""
        self.callers -= 1
        self._leave(Account(delivery.tenant, delivery.configuration_id))

    def _has_plenty(self, account: Account, delivery: Delivery) -> bool:
        held = self._lanes.ahead_of(delivery) if self._lanes is not None else None
        return held is not None and held + self._inside[account] >= self._plenty

    async def _wait(self, account: Account, delivery: Delivery, delay: timedelta) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[account].append((delivery, turn))
        try:
            await asyncio.wait([turn], timeout=delay.total_seconds())
        except asyncio.CancelledError:
            if turn.done():
                self._leave(account)
            raise
        finally:
            if turn.cancel():  # nobody let it in
                self._forget_those_who_left(account)
        if turn.cancelled():
            self._inside[account] += 1

    def _leave(self, account: Account) -> None:
        self._inside[account] -= 1
        if not self._inside[account]:
            del self._inside[account]
        self._let_in(account)

    def _let_in(self, account: Account) -> None:
        """Lets in those who have waited longest, as far as there is room."""
        while (waiting := self._waiting.get(account)) and not self._has_plenty(account, waiting[0][0]):
            _, turn = waiting.popleft()
            if not turn.done():
                self._inside[account] += 1
                turn.set_result(None)
            if not waiting:
                del self._waiting[account]

    def _forget_those_who_left(self, account: Account) -> None:
        if (waiting := self._waiting.get(account)) is None:
            return
        while waiting and waiting[0][1].done():
            waiting.popleft()
        if not waiting:
            del self._waiting[account]


class Entering:
    """A place of one delivery; a class, since each message passes one."""

    __slots__ = ("_delivery", "_flow", "_within")

    def __init__(self, flow: InFlow, delivery: Delivery, within: timedelta) -> None:
        self._flow = flow
        self._delivery = delivery
        self._within = within

    async def __aenter__(self) -> None:
        await self._flow.enter(self._delivery, self._within)

    async def __aexit__(self, *_: object) -> None:
        self._flow.leave(self._delivery)
