"""The rules for what a caller wants of a delivery: how long it may take, when it begins, what to do when in doubt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.errors import Violation
from domain.message import InDoubtPolicy
from domain.reasons import Reason
from domain.text import shown

SHORTEST_LIFE: Final = timedelta(minutes=1)
LONGEST_LIFE: Final = timedelta(days=7)
DEFAULT_LIFE: Final = timedelta(hours=24)
FURTHEST_SEND_TIME: Final = timedelta(days=30)


def parse_life(written: timedelta | None, *, field: str) -> timedelta | Violation:
    """Returns how long delivery is tried, counted from the send time, from acceptance where there is none."""
    life = DEFAULT_LIFE if written is None else written
    if SHORTEST_LIFE <= life <= LONGEST_LIFE:
        return life
    return Violation(
        field=field,
        reason=Reason.VALUE_OUT_OF_RANGE,
        message="A message lives at least 1 minute and at most 7 days.",
        remedy="Use a duration within these bounds, or leave it out for 24 hours.",
    )


def parse_send_time(written: datetime | None, *, now: datetime, field: str) -> datetime | Violation | None:
    """Returns the instant in UTC before which nothing is sent; None for one that is past already, and for none."""
    if written is None:
        return None
    if written.utcoffset() is None:
        return Violation(
            field=field,
            reason=Reason.VALUE_MALFORMED,
            message="The instant has no time zone.",
            remedy="Give the instant in UTC.",
        )
    if written - now > FURTHEST_SEND_TIME:
        return Violation(
            field=field,
            reason=Reason.VALUE_OUT_OF_RANGE,
            message="The message is to be sent more than 30 days from now.",
            remedy="Call Send nearer to that time.",
        )
    return written.astimezone(UTC) if written > now else None


def parse_policy(written: str, *, field: str) -> InDoubtPolicy | Violation:
    """Returns the policy called *written*, RETRY where it is empty."""
    if not written:
        return InDoubtPolicy.RETRY
    if written in InDoubtPolicy.__members__:
        return InDoubtPolicy(written)
    return Violation(
        field=field,
        reason=Reason.VALUE_MALFORMED,
        message=f"{shown(written)} is no policy.",
        remedy=f"Use one of {', '.join(InDoubtPolicy)}, or leave it out for {InDoubtPolicy.RETRY}.",
    )
