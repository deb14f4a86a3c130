"""Whether the event loop is late: then it has more to do than it can, and every call waits for the others."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from domain.ports.environment import Clock

_LOOK_EVERY: Final = timedelta(milliseconds=100)
_LATE: Final = timedelta(milliseconds=20)
"""What one turn of a loop with work for all takes, twice over."""
_HELD_FOR: Final = timedelta(seconds=1)
"""For how long being late once counts, so that what is refused does not change with each turn."""


class Lateness:
    """Looks at the clock ten times a second, from `run` on."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._late_until = timedelta(0)

    def __call__(self) -> bool:
        """Tells whether the loop was late within the last second."""
        return self._clock.monotonic() < self._late_until

    async def run(self) -> None:
        """Looks until it is cancelled."""
        while True:
            due = self._clock.monotonic() + _LOOK_EVERY
            await asyncio.sleep(_LOOK_EVERY.total_seconds())
            now = self._clock.monotonic()
            if now - due >= _LATE:
                self._late_until = now + _HELD_FOR
