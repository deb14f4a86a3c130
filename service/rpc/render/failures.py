"""Failures and traces."""

from __future__ import annotations

from typing import Final

from domain.failures.failure import Failure, Fix
from domain.failures.trace import TlsSession, Trace, TraceStep
from mailport.v1 import failure_pb2 as pb
from service.rpc.render.values import duration, enum_value, text, timestamp

_ENUM_PREFIXES: Final = {
    "settings.smtp.security": ("", "CONNECTION_SECURITY_"),
    "settings.smtp.minimum_tls_version": ("TLS_", "TLS_VERSION_"),
    "settings.mailbox.security": ("", "CONNECTION_SECURITY_"),
    "settings.mailbox.minimum_tls_version": ("TLS_", "TLS_VERSION_"),
    "settings.data_center_policy": ("", "DATA_CENTER_POLICY_"),
}
"""For the fields with names for values: how the domain's begin, and how the API's do instead."""


def render_failure(failure: Failure) -> pb.Failure:
    """Returns the failure as callers see it."""
    return pb.Failure(
        reason=failure.reason.value,
        kind=enum_value(pb.FailureKind, "FAILURE_KIND_", failure.kind),
        stage=enum_value(pb.FailureStage, "FAILURE_STAGE_", failure.stage),
        provider_code=text(failure.provider_code),
        provider_reply=text(failure.provider_reply),
        cause=text(failure.cause),
        remedy=text(failure.remedy),
        retry_time=timestamp(failure.retry_time),
        fixes=[render_fix(fix) for fix in failure.fixes],
    )


def render_optional_failure(failure: Failure | None) -> pb.Failure | None:
    """Returns the failure; None, which leaves the field unset, for None."""
    return render_failure(failure) if failure is not None else None


def render_fix(fix: Fix) -> pb.Fix:
    """Writes the value as the API's JSON does, so that a caller can set it as it is."""
    stem, prefix = _ENUM_PREFIXES.get(fix.field, ("", ""))
    value = prefix + fix.value.removeprefix(stem) if fix.value else ""
    return pb.Fix(field=fix.field, value=value, also=[render_fix(each) for each in fix.also])


def render_trace(trace: Trace) -> pb.Trace:
    """Returns the trace as callers see it."""
    return pb.Trace(start_time=timestamp(trace.start_time), steps=[_step(step) for step in trace.steps])


def _step(step: TraceStep) -> pb.TraceStep:
    return pb.TraceStep(
        stage=enum_value(pb.FailureStage, "FAILURE_STAGE_", step.stage),
        succeeded=step.succeeded,
        duration=duration(step.duration),
        detail=text(step.detail),
        peer=text(step.peer),
        reply=text(step.reply),
        tls=_tls(step.tls) if step.tls is not None else None,
    )


def _tls(session: TlsSession) -> pb.TlsSession:
    return pb.TlsSession(
        version=session.version,
        cipher=session.cipher,
        certificate_subject=text(session.certificate_subject),
        certificate_issuer=text(session.certificate_issuer),
        certificate_expire_time=timestamp(session.certificate_expire_time),
    )
