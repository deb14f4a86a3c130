"""The machine's clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """`domain.ports.environment.Clock` on the machine's wall clock and monotonic clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        return timedelta(microseconds=time.monotonic_ns() // 1000)
