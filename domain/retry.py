"""When to try again: the attempt's number and the failure's kind in, the next instant out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.failures.failure import FailureKind

JITTER: Final = 0.2
"""Each pause is spread by up to this share to either side, so that mails refused together do not come back together."""

DOUBT_PAUSE: Final = timedelta(minutes=10)
"""The least pause before a message in doubt is sent again: the server may still be working on the first copy."""

MAX_DOUBTS: Final = 5
"""Attempts of one delivery that may end in doubt before it is held for a person, whatever its policy says."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling pauses from `first` up to `longest`."""

    first: timedelta
    longest: timedelta

    def pause(self, attempt: int, jitter: float) -> timedelta:
        """
        Returns the pause after *attempt* (1 is the first); *jitter* in [0, 1) spreads it by ±20 %.

        The result lies in [first · 0.8, longest · 1.2].
        """
        doublings: int = 2 ** min(attempt - 1, 32)
        plain = min(self.first * doublings, self.longest)
        return plain * (1 - JITTER + 2 * JITTER * jitter)


_BACKOFF: Final = {
    FailureKind.TRANSIENT: Backoff(timedelta(minutes=2), timedelta(hours=1)),
    FailureKind.THROTTLED: Backoff(timedelta(minutes=5), timedelta(hours=2)),
    FailureKind.MISCONFIGURED: Backoff(timedelta(minutes=15), timedelta(hours=2)),
    FailureKind.REAUTHORIZE: Backoff(timedelta(minutes=15), timedelta(hours=2)),
    FailureKind.IN_DOUBT: Backoff(DOUBT_PAUSE / (1 - JITTER), timedelta(hours=2)),
}


def next_attempt_time(
    kind: FailureKind, *, attempt: int, now: datetime, jitter: float, asked: datetime | None = None
) -> datetime:
    """
    Tells when to try again after *attempt* failed with *kind*, which must not be PERMANENT.

    Never earlier than the peer *asked* for (a Retry-After); submission clients may come back sooner than the 30 minutes
    that RFC 5321 section 4.5.4.1 suggests to relays.
    """
    planned = now + _BACKOFF[kind].pause(attempt, jitter)
    return max(planned, asked) if asked else planned
