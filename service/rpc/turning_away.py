"""The last moments before the server closes: calls are turned away in words, so that none is cut off without any."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

from service.rpc.ending import shutting_down

_QUIET: Final = timedelta(milliseconds=100)
_AT_MOST: Final = timedelta(seconds=1)


class TurningAway:
    """
    Lets calls in until `until_quiet`, and answers each with Unavailable from then on.

    gRPC (1.85) drops what it has read from a connection and not handed over when its server is stopped: the caller
    hears CANCELLED, and has to guess. So callers are sent elsewhere first, and the server is stopped when they have gone.
    """

    def __init__(self, *, quiet: timedelta = _QUIET, at_most: timedelta = _AT_MOST) -> None:
        self._quiet = quiet.total_seconds()
        self._at_most = at_most.total_seconds()
        self._has_begun = False
        self._last_call = float("-inf")

    def a_call(self) -> None:
        """Notes a call. Raises Unavailable SHUTTING_DOWN once callers are turned away."""
        self._last_call = asyncio.get_running_loop().time()
        if self._has_begun:
            raise shutting_down()

    async def until_quiet(self) -> None:
        """Turns callers away; returns when none has come for a while, at once where none came lately."""
        self._has_begun = True
        now = asyncio.get_running_loop().time
        begin = now()
        # Who called lately calls again: another attempt may be on its way even if nobody has come for a moment.
        quiet_since = begin if begin - self._last_call < self._at_most else float("-inf")
        while (left := max(quiet_since, self._last_call) + self._quiet - now()) > 0 and now() < begin + self._at_most:
            await asyncio.sleep(left)
