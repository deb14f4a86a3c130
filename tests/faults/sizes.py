"""How much the fault tests do: little in the ordinary suite, all of it before a release."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

VARIABLE: Final = "MAILPORT_TESTS_FAULTS"
"""``full`` asks for the full form; everything else is the quick one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What one form of the fault tests does."""

    expiries: int
    """Of the race, over all its grants."""
    kills: int
    """Of each behaviour of the provider."""
    outage: timedelta
    """How long the database is away between an answer and its commit."""
    drain_outage: timedelta
    """The same while a process stops, which waits for eight seconds."""
    fault_rounds: int
    """How often each transient fault strikes."""


_QUICK: Final = Sizes(
    expiries=100,
    kills=50,
    outage=timedelta(seconds=3),
    drain_outage=timedelta(seconds=1),
    fault_rounds=1,
)
_FULL: Final = Sizes(
    expiries=1_000,
    kills=300,
    outage=timedelta(seconds=30),
    drain_outage=timedelta(seconds=5),
    fault_rounds=5,
)

SIZES: Final = _FULL if os.environ.get(VARIABLE) == "full" else _QUICK
