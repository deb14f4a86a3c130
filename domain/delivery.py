"""The delivery state machine: a delivery and an event in, the delivery after it out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, assert_never

from domain.address import EmailAddress
from domain.failures.catalogue import OUTCOME_UNKNOWN
from domain.failures.failure import Failure, FailureKind, Stage
from domain.failures.trace import Trace
from domain.message import Envelope, InDoubtPolicy
from domain.retry import MAX_DOUBTS, next_attempt_time
from domain.settings.model import DataCenterPolicy
from domain.verdict import Verdict


class DeliveryState(StrEnum):
    """Where a delivery stands (design rule 9)."""

    QUEUED = "QUEUED"
    SENDING = "SENDING"
    RETRYING = "RETRYING"
    HELD = "HELD"
    """Waits for a new consent; nothing is tried and nothing fails meanwhile."""
    IN_DOUBT = "IN_DOUBT"
    """
    Passed its point of no return without a definite answer. Tried again under the policy RETRY, kept for a person
    otherwise.
    """
    SENT = "SENT"
    PARTIALLY_SENT = "PARTIALLY_SENT"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


FINAL_STATES: Final = frozenset(
    {
        DeliveryState.SENT,
        DeliveryState.PARTIALLY_SENT,
        DeliveryState.FAILED,
        DeliveryState.EXPIRED,
        DeliveryState.CANCELLED,
    }
)


class RecipientState(StrEnum):
    """Where one recipient stands."""

    PENDING = "PENDING"
    SENT = "SENT"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    IN_DOUBT = "IN_DOUBT"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient of a delivery and the last answer about it."""

    address: EmailAddress
    state: RecipientState = RecipientState.PENDING
    failure: Failure | None = None
    reply: str = ""
    accept_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One accepted message on its way."""

    tenant: str
    delivery_id: str
    configuration_id: str
    message_id: str
    """The Message-ID header's value with angle brackets; the same in every attempt."""
    sender: EmailAddress
    recipients: tuple[Recipient, ...]
    create_time: datetime
    update_time: datetime
    expire_time: datetime
    state: DeliveryState = DeliveryState.QUEUED
    in_doubt_policy: InDoubtPolicy = InDoubtPolicy.RETRY
    attempt_count: int = 0
    doubt_count: int = 0
    """Attempts that ended in doubt: the number of further copies there may be."""
    next_attempt_time: datetime | None = None
    """None: nothing more is tried by itself."""
    final_time: datetime | None = None
    failure: Failure | None = None
    """
    The last attempt's, kept when the delivery ends. Where recipients fared differently: while the delivery waits, what
    it waits for.
    """
    data_center: str = ""
    """Whose workers are to make the attempts, by the active settings; empty: any."""
    data_center_policy: DataCenterPolicy = DataCenterPolicy.PREFERRED
    attempted_from: str = ""
    """The data center that made the last attempt; empty before the first, and for workers at no named site."""

    @property
    def is_settled(self) -> bool:
        """Tells whether nothing more will happen by itself: a final state, or held in doubt for a person."""
        return self.state in FINAL_STATES or (self.state is DeliveryState.IN_DOUBT and self.next_attempt_time is None)

    def to_try(self) -> tuple[EmailAddress, ...]:
        """Names the recipients that the next attempt offers: the pending ones, and under RETRY those in doubt."""
        return tuple(r.address for r in self.recipients if _is_open(r, self._may_repeat))

    def envelope(self) -> Envelope:
        """Returns the envelope of the next attempt."""
        return Envelope(sender=self.sender, recipients=self.to_try())

    @property
    def _may_repeat(self) -> bool:
        return self.in_doubt_policy is InDoubtPolicy.RETRY and self.doubt_count < MAX_DOUBTS


