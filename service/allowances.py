"""Keeps what this process sends to what its accounts may send, together with every other process on the store."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from domain.account import Account
from domain.allowance import Allowance, throttles
from domain.configuration import Configuration
from domain.delivery import Delivery
from domain.errors import Unavailable
from domain.failures.failure import Failure, Stage
from domain.limits import AccountLimits
from domain.ports.delivery_queue import Claim
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.settings.limits import limits_of
from service.usecases.known_configurations import KnownConfigurations

LANES_PER_ACCOUNT: Final = 5
"""Attempts at once for one configuration, so that a stuck server holds its share at most (P8, F25)."""
MOST_LANES_PER_ACCOUNT: Final = 16
"""The same for one that is set to more connections: half of a process's lanes."""
SHARE_LEASE: Final = timedelta(seconds=60)
"""How long a process that died keeps its connections from others."""
_SHARE_KEPT: Final = timedelta(seconds=15)
"""After its last use: a connection stays open for 8 s when it is idle, and the server counts it."""
_ASK_AGAIN: Final = timedelta(seconds=2)
"""For connections, when other processes have all of them."""
_LOOK_AGAIN: Final = timedelta(seconds=1)
"""For accounts that other processes saw throttled."""
_NOT_OFFERED: Final = frozenset(
    {Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.EHLO, Stage.AUTH, Stage.TOKEN, Stage.MAIL_FROM}
)
"""An attempt that ended here had no recipient that the provider would count."""


@dataclass(slots=True)
class _Share:
    """Connections of one account that this process may open."""

    connections: int
    most: int
    """For all processes together."""
    asked: timedelta
    """When it was given or prolonged last, by the process's monotonic clock."""
    used: timedelta


