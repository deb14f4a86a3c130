"""Messages of other programs: cleaned, completed, recoded (F08, F09, F11)."""

from __future__ import annotations

import email
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from domain.message import NamedAddress
from domain.mime import is_8bit, recompose_7bit
from domain.mime.header_section import Fault
from domain.mime.raw import complete
from domain.mime.raw_reading import RawMessage, read_raw
from tests.unit.domain.message_builders import MESSAGE_ID, NOW, an_address, judged, wire_faults

PLAIN = b"From: a@example.com\nTo: t@example.com\nSubject: x\n\nbody\n"
SENDER = NamedAddress(an_address("a@example.com"), "A")
TEXT_PART = (
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n.\r\n"
)
FILE_PART = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\xfe\x80\r\n"
ASCII_PART = b"Content-Type: text/plain\r\nX-Odd:   kept \t as it is\r\n\r\nplain = text \r\n"


def read(raw: bytes) -> RawMessage:
    result = read_raw(raw)
    assert isinstance(result, RawMessage), result
    return result


def faults(raw: bytes) -> list[Fault]:
    result = read_raw(raw)
    assert isinstance(result, list)
    return result


def multipart(*parts: bytes, boundary: bytes = b"b1", subtype: bytes = b"mixed") -> bytes:
    return b"".join(
        [
            b"Content-Type: multipart/" + subtype + b'; boundary="' + boundary + b'"\r\n\r\n',
            *(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts),
            b"--" + boundary + b"--\r\n",
        ]
    )


def leaves(content: bytes) -> list[tuple[str, Any]]:
    message = email.message_from_bytes(content)
    return [
        (part.get_content_type(), part.get_payload(decode=True)) for part in message.walk() if not part.is_multipart()
    ]


def test_given_any_line_ends_when_read_then_they_are_crlf_f08() -> None:
    assert read(b"Subject: x\rFrom: a@example.com\r\n\na\rb\r\nc\nd").content == (
        b"Subject: x\r\nFrom: a@example.com\r\n\r\na\r\nb\r\nc\r\nd\r\n"
    )


def test_given_hidden_recipients_when_read_then_their_fields_are_gone_with_all_lines_f09() -> None:
    raw = (
        b"Return-Path: <r@example.com>\nFrom: a@example.com\nbCC: b1@example.com,\n b2@example.com\nSubject: x\n"
        b"Resent-Bcc: b3@example.com\n\nBcc: in the body\n"
    )

    message = read(raw)

    assert message.content == b"From: a@example.com\r\nSubject: x\r\n\r\nBcc: in the body\r\n"
    assert message.values("bcc") == ["b1@example.com, b2@example.com"]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Subject: x\n\n", b"Subject: x\r\n\r\n"),
        (b"Subject: x\n", b"Subject: x\r\n\r\n"),
        (b"Subject: x", b"Subject: x\r\n\r\n"),
        (b"\nbody", b"\r\nbody\r\n"),
        (b"Bcc: b@example.com\n\nbody", b"\r\nbody\r\n"),
        (b"Subject: x\n\n\n\nb", b"Subject: x\r\n\r\n\r\n\r\nb\r\n"),
        (b"X: a\n\tb\n c\n\n\xff\n", b"X: a\r\n\tb\r\n c\r\n\r\n\xff\r\n"),
    ],
)
def test_given_an_unusual_message_when_read_then_header_and_body_are_parted(raw: bytes, expected: bytes) -> None:
    assert read(raw).content == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"From a@example.com Mon Jan 1\nSubject: x\n\n", "Line 1 of the header is neither"),
        (b"Subject: x\nno field\n\n", "Line 2 of the header is neither"),
        (b"Subject : x\n\n", "Line 1 of the header is neither"),
        (b" folded: x\n\n", "Line 1 of the header is neither"),
        (b"Subject: x\n \nBcc: y\n\n", "Line 2 of the header is neither"),
        (b"Subject: \xc3\xa9\n\n", "beyond ASCII"),
        (b"Subject: a\x0bb\n\n", "control character"),
        (b"Subject: x\n\na\0b", "Line 3 holds a NUL"),
        (b"Subject: x\n\n" + b"a" * 999, "Line 3 is longer than 998"),
        (b"X: " + b"a" * 996 + b"\n\n", "Line 1 is longer than 998"),
        (b"Subject: x\nSUBJECT: y\n\n", "2 fields named Subject"),
        (b"Message-ID: <a@b>\nMessage-Id: <c@d>\n\n", "2 fields named Message-Id"),
        (b"Date: x\nDate: y\n\n", "2 fields named Date"),
        (b"From: a@b\nFrom: c@d\n\n", "2 fields named From"),
        (b"To: a@b\nTo: c@d\n\n", "2 fields named To"),
        (b"X: y\n" * 201 + b"\n", "more than 200 fields"),
        ((b"X: " + b"y" * 900 + b"\n") * 80 + b"\n", "64 KiB"),
        (b"Content-Type: multipart/mixed\n\n--x\n\nb\n--x--\n", "boundary does not occur"),
        (b"Content-Type: multipart/mixed; boundary=x\n\nbody\n", "boundary does not occur"),
        (multipart(*[b"\r\nx"] * 500), "more than 500 parts"),
        (multipart(b"--b1x\r\n" * 5000), "more than 500 parts"),
        (multipart(b"Subject: \xc3\xa9\r\n\r\nx"), "part holds octets beyond ASCII"),
        (b"Content-Type: message/rfc822\n\n" * 21, "deeper than 20"),
    ],
)
def test_given_a_message_of_two_readings_when_read_then_the_fault_is_named(raw: bytes, words: str) -> None:
    assert any(words in fault.message for fault in faults(raw))
    assert all(fault.remedy for fault in faults(raw))


