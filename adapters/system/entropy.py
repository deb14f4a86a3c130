"""The operating system's random source, and identifiers ordered by time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final
from uuid import UUID

from domain.ports.environment import Clock

MIN_TOKEN_BITS: Final = 128
MIN_CODE_DIGITS: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class SystemEntropy:
    """`domain.ports.environment.Entropy` on the operating system's random source."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._random = secrets.SystemRandom()
        self._lock = Lock()
        self._last_ticks = 0

    def token(self, bits: int = 256) -> str:
        if bits < MIN_TOKEN_BITS:
            raise ValueError(f"a token of {bits} bits can be guessed; {MIN_TOKEN_BITS} are the least")
        return secrets.token_urlsafe(-(-bits // 8))

    def uuid(self) -> UUID:
        ticks = self._next_ticks()
        value = (ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
        return UUID(int=value)

    def fraction(self) -> float:
        return self._random.random()

    def code(self, digits: int) -> str:
        if digits < MIN_CODE_DIGITS:
            raise ValueError(f"a code of {digits} digits can be guessed; {MIN_CODE_DIGITS} are the least")
        return f"{secrets.randbelow(10**digits):0{digits}d}"

    def _next_ticks(self) -> int:
        """Returns the millisecond and 12 bits of its fraction, always above the last (RFC 9562 section 6.2)."""
        microseconds = (self._clock.now() - _EPOCH) // _MICROSECOND
        ticks = microseconds // 1000 << 12 | (microseconds % 1000 << 12) // 1000
        with self._lock:
            # A clock that stands still or steps back must not break the order: go on from the last value instead.
            self._last_ticks = max(ticks, self._last_ticks + 1)
            return self._last_ticks
