"""parse_message: every violation at once, each with its field, and nothing else raised (F02-F04, F06, F09-F11, P23)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from domain.errors import InputInvalid
from domain.message import InDoubtPolicy, WrittenAddress, WrittenAttachment, WrittenMessage
from domain.message_parser import ParsedMessage, parse_message
from domain.mime import compose
from domain.reasons import Reason
from tests.unit.domain.message_builders import (
    MESSAGE_ID,
    NOW,
    a_written_message,
    an_address,
    judged,
    parsed,
    settings,
    wire_faults,
)

CONTROLS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]
OWN = settings().from_address


def violations(written: WrittenMessage, **setting_changes: Any) -> list[tuple[str, Reason]]:
    with pytest.raises(InputInvalid) as raised:
        parsed(written, **setting_changes)
    assert all(violation.message and violation.remedy for violation in raised.value.violations)
    return [(violation.field, violation.reason) for violation in raised.value.violations]


def outcome(written: WrittenMessage) -> ParsedMessage | InputInvalid:
    try:
        return parsed(written)
    except InputInvalid as refused:
        return refused


def some_addresses(count: int) -> tuple[WrittenAddress, ...]:
    return tuple(WrittenAddress(f"r{number}@example.com") for number in range(count))


def test_given_a_plain_message_when_parsed_then_the_defaults_hold() -> None:
    result = parsed(a_written_message(), from_name="Alerts")

    assert (result.message.sender.address, result.message.sender.name) == (OWN, "Alerts")
    assert (result.envelope.sender, result.envelope.recipients) == (OWN, (an_address("t@example.com"),))
    assert result.expire_after == timedelta(hours=24)
    assert result.send_time is None
    assert result.in_doubt_policy is InDoubtPolicy.RETRY


def test_given_nothing_in_it_when_parsed_then_an_empty_body_is_fine() -> None:
    result = parsed(WrittenMessage(bcc=(WrittenAddress("b@example.com"),)))

    assert result.envelope.recipients == (an_address("b@example.com"),)


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        (None, ("a@example.com", "Alerts")),
        (WrittenAddress(), ("a@example.com", "Alerts")),
        (WrittenAddress("a@example.com"), ("a@example.com", "Alerts")),
        (WrittenAddress("A@Example.com"), ("A@example.com", "Alerts")),
        (WrittenAddress("a@example.com", "Night shift"), ("a@example.com", "Night shift")),
        (WrittenAddress("", "Night shift"), ("a@example.com", "Night shift")),
        (WrittenAddress("other@example.org"), ("other@example.org", "")),
        (WrittenAddress("other@example.org", "  "), ("other@example.org", "")),
    ],
)
def test_given_an_allowed_sender_when_parsed_then_it_is_taken(
    sender: WrittenAddress | None, expected: tuple[str, str]
) -> None:
    result = parsed(
        a_written_message(sender=sender), from_name="Alerts", allowed_from=(an_address("other@example.org"),)
    )

    assert (str(result.message.sender.address), result.message.sender.name) == expected
    assert str(result.envelope.sender) == expected[0]


def test_given_a_foreign_sender_when_parsed_then_it_is_refused() -> None:
    written = a_written_message(sender=WrittenAddress("ceo@example.net"))

    assert violations(written) == [("message.from.address", Reason.SENDER_NOT_ALLOWED)]


@pytest.mark.parametrize("address", ['"Team" <a@example.com>', "<a@example.com>", "a@example.com "])
def test_given_more_than_an_address_when_parsed_then_the_field_is_named_f02(address: str) -> None:
    written = a_written_message(sender=WrittenAddress(address))

    assert violations(written) == [("message.from.address", Reason.ADDRESS_INVALID)]


def test_given_an_encoded_word_for_an_address_when_parsed_then_it_is_refused_f03() -> None:
    written = a_written_message(to=(WrittenAddress("=?utf-8?q?x?=@example.com"), WrittenAddress("a=b?c@example.com")))

    assert violations(written) == [("message.to[0].address", Reason.ADDRESS_INVALID)]


def test_given_domains_of_any_script_when_parsed_then_they_are_a_labels_f03() -> None:
    result = parsed(
        a_written_message(to=(WrittenAddress("info@bücher.example"),)),
        from_address=an_address("noreply@müller.example"),
    )

    assert str(result.envelope.sender) == "noreply@xn--mller-kva.example"
    assert [str(recipient) for recipient in result.envelope.recipients] == ["info@xn--bcher-kva.example"]
    assert violations(a_written_message(to=(WrittenAddress("x@a..example"), WrittenAddress("x@-x.example")))) == [
        ("message.to[0].address", Reason.ADDRESS_INVALID),
        ("message.to[1].address", Reason.ADDRESS_INVALID),
    ]


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("pattern", ["Hi{}Bcc: eve@example.net", "{}Hi", "Hi{}"])
@pytest.mark.parametrize(
    ("field", "write"),
    [
        ("subject", lambda text: {"subject": text}),
        ("from.name", lambda text: {"sender": WrittenAddress("", text)}),
        ("to[1].name", lambda text: {"to": (*some_addresses(1), WrittenAddress("a@example.com", text))}),
        ("to[0].address", lambda text: {"to": (WrittenAddress(f"a@example.com{text}"),)}),
        ("cc[0].name", lambda text: {"cc": (WrittenAddress("a@example.com", text),)}),
        ("bcc[0].address", lambda text: {"bcc": (WrittenAddress(text),)}),
        ("reply_to[0].name", lambda text: {"reply_to": (WrittenAddress("a@example.com", text),)}),
        ("headers[0].name", lambda text: {"headers": ((text, "x"),)}),
        ("headers[1].value", lambda text: {"headers": (("X-A", "x"), ("X-B", text))}),
        ("attachments[0].file_name", lambda text: {"attachments": (WrittenAttachment(text),)}),
        ("attachments[0].content_type", lambda text: {"attachments": (WrittenAttachment("a", f"a/b{text}"),)}),
        ("attachments[0].content_id", lambda text: {"attachments": (WrittenAttachment(content_id=text),)}),
        ("message_id", lambda text: {"message_id": f"x{text}@example.com"}),
    ],
)
def test_given_a_control_character_when_parsed_then_its_field_is_named_f04(
    field: str, write: Any, pattern: str, control: str
) -> None:
    written = a_written_message(**write(pattern.format(control)))

    assert violations(written) == [(f"message.{field}", Reason.CONTROL_CHARACTER)]


def test_given_tabs_in_a_subject_and_a_header_when_parsed_then_they_are_text() -> None:
    result = parsed(a_written_message(subject="a\tb", headers=(("X-A", "\ta\tb "),)))

    assert (result.message.subject, result.message.headers) == ("a\tb", (("X-A", "a\tb"),))


@pytest.mark.parametrize("field", ["text_body", "html_body"])
def test_given_half_a_surrogate_pair_in_a_body_when_parsed_then_it_is_refused(field: str) -> None:
    assert violations(a_written_message(**{field: "a\udfff"})) == [(f"message.{field}", Reason.VALUE_MALFORMED)]


def test_given_many_things_wrong_when_parsed_then_all_are_told_at_once() -> None:
    written = WrittenMessage(
        sender=WrittenAddress("eve@example.net"),
        to=(WrittenAddress("t@example.com"), WrittenAddress("nobody"), WrittenAddress("")),
        subject="a\nb",
        headers=(("Bcc", "x"), ("X Y", "z")),
        attachments=(WrittenAttachment(content_type="pdf", file_name="a\0"),),
        message_id="bad",
        expire_after=timedelta(seconds=1),
        send_time=NOW + timedelta(days=31),
        in_doubt_policy="MAYBE",
    )

    assert set(violations(written)) == {
        ("message.from.address", Reason.SENDER_NOT_ALLOWED),
        ("message.to[1].address", Reason.ADDRESS_INVALID),
        ("message.to[2].address", Reason.FIELD_REQUIRED),
        ("message.subject", Reason.CONTROL_CHARACTER),
        ("message.headers[0].name", Reason.HEADER_NOT_ALLOWED),
        ("message.headers[1].name", Reason.VALUE_MALFORMED),
        ("message.attachments[0].file_name", Reason.CONTROL_CHARACTER),
        ("message.attachments[0].content_type", Reason.VALUE_MALFORMED),
        ("message.message_id", Reason.VALUE_MALFORMED),
        ("message.expire_after", Reason.VALUE_OUT_OF_RANGE),
        ("message.send_time", Reason.VALUE_OUT_OF_RANGE),
        ("message.in_doubt_policy", Reason.VALUE_MALFORMED),
    }


def test_given_another_prefix_when_parsed_then_the_fields_begin_with_it() -> None:
    with pytest.raises(InputInvalid) as raised:
        parse_message(WrittenMessage(), settings=settings(), now=NOW, prefix="requests[2].message")

    assert raised.value.violations[0].field == "requests[2].message.to"


def test_given_no_recipient_when_parsed_then_one_is_asked_for() -> None:
    assert violations(WrittenMessage(subject="a\n")) == [
        ("message.to", Reason.RECIPIENT_REQUIRED),
        ("message.subject", Reason.CONTROL_CHARACTER),
    ]


def test_given_an_address_in_several_fields_when_parsed_then_it_is_one_recipient_f09() -> None:
    both = (WrittenAddress("t@example.com"), WrittenAddress("c@EXAMPLE.com"))

    result = parsed(a_written_message(to=both, cc=both, bcc=(WrittenAddress("b@example.com"), *both)))

    assert [str(recipient) for recipient in result.envelope.recipients] == [
        "t@example.com", "c@example.com", "b@example.com",
    ]  # fmt: skip
    assert len(result.message.to) == len(result.message.cc) == 2


@pytest.mark.parametrize("count", [101, 1001])
def test_given_too_many_recipients_when_parsed_then_they_are_refused(count: int) -> None:
    assert violations(a_written_message(to=some_addresses(count))) == [("message.to", Reason.TOO_MANY_RECIPIENTS)]


def test_given_100_recipients_named_twice_when_parsed_then_they_are_taken() -> None:
    result = parsed(a_written_message(to=some_addresses(100), cc=some_addresses(100)))

    assert len(result.envelope.recipients) == 100


@pytest.mark.parametrize(
    "name",
    [
        "From", "TO", "cc", "bcc", "Sender", "Reply-To", "Subject", "Date", "Message-ID", "return-path", "Received",
        "Content-Type", "content-transfer-encoding", "MIME-Version", "Resent-Bcc",
    ],
)  # fmt: skip
def test_given_a_header_that_is_ours_when_parsed_then_it_is_refused_f09(name: str) -> None:
    written = a_written_message(headers=((name, "x@example.com"),))

    assert violations(written) == [("message.headers[0].name", Reason.HEADER_NOT_ALLOWED)]


@pytest.mark.parametrize(
    ("name", "value", "field", "reason"),
    [
        ("", "x", "name", Reason.FIELD_REQUIRED),
        ("X:Y", "x", "name", Reason.VALUE_MALFORMED),
        ("X Y", "x", "name", Reason.VALUE_MALFORMED),
        ("Ä", "x", "name", Reason.VALUE_MALFORMED),
        ("X" * 129, "x", "name", Reason.VALUE_TOO_LONG),
        ("X-Long", "x" * 1200, "value", Reason.VALUE_TOO_LONG),
        ("X-Long", "y " + "x" * 991, "value", Reason.VALUE_TOO_LONG),
        ("References", "<é@example.com>", "value", Reason.VALUE_MALFORMED),
        ("list-unsubscribe", "<https://example.com/é>", "value", Reason.VALUE_MALFORMED),
    ],
)
def test_given_a_header_that_cannot_be_written_when_parsed_then_it_is_refused_f06(
    name: str, value: str, field: str, reason: Reason
) -> None:
    assert violations(a_written_message(headers=((name, value),))) == [(f"message.headers[0].{field}", reason)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Long", "x" * 990),
        ("X-Long", "x " * 5000),
        ("X-Note", "é" * 3000),
        ("List-Unsubscribe", "<https://example.com/" + "u" * 800 + ">"),
        ("DKIM-Signature", "v=1; a=rsa-sha256; b=abc"),
        ("References", "<a@example.com>  <b@example.com>"),
        ("X-Empty", ""),
    ],
)
def test_given_a_header_at_the_bounds_when_composed_then_it_reads_back_f06(name: str, value: str) -> None:
    message = parsed(a_written_message(headers=((name, value),))).message

    content = compose(message, message_id=MESSAGE_ID, date=NOW)

    assert judged(content)[name].split() == value.split()
    assert wire_faults(content) == []


@pytest.mark.parametrize("headers", [(("X-A", "x"),) * 201, (("X-A", "x y " * 200),) * 90])
def test_given_headers_beyond_the_limits_when_parsed_then_they_are_refused(
    headers: tuple[tuple[str, str], ...],
) -> None:
    assert violations(a_written_message(headers=headers)) == [("message.headers", Reason.VALUE_TOO_LONG)]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("subject", {"subject": "é" * 4097}),
        ("to[0].name", {"to": (WrittenAddress("t@example.com", "x" * 1025),)}),
        ("attachments[0].file_name", {"attachments": (WrittenAttachment("日" * 342),)}),
        ("attachments[0].content_id", {"attachments": (WrittenAttachment(content_id="x" * 501),)}),
        ("to[0].address", {"to": (WrittenAddress("x" * 1025),)}),
        ("message_id", {"message_id": "x" * 500 + "@example.com"}),
    ],
)
def test_given_a_text_beyond_its_limit_when_parsed_then_it_is_refused(field: str, changes: dict[str, Any]) -> None:
    assert violations(a_written_message(**changes)) == [(f"message.{field}", Reason.VALUE_TOO_LONG)]


def test_given_attachments_when_parsed_then_types_and_ids_take_one_form() -> None:
    written = a_written_message(
        attachments=(
            WrittenAttachment("a.bin", "", b"a"),
            WrittenAttachment("a.csv", "TEXT/CSV;charset=utf-8", b"b", "<csv@example.com>"),
            WrittenAttachment("m.eml", "message/rfc822", b"c", "logo"),
        )
    )

    attachments = parsed(written).message.attachments

    assert [attachment.content_type for attachment in attachments] == [
        "application/octet-stream", "text/csv; charset=utf-8", "message/rfc822",
    ]  # fmt: skip
    assert [attachment.content_id for attachment in attachments] == ["", "csv@example.com", "logo"]


@pytest.mark.parametrize("content_type", ["multipart/mixed", "Multipart/Mixed; boundary=x", "message/partial", "pdf"])
def test_given_no_type_of_a_file_when_parsed_then_it_is_refused(content_type: str) -> None:
    written = a_written_message(attachments=(WrittenAttachment("ok"), WrittenAttachment("a", content_type)))

    assert violations(written) == [("message.attachments[1].content_type", Reason.VALUE_MALFORMED)]


@pytest.mark.parametrize("content_id", ["a b", "<>", "é", "a>b", "=?utf-8?q?x?=", "a:b"])
def test_given_a_content_id_of_other_characters_when_parsed_then_it_is_refused(content_id: str) -> None:
    written = a_written_message(attachments=(WrittenAttachment("a", content_id=content_id),))

    assert violations(written) == [("message.attachments[0].content_id", Reason.VALUE_MALFORMED)]


def test_given_a_content_id_twice_when_parsed_then_it_is_refused() -> None:
    twice = (WrittenAttachment("a", content_id="x"), WrittenAttachment("b", content_id="<x>"))

    assert violations(a_written_message(attachments=twice)) == [("message.attachments", Reason.FIELD_CONFLICT)]


def test_given_496_attachments_when_parsed_then_they_are_refused() -> None:
    written = a_written_message(attachments=(WrittenAttachment("a"),) * 496)

    assert violations(written) == [("message.attachments", Reason.VALUE_OUT_OF_RANGE)]
    assert len(parsed(replace(written, attachments=written.attachments[1:])).message.attachments) == 495


def test_given_more_than_25_mib_when_parsed_then_it_is_refused() -> None:
    half = b"x" * (25 * 2**20 // 2)
    files = (WrittenAttachment("a", content=half), WrittenAttachment("b", content=half))

    assert len(parsed(a_written_message(attachments=files, text_body="")).message.attachments) == 2
    assert violations(a_written_message(attachments=files, text_body="x")) == [("message", Reason.MESSAGE_TOO_LARGE)]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("order-1@example.com", "<order-1@example.com>"),
        ("<order-1@example.com>", "<order-1@example.com>"),
        ("<a.b.c@[192.0.2.1]>", "<a.b.c@[192.0.2.1]>"),
        ("", ""),
    ],
)
def test_given_a_message_id_when_parsed_then_it_is_kept_f11(written: str, expected: str) -> None:
    assert parsed(a_written_message(message_id=written)).message.message_id == expected


@pytest.mark.parametrize(
    "written", ["x", "<x>", "a b@example.com", "é@example.com", "a@b@c", "a@b>, <c@d", "a..b@c", "<a@b"]
)
def test_given_no_message_id_when_parsed_then_it_is_refused_f11(written: str) -> None:
    assert violations(a_written_message(message_id=written)) == [("message.message_id", Reason.VALUE_MALFORMED)]


@pytest.mark.parametrize(
    ("life", "is_fine"),
    [
        (timedelta(minutes=1), True),
        (timedelta(days=7), True),
        (timedelta(seconds=59), False),
        (timedelta(days=7, microseconds=1), False),
        (timedelta(0), False),
        (timedelta.min, False),
    ],
)
def test_given_a_life_when_parsed_then_its_bounds_hold(life: timedelta, *, is_fine: bool) -> None:
    written = a_written_message(expire_after=life)

    if is_fine:
        assert parsed(written).expire_after == life
    else:
        assert violations(written) == [("message.expire_after", Reason.VALUE_OUT_OF_RANGE)]


@pytest.mark.parametrize(
    ("send_time", "expected"),
    [
        (NOW + timedelta(days=30), NOW + timedelta(days=30)),
        ((NOW + timedelta(hours=1)).astimezone(timezone(timedelta(hours=5))), NOW + timedelta(hours=1)),
        (NOW, None),
        (NOW - timedelta(days=400), None),
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=14))), None),
    ],
)
def test_given_a_send_time_when_parsed_then_it_is_in_utc_and_a_past_one_is_now(
    send_time: datetime, expected: datetime | None
) -> None:
    result = parsed(a_written_message(send_time=send_time)).send_time

    assert result == expected
    assert result is None or result.tzinfo is UTC


def test_given_a_send_time_without_zone_when_parsed_then_it_is_refused() -> None:
    written = a_written_message(send_time=NOW.replace(tzinfo=None))

    assert violations(written) == [("message.send_time", Reason.VALUE_MALFORMED)]


def test_given_hold_when_parsed_then_that_is_the_policy() -> None:
    assert parsed(a_written_message(in_doubt_policy="HOLD")).in_doubt_policy is InDoubtPolicy.HOLD


ANY_TEXT = st.text(max_size=40) | st.sampled_from(
    ["t@example.com", "a@example.com", "X-A", "a/b", "\ud800", "a@[1.2.3.4]"]
)
ANY_ADDRESS = st.builds(WrittenAddress, address=ANY_TEXT, name=ANY_TEXT)
SOME_ADDRESSES = st.lists(ANY_ADDRESS, max_size=3).map(tuple)
ANY_MESSAGE = st.builds(
    WrittenMessage,
    sender=st.none() | ANY_ADDRESS,
    reply_to=SOME_ADDRESSES,
    to=SOME_ADDRESSES,
    cc=SOME_ADDRESSES,
    bcc=SOME_ADDRESSES,
    subject=ANY_TEXT,
    text_body=ANY_TEXT,
    html_body=ANY_TEXT,
    attachments=st.lists(
        st.builds(
            WrittenAttachment,
            file_name=ANY_TEXT,
            content_type=ANY_TEXT,
            content=st.binary(max_size=9),
            content_id=ANY_TEXT,
        ),
        max_size=2,
    ).map(tuple),
    headers=st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=3).map(tuple),
    raw_mime=st.just(b"") | st.binary(max_size=60) | st.just(b"From: a@example.com\nTo: t@example.com\n\nx"),
    message_id=ANY_TEXT,
    expire_after=st.none() | st.timedeltas(),
    send_time=st.none() | st.datetimes(timezones=st.none() | st.timezones()),
    in_doubt_policy=st.sampled_from(["", "RETRY", "HOLD", "other"]) | ANY_TEXT,
)


@hypothesis(deadline=None, max_examples=300)
@given(ANY_MESSAGE)
def test_given_anything_when_parsed_then_it_is_a_message_or_its_violations(written: WrittenMessage) -> None:
    result = outcome(written)

    if isinstance(result, InputInvalid):
        assert all(violation.field.startswith("message") and violation.remedy for violation in result.violations)
    else:
        assert 1 <= len(result.envelope.recipients) <= 100
        assert result.message.sender.address == OWN


@hypothesis(deadline=None)
@given(subject=ANY_TEXT, name=ANY_TEXT, header=ANY_TEXT, value=ANY_TEXT)
def test_given_any_text_when_it_passes_then_no_header_is_added_p23(
    subject: str, name: str, header: str, value: str
) -> None:
    written = a_written_message(
        subject=subject, to=(WrittenAddress("t@example.com", name),), headers=(("X-A", value), (header, "x"))
    )

    result = outcome(written)

    if isinstance(result, InputInvalid):
        assert result.violations
    else:
        content = compose(result.message, message_id=MESSAGE_ID, date=NOW)
        assert judged(content).keys() == [
            "Date", "From", "To", "Subject", "Message-ID", "X-A", header, "MIME-Version", "Content-Type",
            "Content-Transfer-Encoding",
        ]  # fmt: skip
        assert wire_faults(content) == []
