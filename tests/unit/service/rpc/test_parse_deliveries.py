"""Which deliveries a caller asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from domain.delivery import DeliveryState
from domain.errors import InputInvalid
from domain.ports.storage import DeliveryFilter
from domain.reasons import Reason
from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.parse import parse_delivery_filter
from tests.unit.service.rpc.protobuf_messages import messages


@given(messages(pb.ListDeliveriesRequest))
def test_given_any_request_when_parsed_then_nothing_but_input_invalid_is_raised(
    request: pb.ListDeliveriesRequest,
) -> None:
    fields: list[str] = []
    try:
        parse_delivery_filter(request)
    except InputInvalid as refused:
        fields = [violation.field for violation in refused.violations]

    assert all(field.startswith(("states", "start_", "end_", "configuration_id")) for field in fields)


def test_given_every_filter_when_parsed_then_each_arrives() -> None:
    request = pb.ListDeliveriesRequest(
        configuration_id="alerts",
        states=[delivery_pb2.DELIVERY_STATE_SENT, delivery_pb2.DELIVERY_STATE_IN_DOUBT],
        start_create_time=Timestamp(seconds=0),
        end_create_time=Timestamp(seconds=86_400),
    )

    assert parse_delivery_filter(request) == DeliveryFilter(
        configuration_id="alerts",
        states=frozenset({DeliveryState.SENT, DeliveryState.IN_DOUBT}),
        created_from=datetime(1970, 1, 1, tzinfo=UTC),
        created_before=datetime(1970, 1, 2, tzinfo=UTC),
    )


def test_given_several_wrong_filters_when_parsed_then_all_are_named_at_once() -> None:
    request = pb.ListDeliveriesRequest(
        states=[delivery_pb2.DELIVERY_STATE_SENT, 0, 99],  # type: ignore[list-item]
        start_create_time=Timestamp(nanos=-1),
        end_create_time=Timestamp(seconds=2**62),
    )

    with pytest.raises(InputInvalid) as refused:
        parse_delivery_filter(request)

    assert [(each.field, each.reason) for each in refused.value.violations] == [
        ("states[1]", Reason.VALUE_MALFORMED),
        ("states[2]", Reason.VALUE_MALFORMED),
        ("start_create_time", Reason.VALUE_OUT_OF_RANGE),
        ("end_create_time", Reason.VALUE_OUT_OF_RANGE),
    ]


def test_given_a_hundred_and_one_states_when_parsed_then_the_list_is_refused_as_a_whole() -> None:
    with pytest.raises(InputInvalid) as refused:
        parse_delivery_filter(pb.ListDeliveriesRequest(states=[delivery_pb2.DELIVERY_STATE_SENT] * 101))

    assert [each.field for each in refused.value.violations] == ["states"]
