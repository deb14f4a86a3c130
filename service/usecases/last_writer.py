"""A change without an etag: made again on what somebody else left, so that the last writer wins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from domain.errors import ConcurrentChange

_MOST_ROUNDS: Final = 100
"""In each round one of those who change the same record at once gets through."""

_T = TypeVar("_T")


async def last_writer_wins(change: Callable[[], Awaitable[_T]]) -> _T:
    """
    Returns what *change* returns, which reads, changes and stores in a unit of work of its own.

    It is called again when another call came between. Raises ConcurrentChange when a hundred did.
    """
    for _ in range(_MOST_ROUNDS - 1):
        try:
            return await change()
        except ConcurrentChange:
            continue
    return await change()
