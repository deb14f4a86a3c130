"""Which deliveries a caller asks for."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from domain.delivery import DeliveryState
from domain.errors import InputInvalid, Violation
from domain.ports.changes import ChangeFilter
from domain.ports.deliveries import DeliveryFilter
from domain.reasons import Reason
from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc.parse import parse_change_filter, parse_delivery_filter, parse_expire_after
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


@given(messages(pb.WatchDeliveriesRequest))
def test_given_any_watch_when_parsed_then_nothing_but_input_invalid_is_raised(
    request: pb.WatchDeliveriesRequest,
) -> None:
    with suppress(InputInvalid):
        assert parse_change_filter(request).delivery_ids == frozenset(request.delivery_ids)


def test_given_a_watch_when_parsed_then_each_filter_is_there() -> None:
    request = pb.WatchDeliveriesRequest(
        configuration_id="alerts", delivery_ids=["d1", "d2", "d1"], states=[delivery_pb2.DELIVERY_STATE_SENT]
    )

    assert parse_change_filter(request) == ChangeFilter(
        configuration_id="alerts", delivery_ids=frozenset({"d1", "d2"}), states=frozenset({DeliveryState.SENT})
    )


def test_given_a_watch_with_several_faults_when_parsed_then_each_is_named() -> None:
    states = [delivery_pb2.DELIVERY_STATE_UNSPECIFIED, delivery_pb2.DELIVERY_STATE_SENT]
    request = pb.WatchDeliveriesRequest(
        configuration_id="a\nb",
        delivery_ids=["d", "", "e\n"],
        states=states,
    )

    with pytest.raises(InputInvalid) as refused:
        parse_change_filter(request)

    assert [(each.field, each.reason) for each in refused.value.violations] == [
        ("states[0]", Reason.VALUE_MALFORMED),
        ("configuration_id", Reason.CONTROL_CHARACTER),
        ("delivery_ids[1]", Reason.FIELD_REQUIRED),
        ("delivery_ids[2]", Reason.CONTROL_CHARACTER),
    ]


@pytest.mark.parametrize(("count", "is_taken"), [(100, True), (101, False)])
def test_given_many_ids_when_parsed_then_a_hundred_are_taken(count: int, is_taken: bool) -> None:
    request = pb.WatchDeliveriesRequest(delivery_ids=[f"d{number}" for number in range(count)])

    if is_taken:
        assert len(parse_change_filter(request).delivery_ids) == count
    else:
        with pytest.raises(InputInvalid) as refused:
            parse_change_filter(request)
        assert [each.reason for each in refused.value.violations] == [Reason.VALUE_TOO_LONG]


@pytest.mark.parametrize(
    ("request_", "life", "fields"),
    [
        (pb.RetryDeliveryRequest(), None, []),
        (pb.RetryDeliveryRequest(expire_after=Duration(seconds=90)), timedelta(seconds=90), []),
        (pb.RetryDeliveryRequest(expire_after=Duration()), timedelta(0), []),
        (pb.RetryDeliveryRequest(expire_after=Duration(seconds=1, nanos=-1)), None, ["expire_after"]),
    ],
)
def test_given_a_retry_when_parsed_then_its_life_is_read(
    request_: pb.RetryDeliveryRequest, life: timedelta | None, fields: list[str]
) -> None:
    found: list[Violation] = []

    assert parse_expire_after(request_, found=found) == life
    assert [each.field for each in found] == fields
