"""How much the proofs about outages, deadlines, drain and overload do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.proofs.sizes import IS_FULL


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSizes:
    """What one form of these proofs does."""

    outages: int
    """Of the database (T5)."""
    restarts: int
    """Of replicas, by SIGTERM (T23)."""
    overload_seconds: float
    """How long five times the load lasts (T24)."""


_QUICK: Final = StormSizes(outages=5, restarts=20, overload_seconds=12)
_FULL: Final = StormSizes(outages=40, restarts=60, overload_seconds=300)

STORM: Final = _FULL if IS_FULL else _QUICK
