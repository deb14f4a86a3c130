"""How long strangers' mail is made up and read: briefly in the ordinary suite, long before a release."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "MAILPORT_TESTS_READING"
"""``full`` asks for the full form; everything else is the quick one."""
SEED_VARIABLE: Final = "MAILPORT_TESTS_SEED"
"""A whole number repeats the choices of an earlier run; without it they are the same each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What one form does."""

    mutants: int
    """Broken messages broken further."""
    heaps: int
    """Messages out of pieces of mail at random."""


_QUICK: Final = Sizes(mutants=300, heaps=500)
_FULL: Final = Sizes(mutants=100_000, heaps=100_000)

SIZES: Final = _FULL if os.environ.get(VARIABLE) == "full" else _QUICK
SEED: Final = int(os.environ.get(SEED_VARIABLE, "20"))
