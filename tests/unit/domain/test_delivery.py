"""The laws of the delivery state machine (design rule 9), and each transition by example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address import EmailAddress
from domain.delivery import (
    BROKEN_OFF,
    FINAL_STATES,
    Answered,
    CancelRequested,
    Claimed,
    Delivery,
    DeliveryState,
    Event,
    IllegalTransition,
    LeaseExpired,
    LifetimeOver,
    NotTried,
    Recipient,
    RecipientState,
    Released,
    RetryRequested,
    advance,
    minimum_retention,
)
from domain.failures.failure import Failure, FailureKind, Stage
from domain.message import InDoubtPolicy
from domain.reasons import Reason
from domain.retry import DOUBT_PAUSE, MAX_DOUBTS
from domain.verdict import Verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
ANNA, BERT, CARL = (EmailAddress(name, "example.com") for name in ("anna", "bert", "carl"))


def a_delivery(*addresses: EmailAddress, policy: InDoubtPolicy = InDoubtPolicy.RETRY) -> Delivery:
    return Delivery(
        tenant="default",
        delivery_id="0199d0c0-0000-7000-8000-000000000001",
        configuration_id="alerts",
        message_id="<1@example.com>",
        sender=EmailAddress("robot", "example.com"),
        recipients=tuple(Recipient(address) for address in addresses or (ANNA,)),
        create_time=NOW,
        update_time=NOW,
        expire_time=NOW + timedelta(hours=24),
        next_attempt_time=NOW,
        in_doubt_policy=policy,
    )


def a_failure(
    kind: FailureKind, retry_time: datetime | None = None, *, stage: Stage = Stage.RCPT_TO, code: str = ""
) -> Failure:
    return Failure(
        reason=Reason.REFUSED_FOR_NOW,
        kind=kind,
        stage=stage,
        cause="The server refused.",
        remedy="Wait.",
        retry_time=retry_time,
        provider_code=code,
    )


def verdicts(**answers: FailureKind | None) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(EmailAddress(name, "example.com"), failure=a_failure(kind) if kind else None, reply="250 ok")
        for name, kind in answers.items()
    )


def claimed(delivery: Delivery) -> Delivery:
    return advance(delivery, Claimed(), at=NOW)


def answered(delivery: Delivery, **answers: FailureKind | None) -> Delivery:
    return advance(delivery, Answered(verdicts(**answers), jitter=0.5), at=NOW)


def test_given_a_queued_delivery_when_claimed_then_is_sending_and_counts_the_attempt() -> None:
    delivery = a_delivery()

    after = claimed(delivery)

    assert after.state is DeliveryState.SENDING
    assert after.attempt_count == 1
    assert after.next_attempt_time is None


def test_given_all_accepted_when_answered_then_is_sent_and_final() -> None:
    sending = claimed(a_delivery(ANNA, BERT))

    after = answered(sending, anna=None, bert=None)

    assert after.state is DeliveryState.SENT
    assert after.final_time == NOW
    assert {r.accept_time for r in after.recipients} == {NOW}


def test_given_one_refused_for_good_and_one_for_now_when_answered_then_only_that_one_is_tried_again() -> None:
    """F20: ok, gone, later, ok."""
    sending = claimed(a_delivery(ANNA, BERT, CARL))

    after = answered(sending, anna=None, bert=FailureKind.PERMANENT, carl=FailureKind.TRANSIENT)

    assert after.state is DeliveryState.RETRYING
    assert [r.state for r in after.recipients] == [RecipientState.SENT, RecipientState.REJECTED, RecipientState.PENDING]
    assert after.envelope().recipients == (CARL,)


def test_given_a_part_refused_when_the_rest_is_sent_then_is_partially_sent() -> None:
    waiting = answered(claimed(a_delivery(ANNA, BERT)), anna=FailureKind.PERMANENT, bert=FailureKind.TRANSIENT)

    after = answered(claimed(waiting), bert=None)

    assert after.state is DeliveryState.PARTIALLY_SENT


def test_given_all_refused_for_good_when_answered_then_has_failed_at_once() -> None:
    after = answered(claimed(a_delivery()), anna=FailureKind.PERMANENT)

    assert after.state is DeliveryState.FAILED
    assert after.failure is not None


def test_given_doubt_under_retry_when_answered_then_waits_ten_minutes_at_least() -> None:
    after = answered(claimed(a_delivery()), anna=FailureKind.IN_DOUBT)

    assert after.state is DeliveryState.IN_DOUBT
    assert after.next_attempt_time is not None
    assert after.next_attempt_time >= NOW + DOUBT_PAUSE
    assert after.doubt_count == 1


def test_given_doubt_under_hold_when_answered_then_nothing_more_is_tried() -> None:
    after = answered(claimed(a_delivery(policy=InDoubtPolicy.HOLD)), anna=FailureKind.IN_DOUBT)

    assert after.state is DeliveryState.IN_DOUBT
    assert after.is_settled
    assert after.to_try() == ()


def test_given_doubt_after_doubt_when_the_bound_is_reached_then_is_held_for_a_person() -> None:
    delivery = a_delivery()

    for _ in range(MAX_DOUBTS):
        delivery = answered(claimed(delivery), anna=FailureKind.IN_DOUBT)

    assert delivery.state is DeliveryState.IN_DOUBT
    assert delivery.is_settled


def test_given_a_copy_in_doubt_when_a_later_attempt_is_refused_for_now_then_the_doubt_stays() -> None:
    doubtful = answered(claimed(a_delivery()), anna=FailureKind.IN_DOUBT)

    after = answered(claimed(doubtful), anna=FailureKind.TRANSIENT)

    assert after.recipients[0].state is RecipientState.IN_DOUBT
    assert after.state is DeliveryState.IN_DOUBT


def test_given_a_worker_that_died_before_content_when_the_lease_expires_then_is_due_at_once() -> None:
    after = advance(claimed(a_delivery()), LeaseExpired(past_no_return=False, jitter=0.5), at=NOW)

    assert after.state is DeliveryState.QUEUED
    assert after.next_attempt_time == NOW
    assert after.doubt_count == 0


@pytest.mark.parametrize(("policy", "settled"), [(InDoubtPolicy.RETRY, False), (InDoubtPolicy.HOLD, True)])
def test_given_a_worker_that_died_after_content_when_the_lease_expires_then_is_in_doubt(
    policy: InDoubtPolicy, settled: bool
) -> None:
    after = advance(claimed(a_delivery(policy=policy)), LeaseExpired(past_no_return=True, jitter=0.5), at=NOW)

    assert after.state is DeliveryState.IN_DOUBT
    assert after.is_settled is settled
    assert after.doubt_count == 1
    assert after.failure is after.recipients[0].failure is BROKEN_OFF
    assert (BROKEN_OFF.reason, BROKEN_OFF.kind) == (Reason.OUTCOME_UNKNOWN, FailureKind.IN_DOUBT)


def test_given_one_refused_before_when_the_worker_dies_after_content_then_only_who_was_offered_is_in_doubt() -> None:
    waiting = answered(
        claimed(a_delivery(ANNA, BERT, CARL)), anna=None, bert=FailureKind.PERMANENT, carl=FailureKind.TRANSIENT
    )

    after = advance(claimed(waiting), LeaseExpired(past_no_return=True, jitter=0.5), at=NOW)

    assert [r.state for r in after.recipients] == [
        RecipientState.SENT,
        RecipientState.REJECTED,
        RecipientState.IN_DOUBT,
    ]
    assert [r.failure for r in after.recipients] == [None, waiting.recipients[1].failure, BROKEN_OFF]


def test_given_a_doubt_offered_again_when_the_worker_dies_after_content_then_shows_the_newer_doubt() -> None:
    doubtful = answered(claimed(a_delivery()), anna=FailureKind.IN_DOUBT)

    after = advance(claimed(doubtful), LeaseExpired(past_no_return=True, jitter=0.5), at=NOW)

    assert after.recipients[0].failure is BROKEN_OFF
    assert after.doubt_count == 2


@pytest.mark.parametrize("stage", [Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA])
@pytest.mark.parametrize("code", ["550 5.7.1", "550 5.7.60", "530"])
def test_given_a_5yz_about_the_message_that_a_person_could_cure_when_answered_then_is_final_at_once(
    stage: Stage, code: str
) -> None:
    """Rule 9, P6: relaying denied is an answer."""
    refusal = a_failure(FailureKind.MISCONFIGURED, stage=stage, code=code)

    after = advance(claimed(a_delivery()), Answered((Verdict(ANNA, refusal),), jitter=0.5), at=NOW)

    assert after.state is DeliveryState.FAILED
    assert after.recipients[0].state is RecipientState.REJECTED
    assert after.failure == refusal


@pytest.mark.parametrize(
    "failure",
    [
        *(
            a_failure(FailureKind.MISCONFIGURED, stage=stage, code="535 5.7.8")
            for stage in (Stage.DNS, Stage.CONNECT, Stage.TLS, Stage.EHLO, Stage.AUTH, Stage.TOKEN)
        ),
        a_failure(FailureKind.MISCONFIGURED, stage=Stage.DATA),
        a_failure(FailureKind.MISCONFIGURED, stage=Stage.RCPT_TO, code="450 4.7.1"),
        a_failure(FailureKind.THROTTLED, stage=Stage.DATA, code="550 5.4.5"),
        a_failure(FailureKind.TRANSIENT, stage=Stage.RCPT_TO, code="552 5.2.2"),
    ],
    ids=lambda failure: f"{failure.kind} {failure.stage} {failure.provider_code}",
)
def test_given_what_can_still_heal_when_answered_then_is_tried_again(failure: Failure) -> None:
    after = advance(claimed(a_delivery()), Answered((Verdict(ANNA, failure),), jitter=0.5), at=NOW)

    assert after.state is DeliveryState.RETRYING
    assert after.to_try() == (ANNA,)


@pytest.mark.parametrize(
    ("answers", "state", "kind"),
    [
        ([FailureKind.PERMANENT, FailureKind.TRANSIENT], DeliveryState.RETRYING, FailureKind.TRANSIENT),
        ([FailureKind.PERMANENT, FailureKind.IN_DOUBT], DeliveryState.IN_DOUBT, FailureKind.IN_DOUBT),
        ([FailureKind.TRANSIENT, FailureKind.IN_DOUBT], DeliveryState.IN_DOUBT, FailureKind.IN_DOUBT),
        ([FailureKind.TRANSIENT, FailureKind.REAUTHORIZE], DeliveryState.HELD, FailureKind.REAUTHORIZE),
        ([FailureKind.PERMANENT, None], DeliveryState.PARTIALLY_SENT, FailureKind.PERMANENT),
        ([FailureKind.PERMANENT, FailureKind.PERMANENT], DeliveryState.FAILED, FailureKind.PERMANENT),
    ],
)
def test_given_recipients_that_fared_differently_when_answered_then_the_delivery_shows_what_it_waits_for(
    answers: list[FailureKind | None], state: DeliveryState, kind: FailureKind
) -> None:
    after = answered(claimed(a_delivery(ANNA, BERT)), **dict(zip(("anna", "bert"), answers, strict=True)))

    assert after.state is state
    assert after.failure is not None
    assert after.failure.kind is kind


def test_given_the_whole_message_refused_for_now_when_one_recipient_was_too_then_shows_the_whole_messages() -> None:
    alone = a_failure(FailureKind.TRANSIENT, code="450 4.2.1")
    whole = a_failure(FailureKind.THROTTLED, stage=Stage.DATA, code="451 4.7.0")
    both = (Verdict(ANNA, alone), Verdict(BERT, whole))

    after = advance(claimed(a_delivery(ANNA, BERT)), Answered(both, jitter=0.5, failure=whole), at=NOW)

    assert after.failure is whole


def test_given_an_older_answer_when_the_next_attempt_cannot_be_made_for_good_then_recipients_show_why_it_ended() -> (
    None
):
    waiting = answered(claimed(a_delivery(ANNA, BERT)), anna=None, bert=FailureKind.TRANSIENT)
    gone = a_failure(FailureKind.PERMANENT, stage=Stage.CONNECT)

    after = advance(claimed(waiting), NotTried(gone, jitter=0.5), at=NOW)

    assert after.state is DeliveryState.PARTIALLY_SENT
    assert [r.failure for r in after.recipients] == [None, gone]
    assert after.failure is gone


def test_given_no_consent_when_not_tried_then_is_held_until_released() -> None:
    held = advance(claimed(a_delivery()), NotTried(a_failure(FailureKind.REAUTHORIZE), jitter=0.5), at=NOW)

    released = advance(held, Released(), at=NOW + timedelta(days=1))

    assert held.state is DeliveryState.HELD
    assert held.next_attempt_time is None
    assert released.state is DeliveryState.QUEUED


def test_given_the_lifetime_over_when_waiting_then_is_expired_with_its_last_failure() -> None:
    """F21: the last reply is kept."""
    waiting = answered(claimed(a_delivery()), anna=FailureKind.TRANSIENT)

    after = advance(waiting, LifetimeOver(), at=NOW + timedelta(hours=24))

    assert after.state is DeliveryState.EXPIRED
    assert after.failure == waiting.failure
    assert after.recipients[0].failure is not None


def test_given_a_copy_in_doubt_when_the_lifetime_is_over_then_it_is_not_called_expired() -> None:
    doubtful = answered(claimed(a_delivery()), anna=FailureKind.IN_DOUBT)

    after = advance(doubtful, LifetimeOver(), at=NOW + timedelta(hours=24))

    assert after.state is DeliveryState.IN_DOUBT
    assert after.is_settled


def test_given_a_copy_sent_when_cancelled_then_refuses_and_changes_nothing() -> None:
    """P7: cancelling is honest."""
    waiting = answered(claimed(a_delivery(ANNA, BERT)), anna=None, bert=FailureKind.TRANSIENT)

    with pytest.raises(IllegalTransition):
        advance(waiting, CancelRequested(), at=NOW)


def test_given_nothing_sent_when_cancelled_then_is_cancelled() -> None:
    after = advance(a_delivery(), CancelRequested(), at=NOW)

    assert after.state is DeliveryState.CANCELLED
    assert after.recipients[0].state is RecipientState.CANCELLED


def test_given_a_failed_delivery_when_the_caller_retries_then_only_what_was_not_sent_is_offered() -> None:
    failed = answered(claimed(a_delivery(ANNA, BERT)), anna=None, bert=FailureKind.PERMANENT)

    again = advance(failed, RetryRequested(expire_time=NOW + timedelta(days=2)), at=NOW + timedelta(days=1))

    assert again.state is DeliveryState.QUEUED
    assert again.to_try() == (BERT,)
    assert again.final_time is None


def test_given_the_peer_asked_for_a_pause_when_answered_then_is_not_tried_earlier() -> None:
    asked = NOW + timedelta(hours=5)
    verdict = Verdict(ANNA, failure=a_failure(FailureKind.THROTTLED, retry_time=asked))

    after = advance(claimed(a_delivery()), Answered((verdict,), jitter=0.0), at=NOW)

    assert after.next_attempt_time == asked


@pytest.mark.parametrize("hours", [1, 23, 24, 25, 168])
def test_given_a_lifetime_when_the_key_is_kept_then_never_shorter_than_it_nor_than_a_day(hours: int) -> None:
    kept = minimum_retention(NOW + timedelta(hours=hours), NOW)

    assert kept >= timedelta(hours=24)
    assert kept >= timedelta(hours=hours)


_KINDS = st.sampled_from([None, *FailureKind])
_JITTER = st.floats(min_value=0, max_value=1, exclude_max=True)
_Maker = Callable[[Delivery], Event]


@st.composite
def _event(draw: st.DrawFn) -> _Maker:
    kinds = draw(st.lists(_KINDS, min_size=3, max_size=3))
    jitter = draw(_JITTER)

    def answer(delivery: Delivery) -> Event:
        return Answered(
            tuple(
                Verdict(address, failure=a_failure(kind) if kind else None)
                for address, kind in zip(delivery.to_try(), kinds, strict=False)
            ),
            jitter=jitter,
        )

    makers: list[_Maker] = [
        lambda _: Claimed(),
        lambda _: Claimed(),
        answer,
        answer,
        lambda _: NotTried(a_failure(kinds[0] or FailureKind.MISCONFIGURED), jitter),
        lambda _: LeaseExpired(past_no_return=kinds[1] is None, jitter=jitter),
        lambda _: Released(),
        lambda _: LifetimeOver(),
        lambda _: CancelRequested(),
    ]
    return draw(st.sampled_from(makers))


@given(events=st.lists(_event(), max_size=40), policy=st.sampled_from(InDoubtPolicy), count=st.integers(1, 3))
def test_given_any_events_when_applied_then_every_law_holds(
    events: list[_Maker], policy: InDoubtPolicy, count: int
) -> None:
    delivery = a_delivery(*(ANNA, BERT, CARL)[:count], policy=policy)
    accepted: set[EmailAddress] = set()
    doubts = 0

    for make in events:
        before, event = delivery, make(delivery)
        try:
            delivery = advance(before, event, at=NOW)
        except IllegalTransition:
            assert delivery is before
            continue
        assert before.state not in FINAL_STATES, "an event left a final state"
        if isinstance(event, Answered):
            offered = [v.recipient for v in event.verdicts]
            assert accepted.isdisjoint(offered), "a recipient that had its copy was offered it again"
            accepted |= {v.recipient for v in event.verdicts if v.is_accepted}
            doubts += any(v.is_in_doubt for v in event.verdicts)
        doubts += isinstance(event, LeaseExpired) and event.past_no_return
        assert {r.address for r in delivery.recipients if r.state is RecipientState.SENT} == accepted
        assert delivery.doubt_count == doubts
        assert (delivery.final_time is not None) == (delivery.state in FINAL_STATES)
        if delivery.state is DeliveryState.SENT:
            assert all(r.state is RecipientState.SENT for r in delivery.recipients)
        if delivery.state in FINAL_STATES:
            assert not any(r.state in (RecipientState.PENDING, RecipientState.IN_DOUBT) for r in delivery.recipients)
        if delivery.state in (DeliveryState.QUEUED, DeliveryState.RETRYING):
            assert delivery.next_attempt_time is not None
            assert delivery.to_try()
        if delivery.next_attempt_time is not None:
            assert NOW <= delivery.next_attempt_time <= delivery.expire_time
        if policy is InDoubtPolicy.HOLD and doubts:
            assert not set(delivery.to_try()) & {
                r.address for r in delivery.recipients if r.state is RecipientState.IN_DOUBT
            }
    assert doubts <= delivery.attempt_count


@given(policy=st.sampled_from(InDoubtPolicy))
def test_given_a_final_delivery_when_any_event_but_the_callers_retry_then_is_refused(policy: InDoubtPolicy) -> None:
    final = answered(claimed(a_delivery(policy=policy)), anna=None)
    events: list[Event] = [
        Claimed(),
        Answered((), 0.5),
        NotTried(a_failure(FailureKind.TRANSIENT), 0.5),
        LeaseExpired(past_no_return=True, jitter=0.5),
        Released(),
        LifetimeOver(),
        CancelRequested(),
        RetryRequested(expire_time=NOW),
    ]

    for event in events:
        with pytest.raises(IllegalTransition):
            advance(replace(final), event, at=NOW)
