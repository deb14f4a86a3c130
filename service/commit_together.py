"""Group commit: changes of many callers in one transaction, so that they share one wait for the disk."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from domain.errors import Unavailable
from domain.ports.storage import UnitOfWork
from service.logs import STORED_NOT_HEARD

_MOST: Final = 64
_MOST_BYTES: Final = 8 * 1024 * 1024
_AT_ONCE: Final = 1
"""Transactions at once: while one waits for the disk, the next one fills."""

_logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    size: int
    outcome: asyncio.Future[Result]


class CommitTogether(Generic[Item, Result]):
    """
    Commits what its callers hand in, several in one transaction whenever several wait.

    What finds no transaction under way is committed at once, and what comes in the meantime goes together with the
    next, which may wait a breath for more. A process has one for each kind of change.
    """

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        apply: Callable[[UnitOfWork, Sequence[Item]], Awaitable[Sequence[Result]]],
        most: int = _MOST,
        most_bytes: int = _MOST_BYTES,
        at_once: int = _AT_ONCE,
        stored: Callable[[Sequence[Item], Sequence[Result]], None] | None = None,
        failed: Callable[[Sequence[Item]], None] | None = None,
        hangs_after: timedelta | None = None,
        breath: Callable[[int], timedelta] = lambda last: timedelta(0),
    ) -> None:
        """
        *apply* writes items and returns a result for each, in order; it neither commits nor waits for others.

        *stored* hears of what was committed before its callers do, and whether or not they still wait; *failed* of what
        *apply* was given in vain, so that it may be given the same again.
        *hangs_after*: a store that let a transaction wait for so long before it turned out to be away is away for those
        who stand behind it, too: they would wait as long again. None: each finds out by itself.
        *breath*: the pause between two transactions when something waits already, so that more comes along in the next
        one; of how many the last one was. Who comes alone does not wait.
        """
        self._uow = uow
        self._apply = apply
        self._most = most
        self._most_bytes = most_bytes
        self._at_once = at_once
        self._stored = stored
        self._failed = failed
        self._hangs_after = float("inf") if hangs_after is None else hangs_after.total_seconds()
        self._breath = breath
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._flushing: set[asyncio.Task[Any] | None] = set()

    async def __call__(self, item: Item, *, size: int = 0) -> Result:
        """
        Returns the result for *item* once it is durable; *size* is about how many bytes it writes.

        Where one item breaks the transaction of several, each is done anew by itself, so that nobody pays for another's
        fault. Raises what *apply* raised for it, or Unavailable when the store is away, also when the answer to the
        commit was lost and nobody knows. A caller that is cancelled before its item is taken up has changed nothing.
        """
        waiting: _Waiting[Item, Result] = _Waiting(item, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if len(self._flushing) < self._at_once:
            task = asyncio.create_task(self._flush(), name="group commit")
            self._flushing.add(task)
        return await waiting.outcome

    async def _flush(self) -> None:
        try:
            while batch := self._take():
                await self._commit_for_all(batch)
                if self._queue and (pause := self._breath(len(batch))):
                    await asyncio.sleep(pause.total_seconds())
        except BaseException:
            while self._queue:  # cancelled with the process: nobody is left waiting
                _fail(self._queue.popleft(), asyncio.CancelledError())
            raise
        finally:
            # Not in a callback of the task: who hands in something before that runs would find it still at work.
            self._flushing.discard(asyncio.current_task())

    async def _commit_for_all(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            await self._commit(batch)
        except Exception as error:
            for each in batch:
                _fail(each, error)  # a fault of ours: those behind are done all the same
        except BaseException:
            for each in batch:
                _fail(each, asyncio.CancelledError())
            raise

    def _take(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        size = 0
        while self._queue and len(batch) < self._most and (not batch or size + self._queue[0].size <= self._most_bytes):
            waiting = self._queue.popleft()
            if waiting.outcome.done():  # cancelled
                continue
            batch.append(waiting)
            size += waiting.size
        return batch

    async def _commit(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        items = [each.item for each in batch]
        begin = asyncio.get_running_loop().time()
        durable: Sequence[Result] | None = None
        try:
            async with self._uow() as work:
                results = await self._apply(work, items)
                await work.commit()
                durable = results
                if self._stored is not None:
                    self._stored(items, results)
        except BaseException as error:
            if durable is not None:  # whatever went wrong since, it must not be done again, nor be told to have failed
                _settle(batch, durable)
                if not isinstance(error, Exception):
                    raise
                _logger.exception(STORED_NOT_HEARD)
                return
            if self._failed is not None:
                self._failed(items)
            if not isinstance(error, Exception):
                raise
            if len(batch) == 1 or isinstance(error, Unavailable):
                for each in batch:
                    _fail(each, error)
                if isinstance(error, Unavailable) and asyncio.get_running_loop().time() - begin > self._hangs_after:
                    while self._queue:
                        _fail(self._queue.popleft(), Unavailable("mailport's database does not answer."))
                return
            for each in batch:
                await self._commit([each])
            return
        _settle(batch, durable)


def _settle(batch: Sequence[_Waiting[Item, Result]], results: Sequence[Result]) -> None:
    for each, result in zip(batch, results, strict=True):
        if not each.outcome.done():
            each.outcome.set_result(result)


def _fail(waiting: _Waiting[Item, Result], error: BaseException) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)
