"""Limits of a configuration's sending, parsed, and what holds once the provider's are laid under them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from domain.limits import AccountLimits
from domain.providers import PROVIDERS, preset_for_host
from domain.providers.microsoft import REQUESTS_AT_ONCE
from domain.providers.preset import ProviderPreset
from domain.reasons import Reason
from domain.settings.findings import Findings
from domain.settings.model import GraphTransport, MailSettings, SmtpTransport
from domain.settings.written import WrittenLimits

PREFIX: Final = "settings.limits"
MOST_CONNECTIONS: Final = 100
"""That can be set, for all processes together; one opens fewer."""
MOST_A_MINUTE: Final = 100_000
"""Messages that can be set."""
MOST_A_DAY: Final = 10_000_000
"""Messages, and recipients, that can be set."""


def parse_limits(written: WrittenLimits | None, *, findings: Findings) -> AccountLimits:
    """Returns the limits that are set, None for 0, which is the provider's; refuses what is out of bounds."""
    if written is None:
        return AccountLimits()
    return AccountLimits(
        connections=_number(written.max_connections, MOST_CONNECTIONS, "max_connections", findings),
        messages_per_minute=_number(written.messages_per_minute, MOST_A_MINUTE, "messages_per_minute", findings),
        messages_per_day=_number(written.messages_per_day, MOST_A_DAY, "messages_per_day", findings),
        recipients_per_day=_number(written.recipients_per_day, MOST_A_DAY, "recipients_per_day", findings),
    )


def limits_of(settings: MailSettings) -> AccountLimits:
    """
    Returns what bounds sending with *settings*: what is set, else what the provider documents.

    Through Graph `REQUESTS_AT_ONCE` is never exceeded, whatever is set: it is the provider's fact, and each message
    under way makes one request at a time.
    """
    preset = _preset_of(settings.transport)
    if isinstance(settings.transport, GraphTransport):
        limits = settings.limits if preset is None else settings.limits.over(replace(preset.limits, connections=None))
        return replace(limits, connections=min(limits.connections or REQUESTS_AT_ONCE, REQUESTS_AT_ONCE))
    return settings.limits if preset is None else settings.limits.over(preset.limits)


def _preset_of(transport: SmtpTransport | GraphTransport) -> ProviderPreset | None:
    match transport:
        case SmtpTransport(host=host):
            return preset_for_host(host)
        case GraphTransport(base_url=base_url):
            return next((preset for preset in PROVIDERS if preset.graph_base_url == base_url), None)


def _number(number: int, most: int, name: str, findings: Findings) -> int | None:
    if 0 <= number <= most:
        return number or None
    findings.refuse(
        f"{PREFIX}.{name}",
        Reason.VALUE_OUT_OF_RANGE,
        f"{number} is not between 1 and {most:,}.",
        "Leave it at 0 for what the provider documents, or choose a number within these bounds.",
    )
    return None
