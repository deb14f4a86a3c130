"""A mail server with limits for its account, which refuses what is more as Exchange Online does."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

from tests.peers.faulty_smtp import FaultySmtp


class MeteredSmtp(FaultySmtp):
    """
    A `FaultySmtp` that takes so many messages *at_once*, and *in_span* of them within any *span*.

    What is more gets 432 4.3.2 after its content and is counted in `refusals`. Each message takes it *delay*.
    """

    def __init__(self, *, at_once: int, in_span: int, span: timedelta, delay: timedelta, **options: Any) -> None:
        super().__init__(**options)
        self.refusals = 0
        self.most_at_once = 0
        self._at_once, self._in_span, self._span, self._delay = at_once, in_span, span, delay
        self._submitting = 0
        self._taken: list[float] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str | None:  # noqa: N802
        now = time.monotonic()
        self._submitting += 1
        self.most_at_once = max(self.most_at_once, self._submitting)
        try:
            recent = sum(1 for each in self._taken if each > now - self._span.total_seconds())
            if self._submitting > self._at_once or recent >= self._in_span:
                self.refusals += 1
                return "432 4.3.2 Too much at a time for this mailbox"
            self._taken.append(now)
            await asyncio.sleep(self._delay.total_seconds())
            return await super().handle_DATA(server, session, envelope)
        finally:
            self._submitting -= 1
