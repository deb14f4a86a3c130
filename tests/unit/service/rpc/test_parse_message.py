"""Messages become what the domain judges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given

from domain.errors import InputInvalid
from domain.message import WrittenAddress, WrittenAttachment, WrittenMessage
from domain.message_parser import parse_message as judge_message
from domain.reasons import Reason
from mailport.v1 import delivery_pb2 as pb
from service.rpc.parse import parse_message
from tests.unit.service.rpc.builders import NOW, settings
from tests.unit.service.rpc.protobuf_messages import messages


def parsed(written: pb.Message) -> WrittenMessage:
    message, _ = parse_message(written)
    return message


@given(messages(pb.Message))
def test_given_any_message_when_parsed_and_judged_then_nothing_but_input_invalid_is_raised(written: pb.Message) -> None:
    fields: list[str] = []
    try:
        judge_message(parsed(written), settings=settings(), now=NOW)
    except InputInvalid as refused:
        fields = [violation.field for violation in refused.violations]

    assert all(field.startswith("message") for field in fields)


def test_given_every_field_when_parsed_then_each_arrives() -> None:
    written = pb.Message(
        **{"from": pb.Address(name="Alerts", address="alerts@example.com")},
        to=[pb.Address(address="t@example.com")],
        cc=[pb.Address(address="c@example.com")],
        bcc=[pb.Address(address="b@example.com")],
        reply_to=[pb.Address(address="r@example.com")],
        subject="Hi",
        text_body="text",
        html_body="<p>html",
        attachments=[pb.Attachment(file_name="f", content_type="text/plain", content=b"\0\xff", content_id="i")],
        headers=[pb.Header(name="X-Ticket", value="7")],
        raw_mime=b"raw",
        expire_after=Duration(seconds=90, nanos=5000),
        send_time=Timestamp(seconds=1_800_000_000, nanos=123_456_789),
        in_doubt_policy=pb.IN_DOUBT_POLICY_HOLD,
        message_id="<1@example.com>",
    )

    assert parsed(written) == WrittenMessage(
        sender=WrittenAddress("alerts@example.com", "Alerts"),
        to=(WrittenAddress("t@example.com"),),
        cc=(WrittenAddress("c@example.com"),),
        bcc=(WrittenAddress("b@example.com"),),
        reply_to=(WrittenAddress("r@example.com"),),
        subject="Hi",
        text_body="text",
        html_body="<p>html",
        attachments=(WrittenAttachment("f", "text/plain", b"\0\xff", "i"),),
        headers=(("X-Ticket", "7"),),
        raw_mime=b"raw",
        expire_after=timedelta(seconds=90, microseconds=5),
        send_time=datetime(2027, 1, 15, 8, 0, 0, 123456, tzinfo=UTC),
        in_doubt_policy="HOLD",
        message_id="<1@example.com>",
    )


def test_given_an_empty_message_when_parsed_then_everything_is_unset() -> None:
    assert parse_message(pb.Message()) == (WrittenMessage(), ())


def test_given_an_instant_and_a_duration_that_are_none_when_parsed_then_both_are_named_at_once() -> None:
    written = pb.Message(expire_after=Duration(seconds=1, nanos=-1), send_time=Timestamp(nanos=-1))

    message, found = parse_message(written)

    assert message == WrittenMessage()
    assert {(each.field, each.reason) for each in found} == {
        ("message.expire_after", Reason.VALUE_OUT_OF_RANGE),
        ("message.send_time", Reason.VALUE_OUT_OF_RANGE),
    }


@pytest.mark.parametrize(
    "life", [Duration(seconds=315_576_000_001), Duration(seconds=-315_576_000_001), Duration(nanos=10**9)]
)
def test_given_a_duration_beyond_its_bounds_when_parsed_then_it_is_refused(life: Duration) -> None:
    _, found = parse_message(pb.Message(expire_after=life))

    assert [each.field for each in found] == ["message.expire_after"]


def test_given_a_negative_duration_when_parsed_then_it_is_negative() -> None:
    written = pb.Message(expire_after=Duration(seconds=-1, nanos=-500_000_000))

    assert parsed(written).expire_after == timedelta(seconds=-1.5)


def test_given_an_unknown_policy_when_judged_then_its_field_is_named() -> None:
    written = pb.Message(to=[pb.Address(address="t@example.com")], in_doubt_policy=9)  # type: ignore[arg-type]

    with pytest.raises(InputInvalid) as refused:
        judge_message(parsed(written), settings=settings(), now=NOW)

    assert [each.field for each in refused.value.violations] == ["message.in_doubt_policy"]


def test_given_a_hundred_thousand_empty_recipients_when_parsed_then_few_are_read_and_the_message_is_refused() -> None:
    written = pb.Message(to=[pb.Address()] * 100_000)

    message = parsed(written)

    assert len(message.to) == 10_000
    with pytest.raises(InputInvalid):
        judge_message(message, settings=settings(), now=NOW)
