"""A failure and a warning as lines: what happened, why, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from mailport.v1 import configuration_pb2, failure_pb2
from service.terminal.style import Style
from service.terminal.traces import stage_name
from service.terminal.words import instant, labelled, plain, word


def draw_failure(failure: failure_pb2.Failure, style: Style, *, indent: str = "") -> list[str]:
    """Returns the reason, kind and stage, then cause, remedy, the peer's own words, and the changes that cure it."""
    kind = word(failure_pb2.FailureKind.DESCRIPTOR, failure.kind, prefix="FAILURE_KIND_")
    heading = style.separator.join([style.bold(plain(failure.reason)), f"at {stage_name(failure.stage)}", kind])
    facts = [
        ("cause", plain(failure.cause)),
        ("remedy", plain(failure.remedy)),
        ("answer", plain(_answer(failure))),
        ("retry", instant(failure.retry_time)),
        *(("fix", _fix(fix)) for fix in failure.fixes),
    ]
    return [f"{indent}{style.cross} {heading}", *labelled(facts, indent=indent + "  ")]


def draw_way_to_fix(fix: failure_pb2.Fix, configuration_id: str, style: Style) -> str:
    """Returns the command that applies *fix*."""
    changes = " ".join(f"--apply-fix {shlex.quote(plain(f'{each.field}={each.value}'))}" for each in (fix, *fix.also))
    return f"  {style.arrow} mailport configure {plain(configuration_id)} {changes}"


def draw_warnings(
    warnings: Iterable[configuration_pb2.SettingsWarning], style: Style, *, indent: str = "  "
) -> list[str]:
    """Returns each warning with its field on one line, then the remedy on its own."""
    lines = []
    for warning in warnings:
        lines.append(f"{indent}{style.caution} {style.bold(plain(warning.field))}: {plain(warning.message)}")
        if warning.remedy:
            lines.append(f"{indent}  {style.arrow} {plain(warning.remedy)}")
    return lines


def _fix(fix: failure_pb2.Fix) -> str:
    return ", ".join(f"{plain(each.field)} = {plain(each.value) or '(empty)'}" for each in (fix, *fix.also))


def _answer(failure: failure_pb2.Failure) -> str:
    """The code stands in most replies already; it is not said twice."""
    code, reply = failure.provider_code, failure.provider_reply
    return reply if code and reply.startswith(code) else f"{code} {reply}".strip()
