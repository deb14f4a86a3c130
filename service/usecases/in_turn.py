"""A connection that a few may have at a time, and that nobody keeps from others by not taking what comes over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final, TypeVar

T = TypeVar("T")

_AGAIN_SECONDS: Final = 0.25


async def in_turn(source: AsyncGenerator[T], *, turns: asyncio.Semaphore, pace: timedelta) -> AsyncGenerator[T]:
    """
    Yields what *source* yields, which is begun when there is a turn and closed with it.

    Ends early, after what *source* has given already, when the taker has left that for longer than *pace* and no other
    turn is free: begin anew then. Raises what *source* raises.
    """
    given: asyncio.Queue[T | None] = asyncio.Queue()
    taking = asyncio.create_task(_give(source, given, turns, pace))
    try:
        while (each := await given.get()) is not None:
            yield each
            given.task_done()
        await taking
    finally:
        await ended(taking)


async def _give(
    source: AsyncGenerator[T], given: asyncio.Queue[T | None], turns: asyncio.Semaphore, pace: timedelta
) -> None:
    try:
        async with aclosing(source), turns:
            async for each in source:
                given.put_nowait(each)
                while not await _is_taken(given, pace):
                    if turns.locked():
                        return
    finally:
        given.put_nowait(None)


async def _is_taken(given: asyncio.Queue[Any], pace: timedelta) -> bool:
    try:
        async with asyncio.timeout(pace.total_seconds()):
            await given.join()
    except TimeoutError:
        return False
    return True


async def ended(coming: asyncio.Future[Any]) -> None:
    """Cancels *coming* until it has ended; once may not be enough, see `service.rpc.ending`."""
    while not coming.done():
        coming.cancel()
        await asyncio.wait([coming], timeout=_AGAIN_SECONDS)