@dataclass(frozen=True, slots=True)
class Attempt:
    """The record of one attempt."""

    number: int
    """1 is the first."""
    start_time: datetime
    end_time: datetime | None = None
    """None: under way, or its worker died."""
    failure: Failure | None = None
    trace: Trace | None = None
    in_doubt: bool = False
    data_center: str = ""
    """Where the worker was; empty: at no named site."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker took the delivery for an attempt."""

    data_center: str = ""
    """Where the worker is; empty: at no named site."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The attempt ended with a verdict for each recipient that it offered."""

    verdicts: tuple[Verdict, ...]
    jitter: float
    """In [0, 1)."""
    failure: Failure | None = None
    """What ended the attempt for the message as a whole; None when single recipients at most were refused."""


@dataclass(frozen=True, slots=True)
class NotTried:
    """The attempt could not even start: the configuration is unusable just now, and *failure* says why."""

    failure: Failure
    jitter: float


@dataclass(frozen=True, slots=True)
class LeaseExpired:
    """The worker is gone; `past_no_return` tells whether content may have left."""

    past_no_return: bool
    jitter: float


@dataclass(frozen=True, slots=True)
class Released:
    """What the delivery waited for is there: a new consent, or changed settings."""


@dataclass(frozen=True, slots=True)
class LifetimeOver:
    """`expire_time` has passed."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The caller wants it stopped."""


@dataclass(frozen=True, slots=True)
class RetryRequested:
    """The caller decides to try a failed, expired or doubtful delivery again, knowing that a copy may exist."""

    expire_time: datetime


Event = Claimed | Answered | NotTried | LeaseExpired | Released | LifetimeOver | CancelRequested | RetryRequested


class IllegalTransition(Exception):
    """The event does not apply to the delivery's state; nothing changed."""

    def __init__(self, state: DeliveryState, event: Event) -> None:
        super().__init__(f"{type(event).__name__} does not apply to a delivery that is {state}")
        self.state = state
        self.event = event


BROKEN_OFF: Final = Failure(
    reason=OUTCOME_UNKNOWN.reason,
    kind=OUTCOME_UNKNOWN.kind,
    stage=Stage.DATA,
    cause="The worker broke off after content may have left, before a complete answer was recorded: nobody can know "
    "whether the message was taken (RFC 1047).",
    remedy=OUTCOME_UNKNOWN.remedy,
)
"""What a delivery shows whose worker died past the point of no return."""

_WAITING: Final = frozenset({DeliveryState.QUEUED, DeliveryState.RETRYING, DeliveryState.HELD, DeliveryState.IN_DOUBT})
_RETRIABLE: Final = frozenset({DeliveryState.FAILED, DeliveryState.EXPIRED, DeliveryState.PARTIALLY_SENT})


def advance(delivery: Delivery, event: Event, *, at: datetime) -> Delivery:
    """
    Returns *delivery* as it is after *event* at the instant *at*.

    Only RetryRequested leaves a final state, and a recipient that was SENT is never offered again.

    Raises IllegalTransition when the event does not apply to the state.
    """
    match event:
        case Claimed():
            after = _claimed(delivery, event)
        case Answered():
            after = _answered(delivery, event, at)
        case NotTried():
            after = _not_tried(delivery, event, at)
        case LeaseExpired():
            after = _lease_expired(delivery, event, at)
        case Released():
            _require(delivery, event, _WAITING)
            after = delivery if delivery.state is DeliveryState.IN_DOUBT else _queued(delivery, at)
        case LifetimeOver():
            _require(delivery, event, _WAITING)
            after = _end(delivery, RecipientState.EXPIRED)
        case CancelRequested():
            after = _cancelled(delivery, event)
        case RetryRequested():
            after = _retry_requested(delivery, event, at)
        case _:
            assert_never(event)
    return _stamped(after, at)


def _claimed(delivery: Delivery, event: Claimed) -> Delivery:
    _require(delivery, event, _WAITING)
    if not delivery.to_try():
        raise IllegalTransition(delivery.state, event)
    return replace(
        delivery,
        state=DeliveryState.SENDING,
        attempt_count=delivery.attempt_count + 1,
        next_attempt_time=None,
        attempted_from=event.data_center,
    )


