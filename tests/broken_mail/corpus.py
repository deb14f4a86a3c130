"""Five hundred messages that break an RFC, each with what is wrong with it and what can be read nevertheless."""

from __future__ import annotations

import random
from dataclasses import dataclass

from domain.reading import Defect
from tests.broken_mail.broken_headers import HEADER_CATEGORIES
from tests.broken_mail.broken_structures import STRUCTURE_CATEGORIES
from tests.broken_mail.broken_texts import TEXT_CATEGORIES

CATEGORIES = {**HEADER_CATEGORIES, **STRUCTURE_CATEGORIES, **TEXT_CATEGORIES}
COUNT = 500


@dataclass(frozen=True, slots=True)
class BrokenMessage:
    """One message of the corpus."""

    category: str
    octets: bytes
    defects: frozenset[Defect]
    """Exactly what a reader flags."""
    readable: tuple[str, ...]
    """What stands somewhere in the subject, the bodies, the names or the addresses that are read."""


def broken_messages(count: int = COUNT, *, seed: int = 8) -> list[BrokenMessage]:
    """Returns *count* messages, the categories in turn; the same ones for the same *seed*."""
    chance = random.Random(seed)
    names = list(CATEGORIES)
    made = []
    for index in range(count):
        name = names[index % len(names)]
        octets, defects, readable = CATEGORIES[name](chance)
        made.append(BrokenMessage(name, octets, frozenset(defects), tuple(readable)))
    return made
