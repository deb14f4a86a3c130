from __future__ import annotations

from datetime import UTC, datetime

import pytest

from service.sandbox.filters import Filter, FilterError, parse_filter
from service.sandbox.inbox import Inbox, ReceivedMessage


async def a_message() -> ReceivedMessage:
    return await Inbox().add(
        receive_time=datetime(2026, 1, 2, tzinfo=UTC),
        sender="s@x.test",
        recipients=("Ann@Example.test", "bob@example.test"),
        raw=b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from here\r\nMessage-ID: <1.2@x.test>\r\n\r\n",
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Filter(), True),
        (Filter(to="ann@example.TEST"), True),
        (Filter(to="ann@example"), False),
        (Filter(subject="GRÜSSE FROM"), True),
        (Filter(subject="elsewhere"), False),
        (Filter(message_id="<1.2@x.test>"), True),
        (Filter(message_id="1.2@x.test"), True),
        (Filter(message_id="1.2"), False),
        (Filter(to="bob@example.test", subject="elsewhere"), False),
    ],
)
async def test_given_a_filter_when_matching_then_all_conditions_hold(asked: Filter, expected: bool) -> None:
    message = await a_message()

    assert asked.matches(message) is expected


def test_given_a_query_when_parsing_then_it_becomes_a_filter() -> None:
    asked = parse_filter({"to": " ann@example.test ", "limit": "7"}, default_limit=50)

    assert asked == Filter(to="ann@example.test", limit=7)


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1e3", "٣", "9" * 5_000])
def test_given_a_wrong_limit_when_parsing_then_says_the_bounds(limit: str) -> None:
    with pytest.raises(FilterError, match="from 1 to 1000"):
        parse_filter({"limit": limit}, default_limit=50)


def test_given_an_unknown_name_when_parsing_then_names_it_and_the_known_ones() -> None:
    with pytest.raises(FilterError, match="named from; there are to, subject, message_id, limit"):
        parse_filter({"from": "x"}, default_limit=50)
