"""A refused call as lines for a person."""

from __future__ import annotations

from service.terminal.failures import draw_failure, draw_way_to_fix
from service.terminal.refusals import Refusal
from service.terminal.style import Style
from service.terminal.traces import draw_trace
from service.terminal.words import counted, plain, span

_CONFIGURATION = "configuration_id"
"""The metadata that tells whose settings a failure's fixes are for."""
_CUT = "violations"
"""The metadata that tells the number of all violations where not all have room in a status."""


def draw_refusal(refusal: Refusal, style: Style) -> list[str]:
    """
    Returns what was refused and why, and what to do.

    Wrong fields are listed one by one; where a provider said no, the trace up to that stage stands above the failure.
    """
    if refusal.failure is not None:
        trace = draw_trace(refusal.trace, style, indent="") if refusal.trace is not None else []
        lines = [*trace, *draw_failure(refusal.failure, style)]
        configuration_id = refusal.metadata.get(_CONFIGURATION, "")
        if refusal.failure.fixes and configuration_id:
            lines.append(draw_way_to_fix(refusal.failure.fixes[0], configuration_id, style))
    elif refusal.flaws:
        word = refusal.reason or refusal.code.name
        lines = [f"{style.cross} {style.bold(plain(word))}: {_how_many(refusal)}"]
        lines += [f"  {style.cross} {style.bold(plain(flaw.field))}: {plain(flaw.message)}" for flaw in refusal.flaws]
    else:
        lines = [f"{style.cross} {style.bold(plain(refusal.reason or refusal.code.name))}: {plain(refusal.message)}"]
        lines += [f"  {plain(told)}" for told in refusal.preconditions if told != refusal.message]
    if refusal.retry_delay is not None:
        lines.append(f"  {style.arrow} Try again in {span(refusal.retry_delay)}.")
    lines += [f"  {style.arrow} {plain(description)}: {plain(url)}" for description, url in refusal.links]
    return lines


def _how_many(refusal: Refusal) -> str:
    shown = counted(len(refusal.flaws), "field is wrong", plural="fields are wrong")
    every = refusal.metadata.get(_CUT)
    return f"{plain(every)} fields are wrong, the first {len(refusal.flaws)} of them:" if every else f"{shown}:"
