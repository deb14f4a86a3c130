"""Sets of message numbers or UIDs (RFC 3501 section 9, sequence-set)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from service.sandbox.imap.answers import Malformed

STAR: Final = 0
"""Stands for ``*``; no number is 0."""

_LARGEST: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges as the client wrote them."""

    ranges: tuple[tuple[int, int], ...]

    def within(self, largest: int) -> list[range]:
        """Returns the ranges with ``*`` put in; *largest* is what it stands for."""
        found = []
        for first, last in self.ranges:
            low, high = sorted((first or largest, last or largest))
            found.append(range(low, high + 1))
        return found

    @property
    def largest(self) -> int:
        """Returns the largest number that is written out, 0 when there is none."""
        return max(max(pair) for pair in self.ranges)

    @property
    def has_star(self) -> bool:
        """Tells whether ``*`` is among them."""
        return any(STAR in pair for pair in self.ranges)


def parse_sequence_set(text: str) -> SequenceSet:
    """Reads a set. Raises Malformed."""
    ranges = []
    for piece in text.split(","):
        first, colon, last = piece.partition(":")
        ranges.append((_number(first), _number(last) if colon else _number(first)))
    return SequenceSet(tuple(ranges))


def _number(text: str) -> int:
    if text == "*":
        return STAR
    # Their lengths first: int() takes long for huge ones.
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= _LARGEST):
        raise Malformed("Invalid message set")
    return int(text)
