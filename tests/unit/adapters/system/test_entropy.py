"""The time in identifiers (RFC 9562 section 5.7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.system.entropy import SystemEntropy
from tests.fakes.environment import FakeClock


def test_given_a_clock_when_an_id_is_made_then_it_begins_with_the_millisecond() -> None:
    clock = FakeClock(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC))
    entropy = SystemEntropy(clock=clock)

    made = entropy.uuid()

    assert str(made).startswith("017f22e2-79b0-7000-")  # the time of the example in RFC 9562 appendix A.6


def test_given_a_fraction_of_a_millisecond_when_an_id_is_made_then_it_follows_the_millisecond() -> None:
    clock = FakeClock(datetime(2022, 2, 22, 19, 22, 22, 500, tzinfo=UTC))
    entropy = SystemEntropy(clock=clock)

    made = entropy.uuid()

    assert str(made).startswith("017f22e2-79b0-7800-")


def test_given_a_clock_that_steps_back_when_ids_are_made_then_they_still_ascend() -> None:
    clock = FakeClock()
    entropy = SystemEntropy(clock=clock)
    before = entropy.uuid()
    clock.set(clock.now() - timedelta(hours=1))

    after = entropy.uuid()

    assert after > before


def test_given_a_clock_that_stands_still_when_ids_are_made_then_the_random_part_differs() -> None:
    entropy = SystemEntropy(clock=FakeClock())

    random_parts = {entropy.uuid().int & (2**62 - 1) for _ in range(1000)}

    assert len(random_parts) == 1000
