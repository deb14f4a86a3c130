"""Streams that end when the process does, and are closed whatever they end with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from domain.errors import NotFound, Unavailable
from domain.reasons import Reason
from service.rpc.ending import Ending


class Source:
    """Yields two numbers, then does what a test says; tells whether it was closed."""

    def __init__(self, *, error: Exception | None = None, waits: bool = False) -> None:
        self.error = error
        self.waits = waits
        self.is_closed = False

    async def stream(self) -> AsyncGenerator[int]:
        try:
            yield 1
            yield 2
            if self.waits:
                await asyncio.Event().wait()
            if self.error is not None:
                raise self.error
        finally:
            self.is_closed = True


async def test_given_a_stream_when_it_ends_by_itself_then_all_of_it_came() -> None:
    source = Source()

    assert [each async for each in Ending().cut(source.stream())] == [1, 2]
    assert source.is_closed


async def test_given_a_stream_when_it_raises_then_the_error_passes_through() -> None:
    source = Source(error=NotFound("It is gone."))

    with pytest.raises(NotFound):
        assert [each async for each in Ending().cut(source.stream())] == []
    assert source.is_closed


async def test_given_a_stream_that_waits_when_the_process_ends_then_it_ends_at_once_and_says_why() -> None:
    source, ending = Source(waits=True), Ending()
    stream = ending.cut(source.stream())
    first = [await anext(stream), await anext(stream)]
    following = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)

    ending.begin()

    with pytest.raises(Unavailable) as raised:
        await following
    assert first == [1, 2]
    assert raised.value.reason is Reason.SHUTTING_DOWN
    assert source.is_closed


async def test_given_a_stream_that_waits_when_its_reader_is_cancelled_then_it_is_closed() -> None:
    source = Source(waits=True)
    stream = Ending().cut(source.stream())
    await anext(stream)
    await anext(stream)
    following = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)

    following.cancel()

    with pytest.raises(asyncio.CancelledError):
        await following
    assert source.is_closed


async def test_given_a_stream_that_misses_the_first_cancelling_when_the_process_ends_then_it_ends_all_the_same() -> (
    None
):
    ending = Ending()
    waits = asyncio.Event()

    async def deaf() -> AsyncGenerator[int]:
        yield 1
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    async def follow() -> None:
        async for _ in ending.cut(deaf()):
            pass

    following = asyncio.create_task(follow())
    await waits.wait()
    ending.begin()

    async with asyncio.timeout(5):
        with pytest.raises(Unavailable):
            await following