class Allowances:
    """
    What this process knows of accounts with limits; what counts is in the store, locked while it is changed.

    An account without limits that nobody has throttled costs a look into memory. One that may not send now is parked in
    the store (`Allowances.save`), and `someone_may_go` tells when that is over.
    """

    def __init__(self, *, uow: Callable[[], UnitOfWork], known: KnownConfigurations, clock: Clock, worker: str) -> None:
        self._uow = uow
        self._known = known
        self._clock = clock
        self._worker = worker
        self._shares: dict[Account, _Share] = {}
        self._without_share: dict[Account, timedelta] = {}
        """Until when each is passed over here, by the monotonic clock."""
        self._wakes: dict[Account, timedelta] = {}
        self._somebody_waits = asyncio.Event()
        self._lowered: frozenset[Account] = frozenset()
        self._looked: timedelta | None = None

    def lanes(self, account: Account) -> int:
        """Returns how many attempts of *account* this process may make at once."""
        share = self._shares.get(account)
        return LANES_PER_ACCOUNT if share is None else share.connections

    def passed_over(self) -> frozenset[Account]:
        """Returns the accounts all of whose connections other processes have."""
        now = self._now
        self._without_share = {account: until for account, until in self._without_share.items() if until > now}
        return frozenset(self._without_share)

    def may_go_straight(self, account: Account) -> bool:
        """
        Tells whether mail of *account* may go out without a claim, which would ask here; of one not known it may not.

        That is so without limits, and where connections alone are limited, once this process has all it can use.
        """
        configuration = self._known.latest(account)
        if configuration is None or account in self._lowered or self._wakes.get(account, self._now) > self._now:
            return False
        limits = _limits(configuration)
        if limits.connections is None or not replace(limits, connections=None).are_none:
            return limits.are_none
        share = self._shares.get(account)
        return share is not None and share.connections >= min(limits.connections, MOST_LANES_PER_ACCOUNT)

    async def admission(self, work: UnitOfWork, *, held: Callable[[Account], int], ahead: bool = False) -> Admission:
        """
        Returns what a claim in *work* asks; *held* counts claims here already. *ahead*: more than it has lanes.

        Raises Unavailable, as whatever asks the store does.
        """
        if self._looked is None or self._now - self._looked >= _LOOK_AGAIN:
            self._lowered = await work.allowances.lowered()
            self._looked = self._now
        return Admission(self, work, held=held, ahead=ahead)

    async def someone_may_go(self) -> None:
        """Returns when an account that had to wait may go on; while there is none, it waits for one."""
        while True:
            self._somebody_waits.clear()
            first = min((*self._wakes.values(), *self._without_share.values()), default=None)
            if first is not None and first <= self._now:
                break
            try:
                async with asyncio.timeout((first - self._now).total_seconds() if first is not None else None):
                    await self._somebody_waits.wait()
            except TimeoutError:
                break
        self._wakes = {account: at for account, at in self._wakes.items() if at > self._now}
        self.passed_over()

    def refused(self, account: Account, failure: Failure | None) -> bool:
        """
        Tells whether *failure*, just heard, says that the account sends too much; then nothing of it is claimed here.

        That holds for a moment, until the store knows it by `attempted`: else what goes on meanwhile is as hasty.
        """
        if not throttles(failure):
            return False
        self._lowered |= {account}
        return self.paused(account)

    def paused(self, account: Account) -> bool:
        """Lets nothing of *account* be claimed here for a moment, until the store knows why by `rested`; always so."""
        self._without_share[account] = self._now + _ASK_AGAIN
        return True

    async def rested(self, claim: Claim, wait: timedelta) -> None:
        """
        Lets the account rest for *wait*, as its provider wants it; what it may send stays as it is.

        A store that is away is not waited for, see `attempted`.
        """
        await self._change(claim, lambda allowance, now: allowance.rested(now + wait, now=now))

    async def attempted(self, claim: Claim, after: Delivery) -> None:
        """
        Learns from an attempt: lowers the allowance of who is throttled, gives back what the server never saw.

        A store that is away is not waited for: the next answer of the server tells the same.
        """
        failure = after.failure
        if failure is None:
            return
        if throttles(failure):
            await self._change(claim, lambda allowance, now: allowance.lowered(failure, now=now))
            self._lowered |= {claim.account}
        elif failure.stage in _NOT_OFFERED:
            await self.returned(claim)

    async def returned(self, claim: Claim) -> None:
        """Gives back what was counted for a claim that did not come to be sent."""
        limits = self._limits_known(claim)
        if limits.messages_per_day is None and limits.recipients_per_day is None:
            return
        recipients = len(claim.delivery.to_try())
        await self._change(claim, lambda allowance, now: allowance.given_back(recipients, now=now))

    async def keep(self, held: Callable[[Account], int]) -> None:
        """
        Prolongs the shares that are in use, *held* counting the claims here, and gives back the others.

        To be called every few seconds. Raises Unavailable; what was not reached is tried with the next call.
        """
        for account, share in list(self._shares.items()):
            now = self._now
            if held(account):
                share.used = now
            if now - share.used >= _SHARE_KEPT:
                async with self._uow() as work:
                    await work.allowances.end_share(account, worker=self._worker)
                    await work.commit()
                self._shares.pop(account, None)
            elif now - share.asked >= SHARE_LEASE / 3:
                async with self._uow() as work:
                    await work.allowances.lock(account)
                    share.connections = await work.allowances.share(
                        account, worker=self._worker, wanted=share.connections, most=share.most, lease=SHARE_LEASE
                    )
                    await work.commit()
                share.asked = now

    async def end(self) -> None:
        """Gives all shares back, as the process ends; where the store is away, they run out by themselves."""
        for account in list(self._shares):
            try:
                async with self._uow() as work:
                    await work.allowances.end_share(account, worker=self._worker)
                    await work.commit()
            except Unavailable:
                return  # they run out by themselves
            self._shares.pop(account, None)

    async def limits(self, work: UnitOfWork, claim: Claim) -> AccountLimits:
        """Returns the limits of the claim's account as they are set now."""
        configuration = self._known.of_version(claim.account, claim.version) if claim.version is not None else None
        if configuration is None and claim.version is not None:
            configuration = await work.configurations.find(claim.account.tenant, claim.account.configuration_id)
            if configuration is not None:
                self._known.learn(configuration)
        return AccountLimits() if configuration is None else _limits(configuration)

    def is_lowered(self, account: Account) -> bool:
        """Tells whether it was lowered, as far as was known a second ago."""
        return account in self._lowered

    async def share(self, work: UnitOfWork, account: Account, *, wanted: int, most: int | None) -> _Share | None:
        """Returns the share that this process has from now on, once *work* is committed; None where none is needed."""
        share = self._shares.get(account)
        if most is None:
            if share is not None:
                await work.allowances.end_share(account, worker=self._worker)
            return None
        wanted = min(wanted, MOST_LANES_PER_ACCOUNT, most)
        is_fresh = share is not None and self._now - share.asked < SHARE_LEASE / 2
        if share is not None and is_fresh and share.most == most and share.connections >= wanted:
            return share
        connections = await work.allowances.share(
            account, worker=self._worker, wanted=wanted, most=most, lease=SHARE_LEASE
        )
        return _Share(connections=connections, most=most, asked=self._now, used=self._now)

    def note(self, account: Account, share: _Share | None, wait: timedelta | None) -> None:
        """Takes note of what a committed claim found: the share, and for how long the account has to wait."""
        if share is None:
            self._shares.pop(account, None)
        elif share.connections:
            self._shares[account] = share
            share.used = self._now
        else:
            self._shares.pop(account, None)
            self._without_share[account] = self._now + _ASK_AGAIN
        if wait is not None:
            self._wakes[account] = self._now + wait
        self._somebody_waits.set()

    def has_share(self, account: Account) -> bool:
        """Tells whether connections of *account* are counted here."""
        return account in self._shares

    async def _change(self, claim: Claim, change: Callable[[Allowance, datetime], Allowance]) -> None:
        limits = self._limits_known(claim)
        try:
            async with self._uow() as work:
                stored = await work.allowances.lock(claim.account)
                allowance = change(stored.allowance, stored.now)
                free = allowance.free_time(limits, 1, now=stored.now)
                wait_until = free if free > stored.now else None
                await work.allowances.save(claim.account, allowance, wait_until=wait_until)
                await work.commit()
        except Unavailable:
            return
        self._wakes[claim.account] = self._now + (free - stored.now)
        self._somebody_waits.set()

    @property
    def _now(self) -> timedelta:
        return self._clock.monotonic()

    def _limits_known(self, claim: Claim) -> AccountLimits:
        configuration = self._known.latest(claim.account)
        return AccountLimits() if configuration is None else _limits(configuration)


