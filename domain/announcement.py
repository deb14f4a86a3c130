"""Which foreseen ends are worth saying now, so that each threshold of each end is said once (rule 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.forecast import Forecast, ForecastKind, threshold

_SAME_END: Final = timedelta(days=1)
"""Two instants no further apart are one end: a provider's answers and several clocks differ by less."""
_MOVING: Final = frozenset({ForecastKind.GRANT_IDLE, ForecastKind.GRANT_EXPIRING})
"""Ends that each use of the refresh token puts off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What was said last of one kind of end of a configuration."""

    expected_time: datetime
    """The end as it was foreseen then."""
    threshold: timedelta
    """One of `domain.forecast.THRESHOLDS`: this and all longer ones are said."""
    announce_time: datetime
    """When it was said, or noted in silence."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one kind of end: say it or not, and what to remember; None: nothing, so that it is new again."""

    is_due: bool
    remembered: Announcement | None


def decide(before: Announcement | None, forecast: Forecast | None, *, now: datetime) -> Decision:
    """
    Tells what *forecast*, None when there is none of this kind, is to be made of after *before*.

    An end is said when it comes within 30, 14, 7 and 1 days, each once; what was missed is not made up for. A client
    secret's or a test mode's end that moved by more than a day is a new one and begins anew. An end that each use of
    the refresh token puts off is one end however often it moves, and only what comes nearer is news; put off beyond a
    threshold, it is said again when it comes within it again. An end that is gone, or is now another one more than 30
    days away, is forgotten. Clocks of several processes that differ by less than a day change nothing of this.
    """
    if forecast is None:
        return Decision(False, None)
    is_same = before is not None and abs(forecast.expected_time - before.expected_time) <= _SAME_END
    reached = threshold(forecast.expected_time, now=now)
    if reached is None:
        return Decision(False, before if is_same else None)
    after = Announcement(expected_time=forecast.expected_time, threshold=reached, announce_time=now)
    if before is None or reached < before.threshold or not (is_same or forecast.kind in _MOVING):
        return Decision(True, after)
    return Decision(False, before if is_same or reached == before.threshold else after)
