"""
Domain values as JSON columns, and back.

The code of two versions works on the same rows: unknown keys are ignored, missing ones get their default, and a reason
that only the newer version knows reads as INTERNAL, its texts as they are. Other words (kinds, stages, states) are
closed: a new one takes a version that can read it before the version that writes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from domain.address import EmailAddress
from domain.delivery import Recipient, RecipientState
from domain.errors import Warning
from domain.failures.failure import Failure, FailureKind, Fix, Stage
from domain.failures.trace import TlsSession, Trace, TraceStep
from domain.reasons import Reason

Json = Mapping[str, Any]
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Tells whether PostgreSQL can hold *text*: neither text nor jsonb takes a NUL or half of a surrogate pair."""
    return not _UNSTORABLE.search(text)


def storable(text: str) -> str:
    """Returns *text*, as a peer wrote it, with U+FFFD in place of what cannot be stored."""
    return _UNSTORABLE.sub("\ufffd", text)


def address_from(text: str) -> EmailAddress:
    """Rebuilds an address from its stored text."""
    local_part, _, domain = text.rpartition("@")
    return EmailAddress(local_part, domain)


def time_to(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def time_from(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def failure_to(failure: Failure | None) -> Json | None:
    if failure is None:
        return None
    return {
        "reason": failure.reason.value,
        "kind": failure.kind.value,
        "stage": failure.stage.value,
        "cause": storable(failure.cause),
        "remedy": storable(failure.remedy),
        "provider_code": storable(failure.provider_code),
        "provider_reply": storable(failure.provider_reply),
        "retry_time": time_to(failure.retry_time),
        "fixes": [_fix_to(fix) for fix in failure.fixes],
    }


def failure_from(row: Json | None) -> Failure | None:
    if row is None:
        return None
    return Failure(
        reason=_reason_from(row["reason"]),
        kind=FailureKind(row["kind"]),
        stage=Stage(row["stage"]),
        cause=row["cause"],
        remedy=row["remedy"],
        provider_code=row.get("provider_code", ""),
        provider_reply=row.get("provider_reply", ""),
        retry_time=time_from(row.get("retry_time")),
        fixes=tuple(_fix_from(fix) for fix in row.get("fixes", ())),
    )


def _fix_to(fix: Fix) -> Json:
    row: Json = {"field": fix.field, "value": fix.value}
    return {**row, "also": [_fix_to(each) for each in fix.also]} if fix.also else row


def _fix_from(row: Json) -> Fix:
    return Fix(field=row["field"], value=row["value"], also=tuple(_fix_from(each) for each in row.get("also", ())))


def trace_to(trace: Trace | None) -> Json | None:
    if trace is None:
        return None
    return {"start_time": time_to(trace.start_time), "steps": [_step_to(step) for step in trace.steps]}


def trace_from(row: Json | None) -> Trace | None:
    if row is None:
        return None
    return Trace(
        start_time=datetime.fromisoformat(row["start_time"]), steps=tuple(_step_from(step) for step in row["steps"])
    )


def recipient_to(recipient: Recipient) -> Json:
    return {
        "address": str(recipient.address),
        "state": recipient.state.value,
        "failure": failure_to(recipient.failure),
        "reply": storable(recipient.reply),
        "accept_time": time_to(recipient.accept_time),
    }


def recipient_from(row: Json) -> Recipient:
    return Recipient(
        address=address_from(row["address"]),
        state=RecipientState(row["state"]),
        failure=failure_from(row.get("failure")),
        reply=row.get("reply", ""),
        accept_time=time_from(row.get("accept_time")),
    )


def warning_to(warning: Warning) -> Json:
    return {
        "field": warning.field,
        "reason": warning.reason.value,
        "message": warning.message,
        "remedy": warning.remedy,
    }


def warning_from(row: Json) -> Warning:
    return Warning(
        field=row["field"], reason=_reason_from(row["reason"]), message=row["message"], remedy=row.get("remedy", "")
    )


def _reason_from(text: str) -> Reason:
    try:
        return Reason(text)
    except ValueError:
        return Reason.INTERNAL


def _step_to(step: TraceStep) -> Json:
    return {
        "stage": step.stage.value,
        "succeeded": step.succeeded,
        "duration_us": step.duration // timedelta(microseconds=1),
        "detail": storable(step.detail),
        "peer": storable(step.peer),
        "reply": storable(step.reply),
        "tls": _tls_to(step.tls),
    }


def _step_from(row: Json) -> TraceStep:
    return TraceStep(
        stage=Stage(row["stage"]),
        succeeded=row["succeeded"],
        duration=timedelta(microseconds=row["duration_us"]),
        detail=row.get("detail", ""),
        peer=row.get("peer", ""),
        reply=row.get("reply", ""),
        tls=_tls_from(row.get("tls")),
    )


def _tls_to(tls: TlsSession | None) -> Json | None:
    if tls is None:
        return None
    return {
        "version": storable(tls.version),
        "cipher": storable(tls.cipher),
        "certificate_subject": storable(tls.certificate_subject),
        "certificate_issuer": storable(tls.certificate_issuer),
        "certificate_expire_time": time_to(tls.certificate_expire_time),
    }


def _tls_from(row: Json | None) -> TlsSession | None:
    if row is None:
        return None
    return TlsSession(
        version=row["version"],
        cipher=row["cipher"],
        certificate_subject=row.get("certificate_subject", ""),
        certificate_issuer=row.get("certificate_issuer", ""),
        certificate_expire_time=time_from(row.get("certificate_expire_time")),
    )
