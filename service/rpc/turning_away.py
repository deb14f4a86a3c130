"""The last moments before the server closes: calls are turned away in words, so that none is cut off without any."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from service.rpc.ending import shutting_down

_QUIET: Final = timedelta(milliseconds=100)
_AT_MOST: Final = timedelta(seconds=3)
_LATELY: Final = timedelta(seconds=1)


class TurningAway:
    """
    Lets calls in until `until_quiet`, and answers each with Unavailable from then on.

    gRPC (1.85) drops what it has read from a connection and not handed over when its server is stopped: the caller
    hears CANCELLED, and has to guess. So callers are sent elsewhere first, and the server stops when they have gone.
    """

    def __init__(self, *, quiet: timedelta = _QUIET, at_most: timedelta = _AT_MOST) -> None:
        self._quiet = quiet.total_seconds()
        self._at_most = at_most.total_seconds()
        self._has_begun = False
        self._running = 0
        self._last_news = float("-inf")

    @contextmanager
    def a_call(self) -> Iterator[None]:
        """Notes a call while it runs. Raises Unavailable SHUTTING_DOWN once callers are turned away."""
        self._last_news = self._now()
        if self._has_begun:
            raise shutting_down()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._last_news = self._now()

    async def until_quiet(self) -> None:
        """Turns callers away; returns when none has come or been answered for a while; at once if none was lately."""
        self._has_begun = True
        begin = self._now()
        if not self._running and begin - self._last_news > _LATELY.total_seconds():
            return
        # Who was answered just now calls again: he has to hear it from us, too.
        self._last_news = begin
        while (left := self._left()) > 0 and self._now() < begin + self._at_most:  # noqa: ASYNC110 - until nothing is
            await asyncio.sleep(min(left, begin + self._at_most - self._now()))

    def _left(self) -> float:
        """Returns for how long it has to stay as quiet as it is."""
        return self._quiet if self._running else self._last_news + self._quiet - self._now()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
