"""The keeping part of a process: what has to be looked after from time to time, whether or not anybody calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from domain.errors import Unavailable
from service.logs import KEEPING_FAILED

_EVERY: Final = timedelta(minutes=10)
_AGAIN: Final = timedelta(seconds=10)
"""After a round that the store was away for."""

_logger = logging.getLogger(__name__)


class Keeper:
    """Looks after one thing, round by round, for as long as it runs; several may, in as many processes."""

    def __init__(
        self, *, keep: Callable[[], Awaitable[None]], every: timedelta = _EVERY, again: timedelta = _AGAIN
    ) -> None:
        self._keep = keep
        self._every = every
        self._again = again

    async def run(self) -> None:
        """Works until it is cancelled, which must cost nothing: each step is whole, or not the keeper's own."""
        while True:
            pause = self._every
            try:
                await self._keep()
            except Unavailable:
                pause = self._again
            except Exception:
                # Whatever it was, grants must not lapse, nor old mail pile up, until a person starts the process again.
                _logger.exception(KEEPING_FAILED)
            await asyncio.sleep(pause.total_seconds())
