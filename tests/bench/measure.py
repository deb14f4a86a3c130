"""Figures from samples: medians with their spread, percentiles, ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """What several rounds of one contestant gave."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.lowest)}–{number(self.highest)})"


def spread(samples: Sequence[float]) -> Spread:
    """Returns the median of *samples* with the lowest and the highest. Raises ValueError when there are none."""
    if not samples:
        raise ValueError("no round was measured")
    return Spread(statistics.median(samples), min(samples), max(samples))


def percentile(samples: Sequence[float], percent: float) -> float:
    """
    Returns the smallest sample that *percent* of all samples do not exceed (nearest rank).

    Raises ValueError when there are none.
    """
    if not samples:
        raise ValueError("no sample was taken")
    rank = -(-len(samples) * percent // 100)  # rounded up
    return sorted(samples)[max(int(rank), 1) - 1]


def number(value: float) -> str:
    """Writes *value* with three digits that count, and none less before the point."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
