"""How many calls may run at once: in all, and of one tenant, so that none is starved by another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from domain.errors import Overloaded

MOST_CALLS: Final = 256
MOST_CALLS_PER_TENANT: Final = 32
_RETRY_AFTER: Final = timedelta(seconds=1)


class LoadBound:
    """Counts the calls of one process; what is above a bound is refused at once rather than queued."""

    def __init__(self, *, in_all: int = MOST_CALLS, per_tenant: int = MOST_CALLS_PER_TENANT) -> None:
        self._in_all = in_all
        self._per_tenant = per_tenant
        self._running = 0
        self._running_of: Counter[str] = Counter()

    @contextmanager
    def a_call(self) -> Iterator[None]:
        """Counts a call while it runs. Raises Overloaded when too many run."""
        if self._running >= self._in_all:
            raise _overloaded("mailport answers as many calls at once as it can.")
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @contextmanager
    def of_tenant(self, tenant: str) -> Iterator[None]:
        """Counts a call of *tenant* while it runs. Raises Overloaded when it has its whole share already."""
        if self._running_of[tenant] >= self._per_tenant:
            raise _overloaded(f"{self._per_tenant} calls of your tenant are being answered, which is its share.")
        self._running_of[tenant] += 1
        try:
            yield
        finally:
            self._running_of[tenant] -= 1
            if not self._running_of[tenant]:
                del self._running_of[tenant]


def _overloaded(message: str) -> Overloaded:
    return Overloaded(message, remedy="Call again after the delay, with fewer calls at once.", retry_after=_RETRY_AFTER)
