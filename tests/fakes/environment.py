"""Time that stands still until told otherwise, and chance that repeats."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """`domain.ports.environment.Clock`: `advance` moves both readings, `set` the wall clock alone."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._monotonic = timedelta(hours=1)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> timedelta:
        return self._monotonic

    def advance(self, span: timedelta) -> datetime:
        """Lets *span* pass and returns the new instant."""
        if span < timedelta(0):
            raise ValueError("time passes forwards; set() steps the wall clock back")
        self._now += span
        self._monotonic += span
        return self._now

    def set(self, now: datetime) -> None:
        """Sets the wall clock, as an operator or NTP does."""
        self._now = now


class FakeEntropy:
    """
    `domain.ports.environment.Entropy`: the same *seed*, the same values in the same order.

    `fractions` and `codes` are taken first, one a call, where a test wants a certain jitter or code.
    """

    def __init__(self, seed: int = 7, *, clock: FakeClock | None = None) -> None:
        self._random = random.Random(seed)
        self._clock = clock or FakeClock()
        self._made = 0
        self._last_ms = 0
        self.fractions: list[float] = []
        self.codes: list[str] = []

    def token(self, bits: int = 256) -> str:
        if bits < 128:
            raise ValueError("a token has at least 128 bits")
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return "".join(self._random.choices(alphabet, k=-(-bits // 6)))

    def uuid(self) -> UUID:
        self._last_ms = max(self._last_ms, int(self._clock.now().timestamp() * 1000))
        self._made += 1
        # A counter below the time keeps the order: 12 bits of it above the variant, the rest under it.
        high, low = self._made >> 30, self._made & (2**30 - 1)
        value = self._last_ms << 80 | 7 << 76 | high << 64 | 0b10 << 62 | low << 32 | self._random.getrandbits(32)
        return UUID(int=value)

    def fraction(self) -> float:
        return self.fractions.pop(0) if self.fractions else self._random.random()

    def code(self, digits: int) -> str:
        if digits < 4:
            raise ValueError("a code has at least 4 digits")
        if self.codes:
            return self.codes.pop(0)
        return f"{self._random.randrange(10**digits):0{digits}d}"
