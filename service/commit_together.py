"""Group commit: changes of many callers in one transaction, so that they share one wait for the disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from domain.errors import LeaseLost, Unavailable
from domain.ports.storage import UnitOfWork

_MOST: Final = 64
_MOST_BYTES: Final = 8 * 1024 * 1024
_AT_ONCE: Final = 2
"""Transactions at once: while one waits for the disk, the next one is filled and sent."""

_T = TypeVar("_T")
Change = Callable[[UnitOfWork], Awaitable[_T]]


@dataclass(slots=True, eq=False)
class _Waiting:
    change: Change[Any]
    size: int
    outcome: asyncio.Future[Any]


class CommitTogether:
    """
    Commits changes of their callers, several in one transaction whenever several wait.

    Nobody waits for company: a change that finds no transaction under way is committed at once, and what comes in the
    meantime goes together with the next. One process has one for each kind of change that must not wait for others.
    """

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        most: int = _MOST,
        most_bytes: int = _MOST_BYTES,
        at_once: int = _AT_ONCE,
    ) -> None:
        self._uow = uow
        self._most = most
        self._most_bytes = most_bytes
        self._at_once = at_once
        self._queue: deque[_Waiting] = deque()
        self._flushing: set[asyncio.Task[None]] = set()

    async def __call__(self, change: Change[_T], *, size: int = 0) -> _T:
        """
        Returns what *change* returns, once it is durable; *size* is about how many bytes it writes.

        *change* gets a unit of work to write in, and neither commits nor waits for anything else. It may be called
        twice: when one that shared its transaction broke it, each is done by itself. It may raise LeaseLost as long as
        it has changed nothing, and the others go on.
        Raises what *change* raised, or Unavailable when the store is away, also when the answer to the commit was lost
        and nobody knows. A caller that is cancelled before its change is taken up has changed nothing.
        """
        waiting = _Waiting(change, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if len(self._flushing) < self._at_once:
            task = asyncio.create_task(self._flush(), name="group commit")
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)
        return cast(_T, await waiting.outcome)

    async def _flush(self) -> None:
        while batch := self._take():
            try:
                await self._commit(batch)
            except BaseException as error:
                # Cancelled with the process, or a fault of ours: nobody is left waiting.
                for each in batch:
                    if not each.outcome.done():
                        each.outcome.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                raise

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < self._most and (not batch or size + self._queue[0].size <= self._most_bytes):
            waiting = self._queue.popleft()
            if waiting.outcome.done():  # cancelled
                continue
            batch.append(waiting)
            size += waiting.size
        return batch

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._together(batch)
        except Unavailable as away:
            for each in batch:
                _fail(each, away)
            return
        except Exception as error:
            if len(batch) == 1:
                _fail(batch[0], error)
                return
            for each in batch:
                await self._commit([each])
            return
        for each, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, LeaseLost):
                _fail(each, outcome)
            elif not each.outcome.done():
                each.outcome.set_result(outcome)

    async def _together(self, batch: Sequence[_Waiting]) -> list[Any]:
        outcomes: list[Any] = []
        async with self._uow() as work:
            for each in batch:
                try:
                    outcomes.append(await each.change(work))
                except LeaseLost as lost:
                    outcomes.append(lost)
            await work.commit()
        return outcomes


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
