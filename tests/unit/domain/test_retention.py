"""How long things are kept: only what makes sense can be written down."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.retention import Retention

DAY = timedelta(days=1)


def test_given_nothing_said_when_kept_then_a_message_stays_three_days_and_its_record_thirty() -> None:
    retention = Retention()

    assert (retention.content, retention.delivery) == (3 * DAY, 30 * DAY)


@pytest.mark.parametrize(
    ("content", "delivery"),
    [(-DAY, DAY), (2 * DAY, DAY), (timedelta(0), DAY - timedelta(seconds=1)), (DAY, timedelta(days=3651))],
)
def test_given_what_makes_no_sense_when_made_then_is_refused(content: timedelta, delivery: timedelta) -> None:
    with pytest.raises(ValueError, match="kept"):
        Retention(content=content, delivery=delivery)
