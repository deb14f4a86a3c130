"""The time that an attempt may take."""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final

from domain.ports.transport import Patience

_SHARE_OF_LOOKING: Final = 0.3
_LONGEST_LOOK: Final = 20.0
_RANGES_AT_LEAST: Final = 2
"""A range is larger than any other request: it may take twice as long."""


class Timer:
    """Gives out the seconds that the next request may take; less than nothing is nothing."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._overall_end = inf if patience.overall is None else self._now() + patience.overall.total_seconds()
        self._before_left = patience.until_content.total_seconds()
        self._files_left = patience.content.total_seconds()

    @property
    def overall_end(self) -> float | None:
        """When the time for all together is over, by the loop's clock; None: it has no end."""
        return None if self._overall_end == inf else self._overall_end

    def spent(self, seconds: float, *, on_files: bool) -> None:
        """Counts what a request took that was not the call that sends."""
        if on_files:
            self._files_left -= seconds
        else:
            self._before_left -= seconds

    def for_request(self) -> float:
        """Returns the seconds for a request that comes before the one that sends."""
        return self._bounded(min(self._patience.each_reply.total_seconds(), self._before_left))

    def for_file(self) -> float:
        """Returns the seconds for a request that carries a file, or a range of one."""
        reply = self._patience.each_reply.total_seconds() * _RANGES_AT_LEAST
        return self._bounded(min(reply, self._files_left))

    def for_sending(self) -> float:
        """Returns the seconds for the call that sends; it leaves some for looking what became of it."""
        left = (self._overall_end - self._now()) * (1 - _SHARE_OF_LOOKING)
        return max(0.0, min(self._patience.final_reply.total_seconds(), left))

    def for_looking(self) -> float:
        """Returns the seconds for finding out what became of a message."""
        return self._bounded(min(_LONGEST_LOOK, self._patience.final_reply.total_seconds()))

    def _bounded(self, seconds: float) -> float:
        return max(0.0, min(seconds, self._overall_end - self._now()))

    def _now(self) -> float:
        return self._loop.time()
