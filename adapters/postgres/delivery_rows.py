"""A delivery as a row, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from adapters.postgres.codec import (
    address_from,
    failure_from,
    failure_to,
    recipient_from,
    recipient_to,
    trace_from,
    trace_to,
)
from domain.delivery import Attempt, Delivery, DeliveryState
from domain.message import InDoubtPolicy
from domain.settings.model import DataCenterPolicy

COLUMNS: Final = sql.SQL(
    """
    d.tenant, d.delivery_id, d.configuration_id, d.message_id, d.sender, d.recipients, d.state, d.in_doubt_policy,
    d.attempt_count, d.doubt_count, d.create_time, d.update_time, d.expire_time, d.next_attempt_time, d.final_time,
    d.failure, d.data_center, d.data_center_policy, d.attempted_from
    """
)
"""Of the table delivery as d: what `delivery_from` reads."""


def parse_id(delivery_id: str) -> UUID | None:
    """Returns the id as PostgreSQL holds it, or None when it cannot be one of ours."""
    try:
        identity = UUID(delivery_id)
    except ValueError:
        return None
    return identity if str(identity) == delivery_id else None


def delivery_to(delivery: Delivery) -> dict[str, Any]:
    """Returns the row's values."""
    return {
        "tenant": delivery.tenant,
        "delivery_id": UUID(delivery.delivery_id),
        "configuration_id": delivery.configuration_id,
        "message_id": delivery.message_id,
        "sender": str(delivery.sender),
        "recipients": Jsonb([recipient_to(recipient) for recipient in delivery.recipients]),
        "state": delivery.state.value,
        "in_doubt_policy": delivery.in_doubt_policy.value,
        "attempt_count": delivery.attempt_count,
        "doubt_count": delivery.doubt_count,
        "create_time": delivery.create_time,
        "update_time": delivery.update_time,
        "expire_time": delivery.expire_time,
        "next_attempt_time": delivery.next_attempt_time,
        "final_time": delivery.final_time,
        "failure": _jsonb(failure_to(delivery.failure)),
        "data_center": delivery.data_center,
        "data_center_policy": delivery.data_center_policy.value,
        "attempted_from": delivery.attempted_from,
    }


def delivery_from(row: DictRow) -> Delivery:
    """Rebuilds a delivery."""
    return Delivery(
        tenant=row["tenant"],
        delivery_id=str(row["delivery_id"]),
        configuration_id=row["configuration_id"],
        message_id=row["message_id"],
        sender=address_from(row["sender"]),
        recipients=tuple(recipient_from(each) for each in row["recipients"]),
        state=DeliveryState(row["state"]),
        in_doubt_policy=InDoubtPolicy(row["in_doubt_policy"]),
        attempt_count=row["attempt_count"],
        doubt_count=row["doubt_count"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        expire_time=row["expire_time"],
        next_attempt_time=row["next_attempt_time"],
        final_time=row["final_time"],
        failure=failure_from(row["failure"]),
        data_center=row["data_center"],
        data_center_policy=DataCenterPolicy(row["data_center_policy"]),
        attempted_from=row["attempted_from"],
    )


def attempt_to(attempt: Attempt) -> dict[str, Any]:
    """Returns the values that an ended attempt adds to its row."""
    return {
        "start_time": attempt.start_time,
        "end_time": attempt.end_time,
        "attempt_failure": _jsonb(failure_to(attempt.failure)),
        "trace": _jsonb(trace_to(attempt.trace)),
        "in_doubt": attempt.in_doubt,
    }


def attempt_from(row: DictRow) -> Attempt:
    """Rebuilds an attempt."""
    return Attempt(
        number=row["number"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        failure=failure_from(row["failure"]),
        trace=trace_from(row["trace"]),
        in_doubt=row["in_doubt"],
        data_center=row["data_center"],
    )


def records_of(rows: Iterable[Mapping[str, Any]], names: str) -> str:
    """
    Writes *names* of *rows* as JSON for ``json_to_recordset``, which reads each value as its column's type would.

    An array for each column would cost psycopg, which writes them in Python, twenty times as much.
    """
    wanted = names.split()
    return _dump_records([{name: value for name in wanted if (value := row[name]) is not None} for row in rows])


def _as_json(value: Any) -> Any:
    if isinstance(value, Jsonb):
        return value.obj
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.6f} seconds"
    return str(value)


_dump_records: Final = json.JSONEncoder(separators=(",", ":"), default=_as_json).encode


def _jsonb(value: Any) -> Jsonb | None:
    return None if value is None else Jsonb(value)
