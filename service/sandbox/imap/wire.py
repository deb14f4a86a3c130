"""How values are written in responses (RFC 3501 section 4 and 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

_QUOTABLE: Final = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")
_QUOTED_LIMIT: Final = 1_000
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def literal(data: bytes) -> bytes:
    """Returns *data* as a literal; NUL, which no literal may hold, becomes 0x80, as Dovecot does."""
    return b"{%d}\r\n" % len(data) + data.replace(b"\0", b"\x80")


def string(data: bytes) -> bytes:
    """Returns *data* as a quoted string where that can hold it, else as a literal."""
    if len(data) > _QUOTED_LIMIT or _QUOTABLE.fullmatch(data) is None:
        return literal(data)
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def nstring(data: bytes | None) -> bytes:
    """Returns *data* as a string, or NIL."""
    return b"NIL" if data is None else string(data)


def listing(items: Iterable[bytes]) -> bytes:
    """Returns a parenthesized list."""
    return b"(" + b" ".join(items) + b")"


def flag_list(flags: Iterable[str]) -> bytes:
    """Returns flags as a list, sorted: the order means nothing, and tests like it fixed."""
    return listing(flag.encode() for flag in sorted(flags))


def date_time(instant: datetime) -> bytes:
    """Returns an INTERNALDATE."""
    month = _MONTHS[instant.month - 1]
    return instant.strftime(f'"%d-{month}-%Y %H:%M:%S %z"').encode()


def numbers(values: Iterable[int]) -> bytes:
    """Returns ascending numbers as a set, runs as ranges, e.g. ``1:3,7``."""
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and runs[-1][1] == value - 1:
            runs[-1] = (runs[-1][0], value)
        else:
            runs.append((value, value))
    return ",".join(str(first) if first == last else f"{first}:{last}" for first, last in runs).encode()


def month_number(name: str) -> int:
    """Returns 1 to 12 for ``Jan`` to ``Dec`` in any case. Raises ValueError for another name."""
    return _MONTHS.index(name.capitalize()) + 1
