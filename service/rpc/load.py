"""How many calls may run at once: in all, and of one tenant, so that none is starved by another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from domain.errors import Overloaded
from domain.ports.environment import Clock

MOST_CALLS: Final = 256
MOST_CALLS_PER_TENANT: Final = 32
LEAST_SHARE: Final = 8
"""Calls that a tenant may have while the process is late, however many others call."""
RETRY_AFTER: Final = timedelta(seconds=1)
LONGEST_RETRY: Final = timedelta(seconds=10)
"""What a caller is asked to wait at most, however many are refused."""
_REMEMBERED: Final = timedelta(seconds=1)


class LoadBound:
    """
    Counts the calls of one process; what is above a bound is refused at once rather than queued.

    A tenant may have its bound of them. While the process is late and others call too, that bound is shared with them:
    more calls of one tenant would make those of everybody else slower (P8). Who is refused often is asked to come back
    later, since refusing costs time, too.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        in_all: int = MOST_CALLS,
        per_tenant: int = MOST_CALLS_PER_TENANT,
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        """*is_late* tells whether calls wait for each other now, see `service.rpc.lateness`."""
        self._clock = clock
        self._in_all = in_all
        self._per_tenant = per_tenant
        self._is_late = is_late
        self._running = 0
        self._running_of: Counter[str] = Counter()
        self._refused_of: dict[str, tuple[float, timedelta]] = {}
        """Refusals of late, each counting less as time passes, and when that was counted; by tenant."""

    @contextmanager
    def a_call(self) -> Iterator[None]:
        """Counts a call while it runs. Raises Overloaded when too many run."""
        if self._running >= self._in_all:
            raise _overloaded("mailport answers as many calls at once as it can.", RETRY_AFTER)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @contextmanager
    def of_tenant(self, tenant: str) -> Iterator[None]:
        """Counts a call of *tenant* while it runs. Raises Overloaded when it has its whole share already."""
        share = self._share_of(tenant)
        if self._running_of[tenant] >= share:
            message = f"{share} calls of your tenant are being answered, which is its share."
            raise _overloaded(message, self._retry_after(tenant, share))
        self._running_of[tenant] += 1
        try:
            yield
        finally:
            self._running_of[tenant] -= 1
            if not self._running_of[tenant]:
                del self._running_of[tenant]

    def remembered(self) -> frozenset[str]:
        """Returns the tenants that were refused of late."""
        return frozenset(self._refused_of)

    def _share_of(self, tenant: str) -> int:
        """Returns how many calls *tenant* may have now."""
        tenants = len(self._running_of.keys() | {tenant})
        if tenants == 1 or not self._is_late():
            return self._per_tenant
        return min(self._per_tenant, max(LEAST_SHARE, self._per_tenant // tenants))

    def _retry_after(self, tenant: str, share: int) -> timedelta:
        """Counts a refusal, and returns when about as many as *tenant* may have would come back in a second."""
        now = self._clock.monotonic()
        if len(self._refused_of) > MOST_CALLS:
            self._refused_of = {each: late for each, late in self._refused_of.items() if now - late[1] < _REMEMBERED}
        refused, counted = self._refused_of.get(tenant, (0.0, now))
        refused = refused * max(0.0, 1 - (now - counted) / _REMEMBERED) + 1
        self._refused_of[tenant] = refused, now
        return min(LONGEST_RETRY, max(RETRY_AFTER, RETRY_AFTER * (refused / share)))


def _overloaded(message: str, retry_after: timedelta) -> Overloaded:
    return Overloaded(message, remedy="Call again after the delay, with fewer calls at once.", retry_after=retry_after)
