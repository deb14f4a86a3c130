"""The end of streams when the process ends: at once and in order, since they would not end by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, TypeVar

from domain.errors import Unavailable
from domain.reasons import Reason

_T = TypeVar("_T")
_AGAIN_SECONDS: Final = 0.25


class Ending:
    """Told once that the process ends; streams listen."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def begin(self) -> None:
        """Lets the streams end."""
        self._event.set()

    async def wait(self) -> None:
        """Returns when the process ends."""
        await self._event.wait()

    async def cut(self, stream: AsyncGenerator[_T]) -> AsyncIterator[_T]:
        """Yields what *stream* yields, and raises Unavailable as soon as the process ends."""
        ended = asyncio.ensure_future(self.wait())
        async with aclosing(stream):
            try:
                while True:
                    coming = asyncio.ensure_future(anext(stream))
                    try:
                        await asyncio.wait([coming, ended], return_when=asyncio.FIRST_COMPLETED)
                        if not coming.done():
                            raise shutting_down()
                        yield coming.result()
                    except StopAsyncIteration:
                        return
                    finally:
                        await _ended(coming)
            finally:
                ended.cancel()


async def _ended(coming: asyncio.Future[Any]) -> None:
    """
    Cancels *coming* until it has ended.

    Once may not be enough: what is cancelled as a timeout of its own ends may take the one for the other.
    """
    while not coming.done():
        coming.cancel()
        await asyncio.wait([coming], timeout=_AGAIN_SECONDS)


def shutting_down() -> Unavailable:
    """Returns what a stream ends with when the process ends."""
    return Unavailable(
        "This mailport is being stopped.",
        reason=Reason.SHUTTING_DOWN,
        remedy="Call again, and another process or the restarted one answers; go on behind the last answer.",
    )
