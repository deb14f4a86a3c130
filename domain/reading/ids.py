"""Message ids and dates out of headers, however they were written; never raises."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from typing import Final

from domain.reading.model import MOST_IDS, Defect
from domain.reading.words import clean, raw_text

_LONGEST_ID: Final = 998
_LARGEST_BYTES: Final = 128 * 1024
_ID: Final = re.compile(r"<([^<>]{1,2000})>")
_BLANK: Final = re.compile(r"\s+")
_WELL_FORMED: Final = re.compile(r"<[^\s<>@]+@[^\s<>@]+>")
_LONGEST_DATE: Final = 128
_COMMENT: Final = re.compile(r"\([^()]*\)")
_DATE: Final = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s*,\s*)?\d{1,2}\s+"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\s+\d{4}\s+\d{2}\s*:\s*\d{2}(?:\s*:\s*\d{2})?\s+"
    r"(?:[+-]\d{4}|UT|GMT|[ECMP][SD]T)",
    re.IGNORECASE,
)


def read_message_id(value: bytes, found: set[Defect]) -> str:
    """Returns the id of a Message-ID field with angle brackets; empty when there is none."""
    text = clean(raw_text(value[:_LARGEST_BYTES], found), found)
    if not text:
        return ""
    ids = _ids_in(text, found)
    if len(ids) == 1 and _ID.fullmatch(text):
        return ids[0]
    found.add(Defect.HEADER)
    if ids:
        return ids[0]
    bare = _BLANK.sub("", text.strip("<> "))[: _LONGEST_ID + 1]
    return _within(f"<{bare}>", found) if bare else ""


def read_ids(values: Iterable[bytes], found: set[Defect]) -> tuple[str, ...]:
    """Returns the ids of References or In-Reply-To fields, each once, in order: at most `MOST_IDS`, the newest kept."""
    ids: dict[str, None] = {}
    for value in values:
        if len(value) > _LARGEST_BYTES:
            value = value[-_LARGEST_BYTES:]
            found.add(Defect.TRUNCATED)
        text = clean(raw_text(value, found), found)
        named = _ids_in(text, found)
        if not named and text:
            # Some write no brackets; In-Reply-To was prose once (RFC 5322 section 4.5.4).
            found.add(Defect.HEADER)
            named = [f"<{word}>" for word in text.split() if "@" in word and _WELL_FORMED.fullmatch(f"<{word}>")]
            named = [written for written in named if len(written) <= _LONGEST_ID]
        ids |= dict.fromkeys(named)
    several = list(ids)
    if len(several) > MOST_IDS:
        found.add(Defect.TRUNCATED)
        several = [several[0], *several[-(MOST_IDS - 1) :]]
    return tuple(several)


def _ids_in(text: str, found: set[Defect]) -> list[str]:
    ids = [f"<{_BLANK.sub('', inner)}>" for inner in _ID.findall(text)]
    if any(not _WELL_FORMED.fullmatch(written) for written in ids):
        found.add(Defect.HEADER)
    return [written for written in ids if written != "<>" and _within(written, found)]


def _within(written: str, found: set[Defect]) -> str:
    """Returns the id unless it is too long: half of an id names nothing."""
    if len(written) <= _LONGEST_ID:
        return written
    found.add(Defect.TRUNCATED)
    return ""


def read_date(value: bytes, found: set[Defect]) -> datetime | None:
    """Returns the instant of a Date field in UTC (RFC 5322 section 3.3); None for a missing one and an unreadable."""
    text = clean(raw_text(value[: _LONGEST_DATE + 1], found), found)
    if not text:
        return None
    bare = _COMMENT.sub(" ", text).strip()
    if not _DATE.fullmatch(bare):
        found.add(Defect.HEADER)
    instant = _instant(bare) if len(text) <= _LONGEST_DATE else None
    if instant is None:
        found.add(Defect.HEADER)
    return instant


def _instant(text: str) -> datetime | None:
    # The standard library takes far more than the standard, and stumbles over some of it in its own ways.
    try:
        read = parsedate_tz(text)
        if read is None:
            return None
        offset = timedelta(seconds=read[9] or 0)
        second = min(read[5], 59)  # a leap second
        return datetime(*read[:5], second, tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
