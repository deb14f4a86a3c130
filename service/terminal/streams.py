"""What comes on streams, one line each."""

from __future__ import annotations

from typing import Final

import grpc

from mailport.v1 import mail_service_pb2 as api
from service.terminal.deliveries import brief_recipients, sign, state_word
from service.terminal.style import Style
from service.terminal.words import instant, plain

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def draw_change(response: api.WatchDeliveriesResponse, style: Style) -> str:
    """Returns when which delivery came into which state, for whom, and why it failed."""
    delivery = response.delivery
    states = [state_word(each) for each in (response.previous_state, delivery.state) if each]
    parts = [
        style.faint(instant(response.change_time)),
        f"{sign(delivery.state, style)} {delivery.delivery_id}",
        f" {style.arrow} ".join(states),
        delivery.configuration_id,
        brief_recipients(delivery.recipients),
        delivery.failure.reason,
    ]
    return "  ".join(part for part in parts if part)


def draw_streamed(response: api.SendStreamResponse, style: Style) -> str:
    """Returns what became of one of many messages."""
    name = plain(response.client_reference)
    if response.HasField("delivery"):
        again = "  sent before" if response.replayed else ""
        return f"{style.tick} {name}  {response.delivery.delivery_id}  {state_word(response.delivery.state)}{again}"
    error = response.error
    told = plain(f"{error.message} {error.remedy}".strip())
    return f"{style.cross} {name}  {error.reason}  {told}"


def code_of(error: api.SendError) -> grpc.StatusCode:
    """Returns the status that Send would have answered; UNKNOWN for a number that gRPC does not have."""
    return _CODES.get(error.code, grpc.StatusCode.UNKNOWN)
