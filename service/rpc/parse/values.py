"""Values that protobuf writes in its own way: enums, instants, spans."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from domain.errors import Violation
from domain.reasons import Reason

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_SECOND: Final = -62_135_596_800
"""0001-01-01T00:00:00Z, the first instant of a Timestamp."""
_LAST_SECOND: Final = 253_402_300_799
"""9999-12-31T23:59:59Z."""
_MOST_NANOS: Final = 999_999_999
_LONGEST_SPAN_SECONDS: Final = 315_576_000_000
"""10,000 years, the longest Duration."""


class EnumNames(Protocol):
    """What a generated enum tells of itself."""

    def Name(self, number: Any) -> str: ...


def choice(number: int, enum: EnumNames, *, prefix: str, stem: str = "") -> str:
    """
    Returns the domain's word for an enum's *number*: empty for UNSPECIFIED, *stem* and the value's name less *prefix*.

    A number that this version does not know comes back in digits, which the domain refuses where it refuses all words
    that it does not know: with the field's path and beside every other violation.
    """
    if number == 0:
        return ""
    try:
        return stem + enum.Name(number).removeprefix(prefix)
    except ValueError:
        return str(number)


def instant(written: Timestamp, *, field: str) -> datetime | Violation:
    """Returns the instant, cut to microseconds, or a Violation when it lies outside of what a Timestamp can mean."""
    if _FIRST_SECOND <= written.seconds <= _LAST_SECOND and 0 <= written.nanos <= _MOST_NANOS:
        return _EPOCH + timedelta(seconds=written.seconds, microseconds=written.nanos // 1000)
    return Violation(
        field=field,
        reason=Reason.VALUE_OUT_OF_RANGE,
        message="This is no instant: it lies outside of the years 1 to 9999, or its fraction is not one of a second.",
        remedy="Make the timestamp with the protobuf library of your language.",
    )


def span(written: Duration, *, field: str) -> timedelta | Violation:
    """Returns the span, cut to microseconds towards zero, or a Violation when it is none that a Duration can mean."""
    has_one_sign = written.seconds == 0 or written.nanos == 0 or (written.seconds < 0) == (written.nanos < 0)
    if abs(written.seconds) <= _LONGEST_SPAN_SECONDS and abs(written.nanos) <= _MOST_NANOS and has_one_sign:
        return timedelta(seconds=written.seconds, microseconds=int(written.nanos / 1000))
    return Violation(
        field=field,
        reason=Reason.VALUE_OUT_OF_RANGE,
        message="This is no duration: it is above 10,000 years, or its fraction is not one of a second.",
        remedy="Make the duration with the protobuf library of your language.",
    )
