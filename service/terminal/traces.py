"""A trace as a small tree: what was tried, in order, and where it ended."""

from __future__ import annotations

from mailport.v1 import failure_pb2
from service.terminal.style import Style
from service.terminal.words import instant, plain, span


def draw_trace(trace: failure_pb2.Trace, style: Style, *, indent: str = "  ") -> list[str]:
    """Returns a line for each stage, with its duration, what was negotiated and what the peer answered."""
    steps = list(trace.steps)
    names = [stage_name(step.stage) for step in steps]
    spans = [span(step.duration) for step in steps]
    name_width = max(map(len, names), default=0)
    span_width = max(map(len, spans), default=0)
    lines = []
    for number, (step, name, took) in enumerate(zip(steps, names, spans, strict=True), start=1):
        branch = style.branch(is_last=number == len(steps))
        sign = style.tick if step.succeeded else style.cross
        took = style.faint(took.rjust(span_width))
        lines.append(f"{indent}{branch} {sign} {name.ljust(name_width)}  {took}  {_facts(step, style)}".rstrip())
    return lines


def stage_name(stage: failure_pb2.FailureStage.ValueType) -> str:
    """Returns a stage as the contract writes it, e.g. ``MAIL_FROM``; a number where this client is older."""
    found = failure_pb2.FailureStage.DESCRIPTOR.values_by_number.get(stage)
    return str(stage) if found is None else found.name.removeprefix("FAILURE_STAGE_")


def _facts(step: failure_pb2.TraceStep, style: Style) -> str:
    facts = [step.peer, step.detail, _tls(step.tls) if step.HasField("tls") else "", step.reply]
    return style.separator.join(dict.fromkeys(plain(fact) for fact in facts if fact))


def _tls(session: failure_pb2.TlsSession) -> str:
    facts = [session.version, session.cipher]
    if session.certificate_subject:
        issuer = f" by {session.certificate_issuer}" if session.certificate_issuer else ""
        until = instant(session.certificate_expire_time)
        facts.append(f"certificate {session.certificate_subject}{issuer}" + (f" until {until}" if until else ""))
    return ", ".join(fact for fact in facts if fact)
