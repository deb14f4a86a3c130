"""Turns that nobody keeps by not taking what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

import pytest

from service.usecases.in_turn import in_turn

PACE = timedelta(milliseconds=20)


class Source:
    """Gives numbers, and knows whether it was closed."""

    def __init__(self, count: int, *, error: Exception | None = None) -> None:
        self.given = 0
        self.is_closed = False
        self._count = count
        self._error = error

    async def run(self) -> AsyncGenerator[int]:
        try:
            for number in range(self._count):
                self.given += 1
                yield number
            if self._error is not None:
                raise self._error
        finally:
            self.is_closed = True


async def test_given_a_taker_when_it_takes_all_then_the_turn_is_free_again_and_errors_come_last() -> None:
    turns, source = asyncio.Semaphore(1), Source(3, error=OSError("away"))
    taken = in_turn(source.run(), turns=turns, pace=PACE)

    told = [await anext(taken) for _ in range(3)]
    with pytest.raises(OSError, match="away"):
        await anext(taken)

    assert told == [0, 1, 2]
    assert source.is_closed
    assert not turns.locked()


async def test_given_a_taker_that_stalls_when_no_turn_is_free_then_it_loses_its_turn_and_nothing_it_was_given() -> None:
    turns, source = asyncio.Semaphore(1), Source(3)

    async with aclosing(in_turn(source.run(), turns=turns, pace=PACE)) as taken:
        first = await anext(taken)
        async with asyncio.timeout(5), turns:
            rest = [each async for each in taken]

    assert (first, rest, source.given, source.is_closed) == (0, [], 1, True)


async def test_given_a_taker_that_stalls_when_a_turn_is_free_then_it_keeps_its_own() -> None:
    turns, source = asyncio.Semaphore(2), Source(3)

    async with aclosing(in_turn(source.run(), turns=turns, pace=PACE)) as taken:
        told = [await anext(taken)]
        await asyncio.sleep(5 * PACE.total_seconds())
        told += [each async for each in taken]

    assert told == [0, 1, 2]


async def test_given_a_taker_that_leaves_when_closed_then_source_and_turn_are_given_up() -> None:
    turns, source = asyncio.Semaphore(1), Source(3)
    taken = in_turn(source.run(), turns=turns, pace=PACE)
    await anext(taken)

    await taken.aclose()

    assert source.is_closed
    assert not turns.locked()
