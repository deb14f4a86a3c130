"""Deliveries as lines: where a message stands, for whom, and what each attempt met."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mailport.v1 import delivery_pb2 as api
from mailport.v1.mailbox_service_pb2 import BouncedRecipient
from service.terminal.failures import draw_failure
from service.terminal.style import Style
from service.terminal.traces import draw_trace
from service.terminal.words import aligned, counted, instant, labelled, plain, word

FINAL_STATES: Final = frozenset(
    {
        api.DELIVERY_STATE_SENT,
        api.DELIVERY_STATE_PARTIALLY_SENT,
        api.DELIVERY_STATE_FAILED,
        api.DELIVERY_STATE_EXPIRED,
        api.DELIVERY_STATE_CANCELLED,
    }
)


def draw_delivery(delivery: api.Delivery, style: Style) -> list[str]:
    """Returns state, recipients, the last failure and every attempt of one delivery."""
    facts = [
        ("configuration", delivery.configuration_id),
        ("message id", plain(delivery.message_id)),
        ("accepted", instant(delivery.create_time)),
        ("final", instant(delivery.final_time)),
        ("next attempt", instant(delivery.next_attempt_time)),
        ("gives up", "" if delivery.HasField("final_time") else instant(delivery.expire_time)),
        ("data center", delivery.data_center),
    ]
    lines = [f"{sign(delivery.state, style)} {style.bold(delivery.delivery_id)}  {state_word(delivery.state)}"]
    lines += labelled(facts)
    lines += _recipients(delivery.recipients, style)
    lines += [f"  {line}" for line in draw_bounces(delivery.bounces, style)]
    if delivery.HasField("failure"):
        lines += draw_failure(delivery.failure, style, indent="  ")
    for attempt in delivery.attempts:
        doubt = ", in doubt" if attempt.in_doubt else ""
        site = f", from {attempt.data_center}" if attempt.data_center else ""
        lines.append(f"  attempt {attempt.number}  {instant(attempt.start_time)}{site}{doubt}")
        lines += draw_trace(attempt.trace, style, indent="    ")
    return lines


def draw_deliveries(deliveries: Sequence[api.Delivery], style: Style) -> list[str]:
    """Returns a table of deliveries."""
    if not deliveries:
        return ["No deliveries."]
    rows = [("DELIVERY", "STATE", "CONFIGURATION", "ACCEPTED", "ATTEMPTS", "RECIPIENTS")]
    for delivery in deliveries:
        rows.append(
            (
                delivery.delivery_id,
                state_word(delivery.state),
                delivery.configuration_id,
                instant(delivery.create_time),
                str(delivery.attempt_count),
                brief_recipients(delivery.recipients),
            )
        )
    heading, *rest = aligned(rows)
    return [style.faint(heading), *rest]


def state_word(state: api.DeliveryState.ValueType) -> str:
    """Returns where a delivery stands, e.g. ``partially sent``."""
    return word(api.DeliveryState.DESCRIPTOR, state, prefix="DELIVERY_STATE_")


def sign(state: api.DeliveryState.ValueType, style: Style) -> str:
    """Returns a mark that tells success, end without it, and everything between."""
    if state == api.DELIVERY_STATE_SENT:
        return style.tick
    return style.cross if state in FINAL_STATES else style.caution


def _recipients(recipients: Sequence[api.RecipientResult], style: Style) -> list[str]:
    rows = [
        (
            plain(recipient.address),
            word(api.RecipientState.DESCRIPTOR, recipient.state, prefix="RECIPIENT_STATE_"),
            plain(recipient.provider_reply),
        )
        for recipient in recipients
    ]
    signs = {api.RECIPIENT_STATE_SENT: style.tick, api.RECIPIENT_STATE_REJECTED: style.cross}
    drawn = zip(recipients, aligned(rows), strict=True)
    return [f"  {signs.get(recipient.state, style.caution)} {line}" for recipient, line in drawn]


def draw_bounces(reports: Sequence[api.Bounce | BouncedRecipient], style: Style) -> list[str]:
    """Returns what delivery reports said of each address, and where that is known, which server and when."""
    signs = {api.BOUNCE_ACTION_FAILED: style.cross, api.BOUNCE_ACTION_DELIVERED: style.tick}
    lines = []
    for report in reports:
        said = [
            plain(report.address),
            f"reported {word(api.BounceAction.DESCRIPTOR, report.action, prefix='BOUNCE_ACTION_')}",
            plain(report.status),
            plain(report.diagnostic),
        ]
        if isinstance(report, api.Bounce):
            said += [plain(report.reporting_server), instant(report.report_time)]
        lines.append(f"{signs.get(report.action, style.caution)} {'  '.join(filter(None, said))}")
    return lines


def brief_recipients(recipients: Sequence[api.RecipientResult]) -> str:
    """Returns the first recipient and how many others there are."""
    if not recipients:
        return ""
    rest = len(recipients) - 1
    return plain(recipients[0].address) + (f" and {counted(rest, 'other')}" if rest else "")