def _answered(delivery: Delivery, event: Answered, at: datetime) -> Delivery:
    _require(delivery, event, {DeliveryState.SENDING})
    verdicts = {v.recipient: v for v in event.verdicts}
    recipients = tuple(_judged(r, verdicts[r.address], at) if r.address in verdicts else r for r in delivery.recipients)
    doubts = delivery.doubt_count + any(v.is_in_doubt for v in event.verdicts)
    failures = [v.failure for v in event.verdicts if v.failure]
    judged = replace(delivery, recipients=recipients, doubt_count=doubts)
    settled = _settle(judged, failures, at=at, jitter=event.jitter)
    return replace(settled, failure=_telling(settled.state, failures, event.failure))


def _not_tried(delivery: Delivery, event: NotTried, at: datetime) -> Delivery:
    _require(delivery, event, {DeliveryState.SENDING})
    failed = replace(delivery, failure=event.failure)
    if event.failure.is_final:
        return _end(failed, RecipientState.REJECTED, event.failure)
    return _settle(failed, [event.failure], at=at, jitter=event.jitter)


def _lease_expired(delivery: Delivery, event: LeaseExpired, at: datetime) -> Delivery:
    _require(delivery, event, {DeliveryState.SENDING})
    if not event.past_no_return:
        return _queued(delivery, at)
    offered = delivery.to_try()
    doubtful = tuple(
        replace(r, state=RecipientState.IN_DOUBT, failure=BROKEN_OFF) if r.address in offered else r
        for r in delivery.recipients
    )
    judged = replace(delivery, recipients=doubtful, doubt_count=delivery.doubt_count + 1, failure=BROKEN_OFF)
    return _settle(judged, [BROKEN_OFF], at=at, jitter=event.jitter)


def _cancelled(delivery: Delivery, event: Event) -> Delivery:
    """Cancelling is honest: refused once any copy was taken or may have been."""
    _require(delivery, event, _WAITING)
    # The count too: a recipient that was in doubt is pending again once the caller has asked to retry.
    if delivery.doubt_count or any(
        r.state in (RecipientState.SENT, RecipientState.IN_DOUBT) for r in delivery.recipients
    ):
        raise IllegalTransition(delivery.state, event)
    return _end(delivery, RecipientState.CANCELLED)


def _retry_requested(delivery: Delivery, event: RetryRequested, at: datetime) -> Delivery:
    _require(delivery, event, _RETRIABLE | _WAITING)
    recipients = tuple(
        r if r.state in (RecipientState.SENT, RecipientState.PENDING) else replace(r, state=RecipientState.PENDING)
        for r in delivery.recipients
    )
    if all(r.state is RecipientState.SENT for r in recipients):
        raise IllegalTransition(delivery.state, event)
    again = replace(delivery, recipients=recipients, expire_time=event.expire_time, final_time=None)
    return _queued(again, at)


def _judged(recipient: Recipient, verdict: Verdict, at: datetime) -> Recipient:
    failure = verdict.failure
    if failure is None:
        return replace(recipient, state=RecipientState.SENT, failure=None, reply=verdict.reply, accept_time=at)
    state = recipient.state  # a copy that was in doubt once stays so, whatever passing trouble a later attempt meets
    if failure.is_final:
        state = RecipientState.REJECTED
    elif verdict.is_in_doubt:
        state = RecipientState.IN_DOUBT
    return replace(recipient, state=state, failure=failure, reply=verdict.reply)


