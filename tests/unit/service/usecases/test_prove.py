"""The time that an interactive attempt may take, whatever the caller's deadline."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import DeadlineTooShort
from service.usecases.prove import LEAST_TIME, interactive_patience


@given(st.timedeltas(min_value=LEAST_TIME, max_value=timedelta(minutes=2)))
def test_given_any_deadline_when_divided_then_the_answer_comes_before_it(time_left: timedelta) -> None:
    patience = interactive_patience(time_left)

    assert patience.total < time_left
    assert patience.total >= time_left * 0.7
    assert timedelta(0) < patience.each_reply <= patience.until_content
    assert patience.content == patience.final_reply == patience.overall == patience.total
    assert patience.until_content <= patience.total * 0.71


@pytest.mark.parametrize(
    ("deadline_seconds", "greeting_seconds", "answer_seconds"),
    [(3, 1.6, 0.5), (30, 14, 12), (30, 0, 29), (120, 0, 119)],
)
def test_given_a_slow_server_when_it_answers_within_the_deadline_then_there_is_time_for_it(
    deadline_seconds: float, greeting_seconds: float, answer_seconds: float
) -> None:
    patience = interactive_patience(timedelta(seconds=deadline_seconds))

    greeting, answer = timedelta(seconds=greeting_seconds), timedelta(seconds=answer_seconds)
    assert greeting < min(patience.each_reply, patience.until_content)
    assert answer < patience.final_reply
    assert greeting + answer < patience.total


@given(st.timedeltas(max_value=LEAST_TIME - timedelta(microseconds=1)))
def test_given_too_little_when_divided_then_is_refused(time_left: timedelta) -> None:
    with pytest.raises(DeadlineTooShort):
        interactive_patience(time_left)
