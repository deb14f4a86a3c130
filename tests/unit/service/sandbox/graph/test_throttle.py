from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.limits import Limits
from service.sandbox.graph.throttle import Throttle

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BOX = "robot@sandbox.example"


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def asked(throttle: Throttle, *, now: datetime, mailbox: str = BOX) -> GraphError | None:
    throttle.enter(mailbox)
    try:
        throttle.admit(mailbox, now=now)
    except GraphError as error:
        throttle.leave(mailbox)
        return error
    return None


def test_given_four_running_when_a_fifth_comes_then_it_alone_is_refused_until_one_ends() -> None:
    throttle = Throttle(Limits(retry_after=seconds(2.5)))
    taken = [asked(throttle, now=NOW) for _ in range(4)]

    fifth = asked(throttle, now=NOW)
    elsewhere = asked(throttle, now=NOW, mailbox="other@sandbox.example")
    throttle.leave(BOX)
    next_one = asked(throttle, now=NOW)

    assert taken == [None] * 4
    assert fifth is not None
    assert (fifth.status, fifth.code, fifth.headers) == (429, "ApplicationThrottled", {"Retry-After": "3"})
    assert fifth.message == "Application is over its MailboxConcurrency limit."
    assert elsewhere is None
    assert next_one is None


def test_given_a_rate_when_passed_then_says_when_there_is_room_and_refused_ones_count() -> None:
    throttle = Throttle(Limits(requests=2, request_window=seconds(10), concurrent=100))
    first = [asked(throttle, now=NOW), asked(throttle, now=NOW + seconds(4))]

    refused = asked(throttle, now=NOW + seconds(5))
    at_the_told_time = asked(throttle, now=NOW + seconds(14))

    assert first == [None, None]
    assert refused is not None
    assert refused.headers == {"Retry-After": "9"}
    assert at_the_told_time is None


def test_given_uploads_when_above_the_octets_of_a_window_then_refused_until_the_oldest_is_out() -> None:
    throttle = Throttle(Limits(uploaded_bytes=10, upload_window=seconds(60)))
    throttle.admit_upload(BOX, 6, now=NOW)
    throttle.admit_upload(BOX, 4, now=NOW + seconds(20))

    with pytest.raises(GraphError) as raised:
        throttle.admit_upload(BOX, 1, now=NOW + seconds(30))

    assert raised.value.headers == {"Retry-After": "30"}
    throttle.admit_upload(BOX, 6, now=NOW + seconds(60))


def test_given_a_wait_when_asked_within_it_then_tells_how_long_after_it_was_given() -> None:
    throttle = Throttle(Limits())
    throttle.told_to_wait(BOX, seconds(10), now=NOW)
    throttle.told_to_wait(BOX, seconds(1), now=NOW + seconds(2))

    assert throttle.into_quiet(BOX, now=NOW + seconds(9)) == seconds(9)
    assert throttle.into_quiet(BOX, now=NOW + seconds(10)) is None
    assert throttle.into_quiet("other@sandbox.example", now=NOW) is None
