"""What came of proving settings and of sending, as lines."""

from __future__ import annotations

from mailport.v1 import delivery_pb2, mail_service_pb2
from service.terminal.deliveries import FINAL_STATES, draw_delivery
from service.terminal.failures import draw_warnings
from service.terminal.style import Style
from service.terminal.traces import draw_trace
from service.terminal.words import instant, labelled, plain, word


def draw_validated(response: mail_service_pb2.ValidateAndSaveResponse, style: Style) -> list[str]:
    """Returns the trace, and whether the settings are in use now."""
    configuration = response.configuration.configuration_id
    if response.HasField("confirmation_expire_time"):
        until = instant(response.confirmation_expire_time)
        outcome = [
            f"{style.caution} {configuration} awaits confirmation until {until}.",
            f"  {style.arrow} mailport confirm {configuration} CODE, with the code in the mail",
        ]
    else:
        outcome = [f"{style.tick} {configuration} is proven and in use."]
    return [
        f"{style.tick} The server took the validation mail to {plain(response.validation_recipient)}.",
        *draw_trace(response.trace, style),
        *draw_warnings(response.warnings, style),
        *outcome,
    ]


def draw_tested(response: mail_service_pb2.SendTestResponse, style: Style) -> list[str]:
    """Returns which settings were tested, the trace, and the server's own words."""
    tested = word(mail_service_pb2.TestedSettings.DESCRIPTOR, response.tested, prefix="TESTED_SETTINGS_")
    return [
        f"{style.tick} The server took the test mail, sent with the {tested} settings.",
        *draw_trace(response.trace, style),
        *draw_warnings(response.warnings, style),
        *labelled([("answer", plain(response.provider_reply)), ("message id", plain(response.message_id))]),
    ]


def draw_checked(response: mail_service_pb2.CheckAccountResponse, style: Style) -> list[str]:
    """Returns which settings were tried, the trace, what will bite later, and what nobody could find out."""
    tested = word(mail_service_pb2.TestedSettings.DESCRIPTOR, response.tested, prefix="TESTED_SETTINGS_")
    unchecked = [f"  Not checked: {plain(each)}" for each in response.unchecked]
    ahead = [*draw_warnings(response.warnings, style), *unchecked]
    return [
        f"{style.tick} The server let the account in, with the {tested} settings; nothing was sent.",
        *draw_trace(response.trace, style),
        *(ahead or ["  Nothing is known that would end that."]),
    ]


def draw_sent(response: mail_service_pb2.SendResponse, style: Style) -> list[str]:
    """Returns the delivery, whether it is new, and how to follow it while it is not final."""
    lines = draw_delivery(response.delivery, style)
    if response.replayed:
        lines.append("  The key was used before: this is the first delivery, and nothing was sent again.")
    if response.delivery.state == delivery_pb2.DELIVERY_STATE_HELD:
        lines.append("  It waits until that is put right and then goes out by itself: do not send it again.")
    if response.delivery.state not in FINAL_STATES:
        lines.append(f"  {style.arrow} mailport deliveries get {response.delivery.delivery_id}")
    return lines
