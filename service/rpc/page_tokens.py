"""Page tokens: where a list goes on, opaque to callers and bound to the query that they belong to (AIP-158)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.errors import InputInvalid, NotReady, Violation
from domain.ports.changes import CURSOR_REMEDY
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from domain.reasons import Reason
from domain.text import has_control_character

_VERSION: Final = 1
_LONGEST_TOKEN: Final = 1024
_CONFIGURATIONS: Final = "configurations"
_DELIVERIES: Final = "deliveries"
_CHANGES: Final = "changes"
_NO_FILTER: Final = ""
_LONGEST_NUMBER: Final = 18


def configurations_token(after: str) -> str:
    """Returns the token for the page behind the configuration *after*."""
    return _write(_CONFIGURATIONS, _NO_FILTER, [after])


def read_configurations_token(token: str) -> str:
    """Returns the id that the page begins behind, empty for the first page. Raises InputInvalid PAGE_TOKEN_INVALID."""
    if not token:
        return ""
    (after,) = _read(token, _CONFIGURATIONS, _NO_FILTER, parts=1)
    if has_control_character(after):
        raise _refused()
    return after


def deliveries_token(position: DeliveryPosition, where: DeliveryFilter) -> str:
    """Returns the token for the page below *position* of the deliveries that *where* chooses."""
    return _write(_DELIVERIES, _digest(where), [position.create_time.isoformat(), position.delivery_id])


def read_deliveries_token(token: str, where: DeliveryFilter) -> DeliveryPosition | None:
    """
    Returns the position that the page begins below, None for the first page.

    Raises InputInvalid PAGE_TOKEN_INVALID for what is no token of mailport, or one of a list with other filters.
    """
    if not token:
        return None
    written_time, written_id = _read(token, _DELIVERIES, _digest(where), parts=2)
    try:
        time = datetime.fromisoformat(written_time)
        if time.tzinfo is None or str(UUID(written_id)) != written_id:
            raise _refused()
        return DeliveryPosition(create_time=time.astimezone(UTC), delivery_id=written_id)
    except (ValueError, OverflowError):
        raise _refused() from None


def change_cursor(number: int, tenant: str) -> str:
    """Returns the cursor that *tenant* resumes its watch behind *number* with."""
    return _write(_CHANGES, _digest_of(tenant), [str(number)])


def read_change_cursor(cursor: str, tenant: str) -> int | None:
    """
    Returns the number to go on behind, None without a cursor.

    Raises NotReady CURSOR_INVALID for what is no cursor that mailport gave *tenant*.
    """
    if not cursor:
        return None
    try:
        (number,) = _read(cursor, _CHANGES, _digest_of(tenant), parts=1)
    except InputInvalid:
        raise _cursor_refused() from None
    if not number.isdecimal() or not number.isascii() or len(number) > _LONGEST_NUMBER:
        raise _cursor_refused()
    return int(number)


def _digest_of(tenant: str) -> str:
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]


def _cursor_refused() -> NotReady:
    return NotReady(
        "This cursor is not one that mailport gave you.", reason=Reason.CURSOR_INVALID, remedy=CURSOR_REMEDY
    )


def _digest(where: DeliveryFilter) -> str:
    bounds = [time.astimezone(UTC).isoformat() if time else "" for time in (where.created_from, where.created_before)]
    named = json.dumps([where.configuration_id, sorted(where.states), *bounds])
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def _write(kind: str, query: str, position: list[str]) -> str:
    text = json.dumps({"v": _VERSION, "k": kind, "q": query, "p": position}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(token: str, kind: str, query: str, *, parts: int) -> list[str]:
    if len(token) > _LONGEST_TOKEN:
        raise _refused()
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        written = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _refused() from None
    if not isinstance(written, dict) or (written.get("v"), written.get("k")) != (_VERSION, kind):
        raise _refused()
    position = written.get("p")
    if written.get("q") != query or not isinstance(position, list) or len(position) != parts:
        raise _refused()
    if not all(isinstance(part, str) and part for part in position):
        raise _refused()
    return position


def _refused() -> InputInvalid:
    return InputInvalid(
        [
            Violation(
                field="page_token",
                reason=Reason.PAGE_TOKEN_INVALID,
                message="This page token is not one of mailport's, or it belongs to a list with other filters.",
                remedy="Begin with the first page, without a token, and change nothing else between pages.",
            )
        ]
    )
