"""The rules for what a caller may do with a delivery that was accepted: stop it, or try it once more."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain.delivery import (
    FINAL_STATES,
    CancelRequested,
    Delivery,
    DeliveryState,
    IllegalTransition,
    RecipientState,
    RetryRequested,
    advance,
)
from domain.errors import NotReady, Violation
from domain.message_wishes import DEFAULT_LIFE, LONGEST_LIFE
from domain.reasons import Reason

_LOOK: Final = "Wait for the attempt's end, then look at the delivery with GetDelivery."
_ANEW: Final = "Send the message anew if it must go out."


def parse_retry_life(written: timedelta | None, *, field: str) -> timedelta | Violation:
    """
    Returns how long a delivery is tried from the retry on: 24 hours unless *written* says longer or shorter.

    More than nothing, and 7 days at most; else VALUE_OUT_OF_RANGE of *field*.
    """
    life = DEFAULT_LIFE if written is None else written
    if timedelta(0) < life <= LONGEST_LIFE:
        return life
    return Violation(
        field=field,
        reason=Reason.VALUE_OUT_OF_RANGE,
        message="A delivery is tried again for longer than nothing and for at most 7 days.",
        remedy="Use a duration within these bounds, or leave it out for 24 hours.",
    )


def cancelled(delivery: Delivery, *, at: datetime) -> Delivery:
    """
    Returns the delivery as it is once the caller has stopped it; one that was stopped before stays as it is.

    Raises NotReady DELIVERY_UNDER_WAY when a copy may be on its way or was taken (P7), DELIVERY_FINAL when it ended
    otherwise.
    """
    if delivery.state is DeliveryState.CANCELLED:
        return delivery
    try:
        return advance(delivery, CancelRequested(), at=at)
    except IllegalTransition:
        if delivery.state in FINAL_STATES and not _may_have_copies(delivery):
            message = f"The delivery is {delivery.state} already; nothing of it is left to stop."
            raise _refused(delivery, Reason.DELIVERY_FINAL, message, _ANEW) from None
    raise _refused(delivery, Reason.DELIVERY_UNDER_WAY, _why_not_stopped(delivery), _LOOK)


def tried_again(delivery: Delivery, *, life: timedelta, has_content: bool, at: datetime) -> Delivery:
    """
    Returns the delivery due at once for every recipient that does not have it, to be tried until *life* is over.

    Raises NotReady DELIVERY_UNDER_WAY while an attempt is under way, DELIVERY_FINAL when nothing is left to try: all
    have it, it was cancelled, or its content is no longer stored.
    """
    if delivery.state is DeliveryState.SENDING:
        message = "An attempt is under way just now."
        raise _refused(delivery, Reason.DELIVERY_UNDER_WAY, message, _LOOK)
    try:
        again = advance(delivery, RetryRequested(expire_time=at + life), at=at)
    except IllegalTransition:
        message = f"The delivery is {delivery.state}; there is nobody left to try it for."
        raise _refused(delivery, Reason.DELIVERY_FINAL, message, _ANEW) from None
    if not has_content:
        message = "The message's content is no longer stored."
        raise _refused(delivery, Reason.DELIVERY_FINAL, message, _ANEW)
    return again


def _may_have_copies(delivery: Delivery) -> bool:
    taken = (RecipientState.SENT, RecipientState.IN_DOUBT)
    return delivery.doubt_count > 0 or any(recipient.state in taken for recipient in delivery.recipients)


def _why_not_stopped(delivery: Delivery) -> str:
    if delivery.state is DeliveryState.SENDING:
        return "An attempt is under way just now: a copy may be on its way."
    if any(recipient.state is RecipientState.SENT for recipient in delivery.recipients):
        return "A server took a copy already, and that one cannot be called back."
    return "A server may have taken a copy: an attempt broke off without a definite answer."


def _refused(delivery: Delivery, reason: Reason, message: str, remedy: str) -> NotReady:
    metadata = {"delivery_id": delivery.delivery_id, "state": delivery.state.value}
    return NotReady(message, reason=reason, remedy=remedy, metadata=metadata)