def _telling(state: DeliveryState, failures: Sequence[Failure], whole: Failure | None) -> Failure | None:
    """Chooses the one failure to show: while the delivery waits, one that it waits for; the whole message's first."""
    waits_for = {DeliveryState.HELD: FailureKind.REAUTHORIZE, DeliveryState.IN_DOUBT: FailureKind.IN_DOUBT}.get(state)
    waiting = [] if state in FINAL_STATES else [f for f in failures if not f.is_final]
    candidates = [f for f in waiting if f.kind is waits_for] or waiting or failures
    if whole is not None and whole in candidates:
        return whole
    return candidates[0] if candidates else None


def _settle(delivery: Delivery, failures: Iterable[Failure], *, at: datetime, jitter: float) -> Delivery:
    """Chooses the state after an attempt: done, held for consent, in doubt, or waiting for the next try."""
    states = {r.state for r in delivery.recipients}
    if not delivery.to_try():
        return _concluded(delivery)
    waiting = [f for f in failures if not f.is_final]
    if any(f.kind is FailureKind.REAUTHORIZE for f in waiting):
        return replace(delivery, state=DeliveryState.HELD, next_attempt_time=None)
    in_doubt = RecipientState.IN_DOUBT in states and delivery._may_repeat  # noqa: SLF001 - the machine's own value
    kinds = {f.kind for f in waiting} or {FailureKind.IN_DOUBT if in_doubt else FailureKind.TRANSIENT}
    if in_doubt:
        kinds.add(FailureKind.IN_DOUBT)
    asked = max((f.retry_time for f in waiting if f.retry_time), default=None)
    due = max(
        next_attempt_time(kind, attempt=delivery.attempt_count, now=at, jitter=jitter, asked=asked) for kind in kinds
    )
    state = DeliveryState.IN_DOUBT if in_doubt else DeliveryState.RETRYING
    due = min(delivery.expire_time, due)  # woken there to be ended, so that it never waits past its lifetime
    return replace(delivery, state=state, next_attempt_time=due)


def _concluded(delivery: Delivery) -> Delivery:
    states = {r.state for r in delivery.recipients}
    if RecipientState.IN_DOUBT in states:
        final = DeliveryState.IN_DOUBT
    elif states == {RecipientState.SENT}:
        final = DeliveryState.SENT
    elif RecipientState.SENT in states:
        final = DeliveryState.PARTIALLY_SENT
    elif RecipientState.CANCELLED in states:
        final = DeliveryState.CANCELLED
    elif RecipientState.EXPIRED in states:
        final = DeliveryState.EXPIRED
    else:
        final = DeliveryState.FAILED
    return replace(delivery, state=final, next_attempt_time=None)


def _end(delivery: Delivery, state: RecipientState, failure: Failure | None = None) -> Delivery:
    """
    Ends what is still pending as *state*, because of *failure*, where that is None of what each recipient met last.

    What is in doubt stays so, since nobody can say that it was not sent.
    """
    recipients = tuple(
        replace(r, state=state, failure=failure or r.failure) if r.state is RecipientState.PENDING else r
        for r in delivery.recipients
    )
    return _concluded(replace(delivery, recipients=recipients))


def _queued(delivery: Delivery, at: datetime) -> Delivery:
    return replace(delivery, state=DeliveryState.QUEUED, next_attempt_time=at)


def _stamped(delivery: Delivery, at: datetime) -> Delivery:
    final = at if delivery.state in FINAL_STATES and delivery.final_time is None else delivery.final_time
    return replace(delivery, update_time=at, final_time=final)


def _is_open(recipient: Recipient, may_repeat: bool) -> bool:
    return recipient.state is RecipientState.PENDING or (recipient.state is RecipientState.IN_DOUBT and may_repeat)


def _require(delivery: Delivery, event: Event, states: Iterable[DeliveryState]) -> None:
    if delivery.state not in states:
        raise IllegalTransition(delivery.state, event)


def minimum_retention(expire_time: datetime, create_time: datetime) -> timedelta:
    """How long an idempotency key is kept at least: 24 hours, and never shorter than the delivery lives (rule 10)."""
    return max(timedelta(hours=24), expire_time - create_time)
