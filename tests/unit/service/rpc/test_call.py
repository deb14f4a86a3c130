"""The call that is being answered."""

from __future__ import annotations

from contextvars import Context
from datetime import timedelta

import pytest

from domain.caller import DEFAULT_CALLER
from service.rpc.call import LONGEST_TIME, Call, begin, current_call
from tests.fakes.environment import FakeClock


def a_call(clock: FakeClock, deadline: timedelta | None) -> Call:
    return Call(caller=DEFAULT_CALLER, clock=clock, deadline=deadline)


def test_given_a_deadline_when_time_passes_then_less_is_left_and_never_less_than_nothing() -> None:
    clock = FakeClock()
    call = a_call(clock, clock.monotonic() + timedelta(seconds=30))

    clock.advance(timedelta(seconds=10))
    assert call.time_left() == timedelta(seconds=20)

    clock.advance(timedelta(minutes=1))
    assert call.time_left() == timedelta(0)


def test_given_a_stream_when_asked_then_a_step_of_it_may_take_the_longest() -> None:
    assert a_call(FakeClock(), None).time_left() == LONGEST_TIME


def test_given_a_call_when_begun_then_it_is_the_current_one_of_its_own_task_alone() -> None:
    call = a_call(FakeClock(), None)
    task = Context()

    task.run(begin, call)

    assert task.run(current_call) is call
    with pytest.raises(LookupError):
        Context().run(current_call)
