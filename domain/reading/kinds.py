"""Delivery reports, read reports and automatic answers told from mail that somebody wrote, by the header alone."""

from __future__ import annotations

import re
from typing import Final

from domain.reading.fields import RawField
from domain.reading.model import Defect, MessageKind, ReadAddress
from domain.reading.parameters import read_parameters

_MAIL_SYSTEM: Final = re.compile(
    r"(?:mailer[-_. ]?daemon|post-?master|mdaemon|mail[-_. ]?(?:delivery|system)|bounces?|"
    r"microsoftexchange[0-9a-f]{32})(?:[+@\s].*)?",
    re.IGNORECASE | re.DOTALL,
)
_ANSWERING: Final = frozenset({"x-autoreply", "x-autorespond", "x-autoresponder"})


def kind_of(fields: list[RawField], sender: tuple[ReadAddress, ...]) -> MessageKind:
    """Returns what the header says of the message; DELIVERY_REPORT is a guess until its parts are read."""
    first: dict[str, bytes] = {}
    for field in fields:
        first.setdefault(field.name, field.value)
    content_type, parameters = read_parameters(first.get("content-type", b""), set[Defect]())
    report_type = parameters.get("report-type", "").strip().lower()
    if content_type == "multipart/report" and report_type == "disposition-notification":
        return MessageKind.READ_REPORT
    if content_type == "multipart/report" and report_type in {"delivery-status", ""}:
        return MessageKind.DELIVERY_REPORT
    if "x-failed-recipients" in first:
        return MessageKind.DELIVERY_REPORT
    if sender and _MAIL_SYSTEM.fullmatch(sender[0].address or sender[0].name):
        return MessageKind.DELIVERY_REPORT
    if first.get("return-path", b"").strip() == b"<>" and content_type.startswith(("multipart/report", "message/")):
        return MessageKind.DELIVERY_REPORT
    return automatic_kind_of(first)


def automatic_kind_of(first: dict[str, bytes]) -> MessageKind:
    """Returns AUTO_REPLY where the fields, the first value of each name, say so (RFC 3834), else ORDINARY."""
    submitted = first.get("auto-submitted", b"").lstrip().lower()
    is_answer = submitted.startswith(b"auto-replied") or bool(_ANSWERING & first.keys())
    is_answer = is_answer or first.get("precedence", b"").strip().lower() in {b"auto_reply", b"auto-reply"}
    return MessageKind.AUTO_REPLY if is_answer else MessageKind.ORDINARY
