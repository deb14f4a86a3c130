"""What an attempt may find of those before it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.delivery import Answered, Claimed, Delivery, Event, LeaseExpired, NotTried, RetryRequested, advance
from domain.earlier import Earlier, earlier_of
from domain.failures.failure import FailureKind
from domain.message import InDoubtPolicy
from domain.verdict import Verdict
from tests.builders import NOW, a_delivery, a_failure

DAY = timedelta(days=1)
BUSY = a_failure(kind=FailureKind.TRANSIENT)


def answered(delivery: Delivery, kind: FailureKind) -> Event:
    failure = a_failure(kind=kind)
    return Answered(tuple(Verdict(to, failure) for to in delivery.to_try()), 0.0, failure)


def test_given_a_first_attempt_when_asked_then_there_is_nothing_to_find() -> None:
    delivery = advance(a_delivery(), Claimed(), at=NOW)

    assert earlier_of(delivery) is Earlier.NOTHING


@pytest.mark.parametrize("died_past", [False, True])
def test_given_a_worker_that_died_when_attempted_again_then_it_tells_whether_a_copy_may_be_there(
    died_past: bool,
) -> None:
    delivery = advance(a_delivery(), Claimed(), at=NOW)
    delivery = advance(delivery, LeaseExpired(past_no_return=died_past, jitter=0.0), at=NOW)

    delivery = advance(delivery, Claimed(), at=NOW)

    assert earlier_of(delivery) is (Earlier.COPY if died_past else Earlier.PARTS)


@pytest.mark.parametrize(
    ("kind", "found"), [(FailureKind.TRANSIENT, Earlier.PARTS), (FailureKind.IN_DOUBT, Earlier.COPY)]
)
def test_given_an_answer_when_attempted_again_then_only_a_doubt_may_have_left_a_copy(
    kind: FailureKind, found: Earlier
) -> None:
    delivery = advance(a_delivery(), Claimed(), at=NOW)
    delivery = advance(delivery, answered(delivery, kind), at=NOW)

    delivery = advance(delivery, Claimed(), at=NOW)

    assert earlier_of(delivery) is found


def test_given_a_doubt_and_definite_answers_since_when_attempted_again_then_the_copy_is_still_to_be_looked_for() -> (
    None
):
    delivery = advance(a_delivery(), Claimed(), at=NOW)
    delivery = advance(delivery, answered(delivery, FailureKind.IN_DOUBT), at=NOW)
    delivery = advance(delivery, Claimed(), at=NOW)
    delivery = advance(delivery, NotTried(BUSY, 0.0), at=NOW)

    delivery = advance(delivery, Claimed(), at=NOW)

    assert earlier_of(delivery) is Earlier.COPY


def test_given_a_doubt_that_a_person_decides_about_when_attempted_again_then_the_copy_is_looked_for_first() -> None:
    delivery = advance(a_delivery(in_doubt_policy=InDoubtPolicy.HOLD), Claimed(), at=NOW)
    delivery = advance(delivery, answered(delivery, FailureKind.IN_DOUBT), at=NOW)
    delivery = advance(delivery, RetryRequested(expire_time=NOW + DAY), at=NOW)

    delivery = advance(delivery, Claimed(), at=NOW)

    assert earlier_of(delivery) is Earlier.COPY