def test_given_several_faults_when_read_then_all_are_named() -> None:
    found = faults(b"Subject: \xff\nbad\nDate: x\nDate: y\n\n" + b"a" * 999 + b"\n\0\n")

    assert len(found) == 5


@hypothesis(deadline=None)
@given(st.lists(st.sampled_from([b"a", b":", b" ", b"\n", b"\r", b"\r\n", b"\t", b"\xff", b"Bcc: x", b"--b", b"\0"])))
@example([b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n--b--"])
def test_given_any_octets_when_read_then_what_passes_is_fit_for_the_wire_f08(pieces: list[bytes]) -> None:
    result = read_raw(b"".join(pieces))

    if isinstance(result, RawMessage):
        completed = complete(result.content, sender=SENDER, message_id=MESSAGE_ID, date=NOW)
        assert wire_faults(completed, is_8bit=True) == []
        assert "Bcc" not in judged(completed)
    else:
        assert result


def test_given_what_is_missing_when_completed_then_it_stands_in_front_f11() -> None:
    completed = complete(read(b"Subject: x\n\nbody").content, sender=SENDER, message_id=MESSAGE_ID, date=NOW)

    assert completed == (
        b"Date: Wed, 04 Mar 2026 05:06:07 +0000\r\nFrom: A <a@example.com>\r\nMessage-ID: <8f14e45f@example.com>\r\n"
        b"MIME-Version: 1.0\r\nSubject: x\r\n\r\nbody\r\n"
    )


def test_given_all_is_there_when_completed_then_nothing_changes_f11() -> None:
    raw = b"DATE: x\r\nfrom: a@example.com\r\nMessage-id: <a@b>\r\nMime-Version: 1.0\r\n\r\nDate: y\r\n"

    assert complete(raw, sender=SENDER, message_id=MESSAGE_ID, date=NOW) == raw


def test_given_seven_bits_when_recomposed_then_the_very_same_comes_back() -> None:
    content = read(PLAIN).content

    assert recompose_7bit(content) is content


@pytest.mark.parametrize(
    "content",
    [
        TEXT_PART,
        FILE_PART,
        b"Subject: x\r\n\r\n\xff\r\n",
        multipart(TEXT_PART, ASCII_PART, FILE_PART),
        multipart(multipart(TEXT_PART, FILE_PART, boundary=b"b1x"), ASCII_PART),
        multipart(b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: y\r\n" + TEXT_PART),
        multipart(b"\r\n\xfc without header\r\n"),
        b"\r\n\xfc without header\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\xfc=\r\nc\r\n",
    ],
)
def test_given_eight_bits_when_recomposed_then_each_part_decodes_to_the_same(content: bytes) -> None:
    recomposed = recompose_7bit(content)

    assert is_8bit(content)
    assert wire_faults(recomposed) == []
    assert leaves(recomposed) == leaves(content)


def test_given_eight_bits_when_recomposed_then_other_parts_are_untouched() -> None:
    recomposed = recompose_7bit(multipart(ASCII_PART, FILE_PART))

    assert ASCII_PART in recomposed
    assert recomposed.count(b"Content-Transfer-Encoding: base64\r\n") == 1
    assert b"8bit" not in recomposed


def test_given_stray_octets_in_base64_and_between_parts_when_recomposed_then_they_are_dropped() -> None:
    base64_part = b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\xffAwQF\r\n"
    content = multipart(base64_part).replace(b"--b1--\r\n", b"--b1--\r\nepilogue \xff\r\n")

    recomposed = recompose_7bit(content)

    assert wire_faults(recomposed) == []
    assert leaves(recomposed) == [("image/png", bytes(range(6)))]


@hypothesis(deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\xff", b"a", b"\r\n", b"--b1\r\n", b"--b1--\r\n", b"Content-Type: x", b"="]), max_size=30
    )
)
def test_given_any_body_when_recomposed_then_it_is_fit_for_seven_bits(pieces: list[bytes]) -> None:
    result = read_raw(b"Content-Type: multipart/mixed; boundary=b1\n\n--b1\n" + b"".join(pieces))

    if isinstance(result, RawMessage):
        assert wire_faults(recompose_7bit(result.content)) == []


def test_given_a_message_with_an_8bit_body_when_read_and_completed_then_the_body_is_kept() -> None:
    content = complete(read(TEXT_PART).content, sender=SENDER, message_id=MESSAGE_ID, date=NOW)

    assert judged(content).get_content() == "Grüße\r\n.\r\n"
