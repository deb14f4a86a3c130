"""Retry-After as HTTP writes it: seconds or a date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_PAUSE: Final = timedelta(days=7)


def read_retry_after(headers: Mapping[str, str], *, now: datetime) -> datetime | None:
    """
    Returns when to come back (RFC 9110 section 10.2.3), at most a week from *now*; None when that is not said.

    *headers* has its names in lower case, or does not mind the case.
    """
    written = headers.get("retry-after", "").strip()
    if written.isascii() and written.isdigit():
        return now + min(timedelta(seconds=int(written[:9])), LONGEST_PAUSE)
    try:
        wanted = parsedate_to_datetime(written)
    except (TypeError, ValueError, OverflowError):
        return None
    wanted = wanted.replace(tzinfo=UTC) if wanted.tzinfo is None else wanted.astimezone(UTC)
    return min(wanted, now + LONGEST_PAUSE) if wanted > now else None
