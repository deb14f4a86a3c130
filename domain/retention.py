"""How long mailport keeps what nobody needs for delivering any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

DEFAULT_CONTENT: Final = timedelta(days=3)
"""A weekend: an admin who finds refused mail on Monday can still retry it once the settings are right."""
DEFAULT_DELIVERY: Final = timedelta(days=30)
SHORTEST_DELIVERY: Final = timedelta(days=1)
LONGEST_DELIVERY: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Retention:
    """
    What is kept of a delivery once it has ended, counted from its final state.

    A delivery that waits for its caller's decision, IN_DOUBT under HOLD, keeps its content as long as all the rest.
    """

    content: timedelta = DEFAULT_CONTENT
    """Of the message itself; zero or more, and no longer than the rest. RetryDelivery needs it."""
    delivery: timedelta = DEFAULT_DELIVERY
    """
    Of states, recipients, attempts and their traces: 1 day to 10 years.

    Longer where a live idempotency key stands for the delivery (rule 10).
    """

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.content <= self.delivery:
            raise ValueError("a message is not kept longer than what became of it")
        if not SHORTEST_DELIVERY <= self.delivery <= LONGEST_DELIVERY:
            raise ValueError("a delivery is kept for 1 day to 10 years")
