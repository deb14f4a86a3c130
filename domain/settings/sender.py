"""Who sends, and from where: addresses, name and data center, parsed."""

from __future__ import annotations

from typing import Final

from domain.address import EmailAddress, parse_address
from domain.reasons import Reason
from domain.settings.findings import Findings, parse_choice
from domain.settings.model import DataCenterPolicy
from domain.text import has_control_character, shown

MAXIMUM_NAME: Final = 320
MAXIMUM_ALLOWED_FROM: Final = 100


def parse_from_name(text: str, *, findings: Findings) -> str:
    """Returns the name beside the from address as it is; "" when it is wrong."""
    field = "settings.from_name"
    if len(text) > MAXIMUM_NAME:
        findings.refuse(
            field,
            Reason.VALUE_TOO_LONG,
            f"The name has {len(text)} characters; at most {MAXIMUM_NAME} are taken.",
            "Shorten the name.",
        )
        return ""
    if has_control_character(text):
        findings.refuse(
            field,
            Reason.CONTROL_CHARACTER,
            "The name contains a line break or another control character.",
            "Type the name again on one line.",
        )
        return ""
    return text


def parse_allowed_from(texts: tuple[str, ...], *, findings: Findings) -> tuple[EmailAddress, ...]:
    """Returns the further senders, each once and in order, without those that are wrong."""
    field = "settings.allowed_from"
    if len(texts) > MAXIMUM_ALLOWED_FROM:
        findings.refuse(
            field,
            Reason.VALUE_OUT_OF_RANGE,
            f"There are {len(texts)} addresses; at most {MAXIMUM_ALLOWED_FROM} are taken.",
            "Use several configurations.",
        )
        return ()
    parsed = [findings.take(parse_address(text, field=f"{field}[{index}]")) for index, text in enumerate(texts)]
    return tuple(dict.fromkeys(address for address in parsed if address is not None))


def parse_data_center(text: str, known: tuple[str, ...], *, findings: Findings) -> str:
    """Returns the data center, one of the *known* ones or empty for any."""
    if text and text not in known:
        remedy = f"Choose one of {', '.join(known)}, or leave it empty." if known else "Leave it empty: there are none."
        findings.refuse(
            "settings.data_center",
            Reason.DATA_CENTER_UNKNOWN,
            f"{shown(text)} is not one of this mailport's data centers.",
            remedy,
        )
    return text


def parse_data_center_policy(text: str, *, data_center: str, findings: Findings) -> DataCenterPolicy:
    """Returns the policy, PREFERRED when empty; STRICT without a data center would promise what nobody keeps."""
    field = "settings.data_center_policy"
    policy = findings.take(parse_choice(text, DataCenterPolicy, field=field)) if text else DataCenterPolicy.PREFERRED
    if policy is DataCenterPolicy.STRICT and not data_center:
        findings.refuse(
            "settings.data_center",
            Reason.FIELD_REQUIRED,
            "The policy STRICT names no data center to keep to.",
            "Choose a data center, or the policy PREFERRED.",
        )
    return policy or DataCenterPolicy.PREFERRED
