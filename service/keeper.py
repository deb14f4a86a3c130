"""The keeping part of a process: looks after the grants that nobody uses."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final

from domain.errors import Unavailable
from service.logs import KEEPING_FAILED
from service.usecases.keep_grants import KeepGrants

_EVERY: Final = timedelta(minutes=10)
_AGAIN: Final = timedelta(seconds=10)
"""After a round that the store was away for."""

_logger = logging.getLogger(__name__)


class Keeper:
    """Keeps grants, round by round, for as long as it runs; several may, in as many processes."""

    def __init__(self, *, keep: KeepGrants, every: timedelta = _EVERY, again: timedelta = _AGAIN) -> None:
        self._keep = keep
        self._every = every
        self._again = again

    async def run(self) -> None:
        """Works until it is cancelled, which costs nothing: refreshes under way are not the keeper's own."""
        while True:
            pause = self._every
            try:
                await self._keep()
            except Unavailable:
                pause = self._again
            except Exception:
                # Whatever it was, grants must not lapse until a person starts the process again.
                _logger.exception(KEEPING_FAILED)
            await asyncio.sleep(pause.total_seconds())
