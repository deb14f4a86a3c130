from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.smtp.dialogue import Timer
from domain.ports.transport import Patience


@pytest.mark.parametrize(("until_content", "most"), [(120, 10), (30, 10), (10, 10 / 3), (3, 1)])
async def test_given_other_addresses_left_when_a_step_begins_then_it_leaves_most_of_the_time(
    until_content: float, most: float
) -> None:
    """F13: one dead address never uses the whole time."""
    timer = Timer(Patience(until_content=timedelta(seconds=until_content)))

    timer.leaves_time = True

    assert most * 0.9 < timer.seconds() <= most


async def test_given_a_shorter_span_when_other_addresses_are_left_then_the_span_counts() -> None:
    timer = Timer(Patience(each_reply=timedelta(seconds=4)))

    timer.leaves_time = True

    assert timer.seconds() == 4
    assert timer.seconds(timedelta(seconds=2)) == 2


async def test_given_no_other_address_when_a_step_begins_then_it_has_a_replys_time() -> None:
    timer = Timer(Patience())

    assert timer.seconds() == 60
