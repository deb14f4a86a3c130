"""The point of no return of one attempt: made once, beside whatever else goes on, and never later than the content."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from domain.ports.transport import BeforeContent


class Mark:
    """
    Runs *before_content* at most once, however many connections the attempt needs.

    ``async with`` ends it: a mark that was begun has come to its end when the block is left, and what it raised is
    raised. A block that is left by an error, or is cancelled, cancels it.
    """

    def __init__(self, before_content: BeforeContent) -> None:
        self._before_content = before_content
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._task is None:
            return
        if error is None:
            await self._task
        else:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def has_failed(self) -> bool:
        """Tells whether it was begun and could not be made."""
        task = self._task
        return task is not None and task.done() and (task.cancelled() or task.exception() is not None)

    def begin(self) -> None:
        """Begins to make it, unless that was done before."""
        self._task = self._begun()

    async def passed(self) -> None:
        """Returns when it is made; raises what *before_content* raises."""
        await self._begun()

    def _begun(self) -> asyncio.Task[None]:
        if self._task is None:
            self._task = asyncio.create_task(self._make(), name="smtp point of no return")
        return self._task

    async def _make(self) -> None:
        await self._before_content()
