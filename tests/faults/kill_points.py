"""Every point at which a coroutine waits, so that a process can be killed at each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class EveryWait(Awaitable[_T], Generic[_T]):
    """
    Awaits *work* and calls *reached* with 1, 2, 3 and so on, twice for each time that *work* hands over to the loop.

    Odd points are those where it begins to wait: what it sent is on its way. Even points are those where it goes on:
    what it waited for is there, and nothing has been made of it yet.
    """

    def __init__(self, work: Coroutine[Any, Any, _T], reached: Callable[[int], None]) -> None:
        self._work = work
        self._reached = reached

    def __await__(self) -> Generator[Any, Any, _T]:
        point = 0
        go_on = partial(self._work.send, None)
        while True:
            try:
                awaited = go_on()
            except StopIteration as end:
                result: _T = end.value
                return result
            point += 1
            self._reached(point)
            try:
                given = yield awaited
            except BaseException as error:
                go_on = partial(self._work.throw, error)
            else:
                go_on = partial(self._work.send, given)
            point += 1
            self._reached(point)
