"""Mail broken at random, over and over: read without an error, within bounds, the same each time."""

from __future__ import annotations

import random

from tests.broken_mail.corpus import broken_messages
from tests.broken_mail.sizes import SEED, SIZES
from tests.unit.domain.reading.laws import check_any
from tests.unit.domain.reading.test_laws import FRAGMENTS

LARGEST = 64 * 1024


def broken_further(octets: bytes, chance: random.Random) -> bytes:
    """Cuts, doubles, swaps and overwrites pieces of *octets*."""
    mutant = bytearray(octets[:LARGEST])
    for _ in range(chance.randint(1, 8)):
        place = chance.randint(0, len(mutant))
        length = chance.choice((1, 2, 10, 100, 1000))
        match chance.randint(0, 5):
            case 0:
                del mutant[place : place + length]
            case 1:
                mutant[place:place] = mutant[place : place + length] * chance.randint(1, 5)
            case 2:
                mutant[place:place] = chance.choice(FRAGMENTS)
            case 3:
                mutant[place : place + 1] = chance.randbytes(1)
            case 4:
                mutant[place : place + length] = chance.randbytes(min(length, 20))
            case _:
                other = chance.randint(0, len(mutant))
                mutant[place:place] = mutant[other : other + length]
    return bytes(mutant[: 2 * LARGEST])


def test_given_the_corpus_broken_further_when_read_then_nothing_raises_and_bounds_hold() -> None:
    chance = random.Random(SEED)
    corpus = [broken.octets for broken in broken_messages()]

    for _ in range(SIZES.mutants):
        check_any(broken_further(chance.choice(corpus), chance))


def test_given_heaps_of_pieces_when_read_then_nothing_raises_and_bounds_hold() -> None:
    chance = random.Random(SEED)

    for _ in range(SIZES.heaps):
        check_any(b"".join(chance.choices(FRAGMENTS, k=chance.randint(1, 300))))
