"""Which deliveries a caller asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from domain.delivery import DeliveryState
from domain.errors import InputInvalid, Violation
from domain.ports.changes import ChangeFilter
from domain.ports.deliveries import DeliveryFilter
from domain.reasons import Reason
from mailport.v1 import delivery_pb2, mail_service_pb2
from service.rpc.parse.ids import keep_id, parse_id, parse_optional_id
from service.rpc.parse.values import choice, instant, span

_MOST_STATES: Final = 100
_MOST_IDS: Final = 100


def parse_delivery_filter(request: mail_service_pb2.ListDeliveriesRequest) -> DeliveryFilter:
    """Returns the filter of *request*. Raises InputInvalid for unknown states and for what is no instant."""
    violations: list[Violation] = []
    states = _states(request.states, violations)
    start = request.start_create_time if request.HasField("start_create_time") else None
    end = request.end_create_time if request.HasField("end_create_time") else None
    created_from = _bound(start, "start_create_time", violations)
    created_before = _bound(end, "end_create_time", violations)
    if violations:
        raise InputInvalid(violations)
    return DeliveryFilter(
        configuration_id=parse_optional_id(request.configuration_id, field="configuration_id"),
        states=states,
        created_from=created_from,
        created_before=created_before,
    )


def parse_change_filter(request: mail_service_pb2.WatchDeliveriesRequest) -> ChangeFilter:
    """Returns the filter of *request*. Raises InputInvalid for unknown states, too many ids, and what is no id."""
    violations: list[Violation] = []
    states = _states(request.states, violations)
    configuration_id = keep_id(parse_optional_id, request.configuration_id, field="configuration_id", found=violations)
    ids = list(request.delivery_ids[: _MOST_IDS + 1])
    if len(ids) > _MOST_IDS:
        message = f"There are {len(request.delivery_ids)} ids; at most {_MOST_IDS} are taken."
        remedy = "Name fewer, or filter by configuration and pick them yourself."
        violations.append(Violation("delivery_ids", Reason.VALUE_TOO_LONG, message, remedy))
    else:
        for index, each in enumerate(ids):
            keep_id(parse_id, each, field=f"delivery_ids[{index}]", found=violations)
    if violations:
        raise InputInvalid(violations)
    return ChangeFilter(configuration_id=configuration_id, delivery_ids=frozenset(ids), states=states)


def parse_expire_after(request: mail_service_pb2.RetryDeliveryRequest, *, found: list[Violation]) -> timedelta | None:
    """Returns how long to try, None where *request* does not say; what is no duration goes to *found*."""
    if not request.HasField("expire_after"):
        return None
    life = span(request.expire_after, field="expire_after")
    if isinstance(life, Violation):
        found.append(life)
        return None
    return life


def _states(numbers: Sequence[int], violations: list[Violation]) -> frozenset[DeliveryState]:
    if len(numbers) > _MOST_STATES:
        message = f"There are {len(numbers)} states; at most {_MOST_STATES} are taken."
        violations.append(Violation("states", Reason.VALUE_TOO_LONG, message, "Name each state once."))
        return frozenset()
    states = set()
    for index, number in enumerate(numbers):
        word = choice(number, delivery_pb2.DeliveryState, prefix="DELIVERY_STATE_")
        if word in DeliveryState.__members__:
            states.add(DeliveryState(word))
        else:
            message = f"{number} is no state that a delivery can be in."
            remedy = "Use a value of DeliveryState other than unspecified, or leave the list empty for any state."
            violations.append(Violation(f"states[{index}]", Reason.VALUE_MALFORMED, message, remedy))
    return frozenset(states)


def _bound(written: Timestamp | None, field: str, violations: list[Violation]) -> datetime | None:
    if written is None:
        return None
    time = instant(written, field=field)
    if isinstance(time, Violation):
        violations.append(time)
        return None
    return time
