"""What a caller may do with a delivery: stop it honestly (P7), or have it tried once more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.delivery import Delivery, DeliveryState, LeaseExpired, RecipientState, RetryRequested, advance
from domain.errors import NotReady, Violation
from domain.reasons import Reason
from domain.steering import cancelled, parse_retry_life, tried_again
from tests.builders import NOW, a_delivery, a_recipient

DAY = timedelta(days=1)
LATER = NOW + timedelta(minutes=5)


def in_state(state: DeliveryState, *recipients: RecipientState, doubts: int = 0) -> Delivery:
    people = tuple(
        replace(a_recipient(f"r{number}@example.com"), state=each) for number, each in enumerate(recipients, start=1)
    )
    return a_delivery(state=state, recipients=people, doubt_count=doubts, next_attempt_time=None)


@pytest.mark.parametrize("state", [DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.HELD])
def test_given_nothing_taken_when_cancelled_then_it_has_ended_for_everybody(state: DeliveryState) -> None:
    after = cancelled(in_state(state, RecipientState.PENDING, RecipientState.PENDING), at=LATER)

    assert after.state is DeliveryState.CANCELLED
    assert {each.state for each in after.recipients} == {RecipientState.CANCELLED}
    assert after.final_time == LATER


def test_given_a_cancelled_delivery_when_cancelled_again_then_it_stays_as_it_is() -> None:
    once = cancelled(a_delivery(), at=LATER)

    assert cancelled(once, at=LATER + DAY) is once


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (in_state(DeliveryState.SENDING, RecipientState.PENDING), Reason.DELIVERY_UNDER_WAY),
        (in_state(DeliveryState.RETRYING, RecipientState.SENT, RecipientState.PENDING), Reason.DELIVERY_UNDER_WAY),
        (in_state(DeliveryState.IN_DOUBT, RecipientState.IN_DOUBT, doubts=1), Reason.DELIVERY_UNDER_WAY),
        (in_state(DeliveryState.SENT, RecipientState.SENT), Reason.DELIVERY_UNDER_WAY),
        (
            in_state(DeliveryState.PARTIALLY_SENT, RecipientState.SENT, RecipientState.REJECTED),
            Reason.DELIVERY_UNDER_WAY,
        ),
        (in_state(DeliveryState.EXPIRED, RecipientState.EXPIRED, doubts=1), Reason.DELIVERY_UNDER_WAY),
        (in_state(DeliveryState.FAILED, RecipientState.REJECTED), Reason.DELIVERY_FINAL),
        (in_state(DeliveryState.EXPIRED, RecipientState.EXPIRED), Reason.DELIVERY_FINAL),
    ],
)
def test_given_p7_a_copy_or_an_end_when_cancelled_then_is_refused_with_the_reason(
    delivery: Delivery, reason: Reason
) -> None:
    with pytest.raises(NotReady) as raised:
        cancelled(delivery, at=LATER)

    assert raised.value.reason is reason
    assert raised.value.metadata == {"delivery_id": delivery.delivery_id, "state": delivery.state.value}


def test_given_p7_a_doubt_and_a_retry_when_cancelled_then_the_doubt_is_not_forgotten() -> None:
    sending = in_state(DeliveryState.SENDING, RecipientState.PENDING)
    doubtful = advance(sending, LeaseExpired(past_no_return=True, jitter=0.0), at=NOW)
    again = advance(doubtful, RetryRequested(expire_time=NOW + DAY), at=NOW)

    with pytest.raises(NotReady) as raised:
        cancelled(again, at=LATER)

    assert again.state is DeliveryState.QUEUED
    assert raised.value.reason is Reason.DELIVERY_UNDER_WAY


@pytest.mark.parametrize(
    "delivery",
    [
        in_state(DeliveryState.FAILED, RecipientState.REJECTED),
        in_state(DeliveryState.EXPIRED, RecipientState.EXPIRED),
        in_state(DeliveryState.IN_DOUBT, RecipientState.IN_DOUBT, doubts=5),
        in_state(DeliveryState.QUEUED, RecipientState.PENDING),
        in_state(DeliveryState.HELD, RecipientState.PENDING),
        in_state(DeliveryState.RETRYING, RecipientState.PENDING),
    ],
)
def test_given_recipients_without_it_when_tried_again_then_it_is_due_at_once_and_lives_from_now(
    delivery: Delivery,
) -> None:
    after = tried_again(delivery, life=DAY, has_content=True, at=LATER)

    assert (after.state, after.next_attempt_time) == (DeliveryState.QUEUED, LATER)
    assert (after.expire_time, after.final_time) == (LATER + DAY, None)
    assert after.to_try() == (delivery.recipients[0].address,)


@pytest.mark.parametrize(
    ("delivery", "has_content", "reason"),
    [
        (in_state(DeliveryState.SENDING, RecipientState.PENDING), True, Reason.DELIVERY_UNDER_WAY),
        (in_state(DeliveryState.SENDING, RecipientState.PENDING), False, Reason.DELIVERY_UNDER_WAY),
        (in_state(DeliveryState.SENT, RecipientState.SENT), True, Reason.DELIVERY_FINAL),
        (in_state(DeliveryState.CANCELLED, RecipientState.CANCELLED), True, Reason.DELIVERY_FINAL),
        (in_state(DeliveryState.FAILED, RecipientState.REJECTED), False, Reason.DELIVERY_FINAL),
    ],
)
def test_given_nothing_left_to_try_when_tried_again_then_is_refused_with_the_reason(
    delivery: Delivery, has_content: bool, reason: Reason
) -> None:
    with pytest.raises(NotReady) as raised:
        tried_again(delivery, life=DAY, has_content=has_content, at=LATER)

    assert raised.value.reason is reason


@pytest.mark.parametrize(
    ("written", "life"),
    [
        (None, DAY),
        (timedelta(microseconds=1), timedelta(microseconds=1)),
        (timedelta(days=7), timedelta(days=7)),
        (timedelta(0), None),
        (timedelta(seconds=-1), None),
        (timedelta(days=7, microseconds=1), None),
    ],
)
def test_given_a_life_when_parsed_then_it_is_longer_than_nothing_and_at_most_seven_days(
    written: timedelta | None, life: timedelta | None
) -> None:
    parsed = parse_retry_life(written, field="expire_after")

    if life is None:
        assert isinstance(parsed, Violation)
        assert (parsed.field, parsed.reason) == ("expire_after", Reason.VALUE_OUT_OF_RANGE)
    else:
        assert parsed == life
