"""How much the proofs of delivery do: little in the ordinary suite, all of it before a release."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "MAILPORT_TESTS_PROOFS"
"""``full`` asks for the full form; everything else is the quick one."""
SEED_VARIABLE: Final = "MAILPORT_TESTS_SEED"
"""A whole number repeats the choices of an earlier run; without it each run makes its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What one form of the proofs does."""

    kills: int
    """Of replicas, in the crash storm (T1)."""
    graph_kills: int
    """Of replicas that send through Graph; as many of its answers are cut or lost."""
    throttled: int
    """Mails for one mailbox that Graph throttles."""
    zombies: int
    """Workers that wake after their lease (T4), over all the moments at which they are frozen."""


_QUICK: Final = Sizes(kills=30, graph_kills=15, throttled=80, zombies=20)
_FULL: Final = Sizes(kills=300, graph_kills=300, throttled=1_000, zombies=100)

IS_FULL: Final = os.environ.get(VARIABLE) == "full"
SIZES: Final = _FULL if IS_FULL else _QUICK
SEED: Final = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(2**32))


def chance(of: str) -> random.Random:
    """Returns the choices of the test that is called *of*, the same again with the same seed."""
    return random.Random(f"{SEED} {of}")
