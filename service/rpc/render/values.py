"""Values that protobuf writes in its own way: enums, instants, spans, texts of peers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

_Value_co = TypeVar("_Value_co", covariant=True)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

LARGEST_ANSWER_BYTES: Final = 4 * 1024 * 1024 - 64 * 1024
"""What a list or a record may fill: less than the 4 MiB that clients take by default (F43)."""


class EnumValues(Protocol[_Value_co]):
    """What a generated enum tells of itself."""

    def Value(self, name: str) -> _Value_co: ...


def enum_value(enum: EnumValues[_Value_co], prefix: str, member: StrEnum, *, stem: str = "") -> _Value_co:
    """Returns the enum's number for the domain's *member*: *prefix* and its word less *stem*."""
    return enum.Value(prefix + member.value.removeprefix(stem))


def timestamp(time: datetime | None) -> Timestamp | None:
    """Returns the instant; None, which leaves the field unset, for None."""
    if time is None:
        return None
    since = time - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def duration(span: timedelta) -> Duration:
    """Returns the span; both its parts carry its sign, as a Duration's must."""
    seconds, microseconds = divmod(abs(span), timedelta(seconds=1))
    sign = -1 if span < timedelta(0) else 1
    return Duration(seconds=sign * seconds, nanos=sign * microseconds.microseconds * 1000)


def text(words: str) -> str:
    """Returns a peer's *words* as protobuf takes them: half a surrogate pair, which no UTF-8 can hold, as a mark."""
    return words.encode("utf-8", "replace").decode()