class Admission:
    """
    Chooses among what one claim found, within its unit of work (`domain.ports.delivery_queue.Admit`).

    Nothing counts before the unit is committed; `committed` says that it is.
    """

    def __init__(self, book: Allowances, work: UnitOfWork, *, held: Callable[[Account], int], ahead: bool) -> None:
        self._book = book
        self._work = work
        self._held = held
        self._ahead = ahead
        self._found: dict[Account, tuple[_Share | None, timedelta | None]] = {}
        self.has_refused = False
        """Whether something was left, so that more may be due of others."""

    async def __call__(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Returns those that may go now: all of an account without limits."""
        together: defaultdict[Account, list[Claim]] = defaultdict(list)
        for claim in claims:
            together[claim.account].append(claim)
        chosen: dict[Account, list[Claim]] = {}
        for account in sorted(together, key=lambda each: (each.tenant, each.configuration_id)):
            limits = await self._book.limits(self._work, together[account][0])
            if not limits.are_none or self._book.is_lowered(account) or self._book.has_share(account):
                chosen[account] = await self._choose(account, limits, together[account])
        if not chosen:
            return claims
        admitted = [claim for account, found in together.items() for claim in chosen.get(account, found)]
        self.has_refused = len(admitted) < len(claims)
        return admitted

    def committed(self) -> None:
        """Lets what was found hold."""
        for account, (share, wait) in self._found.items():
            self._book.note(account, share, wait)

    async def _choose(self, account: Account, limits: AccountLimits, claims: list[Claim]) -> list[Claim]:
        stored = await self._work.allowances.lock(account)
        now, allowance = stored.now, stored.allowance.settled(now=stored.now)
        held = self._held(account)
        most = allowance.in_force(limits, now=now).connections
        share = await self._book.share(self._work, account, wanted=held + len(claims), most=most)
        room = len(claims)
        if share is not None and (not self._ahead or not share.connections):
            room = max(0, share.connections - held)
        chosen: list[Claim] = []
        wait_until: datetime | None = None
        for claim in claims[:room]:
            recipients = len(claim.delivery.to_try())
            free = allowance.free_time(limits, recipients, now=now)
            if free > now:
                wait_until = free
                break
            allowance = allowance.after(limits, recipients, now=now)
            chosen.append(claim)
        await self._work.allowances.save(account, allowance, wait_until=wait_until)
        self._found[account] = share, wait_until - now if wait_until is not None else None
        return chosen


def _limits(configuration: Configuration) -> AccountLimits:
    return AccountLimits() if configuration.active is None else limits_of(configuration.active.settings)
