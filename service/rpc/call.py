"""The call that is being answered: who makes it, and how long there is for it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.caller import Caller
from domain.ports.environment import Clock

DEFAULT_TIME: Final = timedelta(seconds=30)
"""What a call without a deadline gets."""
LONGEST_TIME: Final = timedelta(seconds=120)
"""No call gets more, streams aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call whose caller has been identified and may make it."""

    caller: Caller
    clock: Clock
    deadline: timedelta | None
    """The reading of the monotonic clock at which the call ends; None for a stream, which ends by itself."""

    def time_left(self) -> timedelta:
        """Returns what is left until the deadline, never less than nothing; of a stream the longest a step may take."""
        if self.deadline is None:
            return LONGEST_TIME
        return max(self.deadline - self.clock.monotonic(), timedelta(0))


_CURRENT: ContextVar[Call] = ContextVar("call")


def begin(call: Call) -> None:
    """Makes *call* the current one of this task; gRPC runs each call in a task of its own."""
    _CURRENT.set(call)


def current_call() -> Call:
    """Returns the call being answered. Raises LookupError outside of one: no method runs without its interceptor."""
    return _CURRENT.get()
