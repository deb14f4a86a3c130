"""Spans of time that were measured, in the words of the promises."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(spans: Sequence[float], percent: int) -> float:
    """Returns the value that *percent* of *spans* do not exceed (nearest rank); 0 of none."""
    ordered = sorted(spans)
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else 0.0
