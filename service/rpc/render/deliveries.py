"""Deliveries, their recipients and attempts."""

from __future__ import annotations

from domain.bounce import Bounce
from domain.delivery import Attempt, Recipient
from domain.reading.model import BounceAction
from mailport.v1 import delivery_pb2 as pb
from mailport.v1 import mail_service_pb2
from service.rpc.page_tokens import change_cursor
from service.rpc.render.failures import render_optional_failure, render_trace
from service.rpc.render.values import LARGEST_ANSWER_BYTES, enum_value, text, timestamp
from service.usecases.views import DeliveryView
from service.usecases.watch_deliveries import Watched


def render_delivery(view: DeliveryView) -> pb.Delivery:
    """Returns the delivery with its attempts, without the oldest of them where the answer would be too large."""
    delivery = view.delivery
    rendered = pb.Delivery(
        delivery_id=delivery.delivery_id,
        state=enum_value(pb.DeliveryState, "DELIVERY_STATE_", delivery.state),
        configuration_id=delivery.configuration_id,
        message_id=delivery.message_id,
        recipients=[_recipient(each) for each in delivery.recipients],
        attempt_count=delivery.attempt_count,
        failure=render_optional_failure(delivery.failure),
        next_attempt_time=timestamp(delivery.next_attempt_time),
        expire_time=timestamp(delivery.expire_time),
        create_time=timestamp(delivery.create_time),
        update_time=timestamp(delivery.update_time),
        final_time=timestamp(delivery.final_time),
        data_center=delivery.attempted_from,
    )
    rendered.bounces.extend(render_bounce(each) for each in view.bounces)
    rendered.attempts.extend(_newest([_attempt(each) for each in view.attempts], rendered.ByteSize()))
    return rendered


def render_watched(watched: Watched, tenant: str) -> mail_service_pb2.WatchDeliveriesResponse:
    """Returns a change, or a sign of life, with the cursor behind it."""
    cursor = change_cursor(watched.number, tenant)
    if (change := watched.change) is None:
        return mail_service_pb2.WatchDeliveriesResponse(cursor=cursor)
    before = change.previous_state
    return mail_service_pb2.WatchDeliveriesResponse(
        cursor=cursor,
        delivery=render_delivery(DeliveryView(change.delivery)),
        previous_state=(
            pb.DELIVERY_STATE_UNSPECIFIED if before is None else enum_value(pb.DeliveryState, "DELIVERY_STATE_", before)
        ),
        change_time=timestamp(change.delivery.update_time),
    )


def _newest(attempts: list[pb.Attempt], used: int) -> list[pb.Attempt]:
    """Keeps the last attempts that fit beside *used* bytes."""
    kept: list[pb.Attempt] = []
    for attempt in reversed(attempts):
        used += attempt.ByteSize() + 8  # 8: the field's tag and the attempt's length
        if used > LARGEST_ANSWER_BYTES:
            break
        kept.append(attempt)
    return kept[::-1]


def render_bounce(bounce: Bounce) -> pb.Bounce:
    """Returns what a report said of one address."""
    return pb.Bounce(
        address=text(bounce.address),
        action=render_bounce_action(bounce.action),
        status=text(bounce.status),
        diagnostic=text(bounce.diagnostic),
        reporting_server=text(bounce.reporting_server),
        report_time=timestamp(bounce.report_time),
    )


def render_bounce_action(action: BounceAction) -> pb.BounceAction.ValueType:
    """Returns the API's word; UNSPECIFIED where the report names none that is known."""
    if action is BounceAction.UNKNOWN:
        return pb.BOUNCE_ACTION_UNSPECIFIED
    return enum_value(pb.BounceAction, "BOUNCE_ACTION_", action)


def _recipient(recipient: Recipient) -> pb.RecipientResult:
    return pb.RecipientResult(
        address=str(recipient.address),
        state=enum_value(pb.RecipientState, "RECIPIENT_STATE_", recipient.state),
        provider_reply=text(recipient.reply),
        failure=render_optional_failure(recipient.failure),
        accept_time=timestamp(recipient.accept_time),
    )


def _attempt(attempt: Attempt) -> pb.Attempt:
    return pb.Attempt(
        number=attempt.number,
        start_time=timestamp(attempt.start_time),
        end_time=timestamp(attempt.end_time),
        failure=render_optional_failure(attempt.failure),
        in_doubt=attempt.in_doubt,
        trace=render_trace(attempt.trace) if attempt.trace is not None else None,
        data_center=attempt.data_center,
    )
