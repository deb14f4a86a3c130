from __future__ import annotations

import base64

import pytest

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Recipient
from service.sandbox.graph.mime_form import content_fields, decode_mime, read_mime, split, without


@pytest.mark.parametrize("wrong", [b"a", b"YWJj\r\nYWJj", b"YWJ*", b"YWJjZ", "ä".encode()])
def test_given_what_is_no_base64_in_one_line_when_decoded_then_refused_as_graph_does(wrong: bytes) -> None:
    with pytest.raises(GraphError) as raised:
        decode_mime(wrong)

    assert (raised.value.status, raised.value.code) == (400, "ErrorMimeContentInvalidBase64String")
    assert raised.value.message == "Invalid base64 string for MIME content."


def test_given_headers_when_read_then_recipients_are_those_of_to_cc_and_bcc_each_once() -> None:
    raw = (
        b'From: "Doe, Jane" <jane@x.test>\r\nTO: =?utf-8?q?A=2C_b=40c?= <a@x.test>,\r\n b@x.test\r\n'
        b"To: c@x.test\r\nCc: A@X.test\r\nBcc: \xc3\xa4@x.test\r\nSubject: =?utf-8?b?w6Q=?=\r\nX-One: 1\r\n"
        b"\r\nBcc: no@x.test\r\n"
    )

    fields = read_mime(raw)

    assert fields.from_ == Recipient("jane@x.test", "Doe, Jane")
    assert fields.to == (Recipient("a@x.test", "A, b@c"), Recipient("b@x.test"), Recipient("c@x.test"))
    assert set(fields.recipients) == {"A@X.test", "b@x.test", "c@x.test", "ä@x.test"}
    assert fields.subject == "ä"


def test_given_undisclosed_recipients_when_read_then_there_are_none() -> None:
    assert read_mime(b"To: undisclosed-recipients:;\r\nFrom: a@x.test\r\n\r\n").recipients == ()


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"])
def test_given_bcc_in_any_form_when_taken_out_then_all_else_is_byte_for_byte(ending: bytes) -> None:
    lines = [b"Bcc: a@x.test,", b"\tb@x.test", b"From: j@x.test", b"bCC : c@x.test", b"BccX: stays", b"Subject: Bcc: x"]
    body = [b"", b"Bcc: in the body", b"", b" x"]

    kept = without(ending.join(lines + body), "Bcc")

    assert kept == ending.join([lines[2], *lines[4:], *body])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"A: 1\r\nB: 2\r\n\r\nbody", (b"A: 1\r\nB: 2\r\n", b"\r\nbody")),
        (b"A: 1\n\nbody\n\n", (b"A: 1\n", b"\nbody\n\n")),
        (b"A: 1\r\n", (b"A: 1\r\n", b"\r\n")),
        (b"A: 1", (b"A: 1\r\n", b"\r\n")),
        (b"\r\nbody\r\n\r\n", (b"", b"\r\nbody\r\n\r\n")),
    ],
)
def test_given_a_message_when_split_then_the_headers_end_with_their_last_line(
    raw: bytes, expected: tuple[bytes, bytes]
) -> None:
    assert split(raw) == expected


def test_given_fields_of_the_body_when_sorted_then_they_are_apart_from_the_message_s() -> None:
    headers = b"From: a@x.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=utf-8\r\nSubject: x\r\n"

    outer, inner = content_fields(headers)

    assert outer == b"From: a@x.test\r\nSubject: x\r\n"
    assert inner == b"MIME-Version: 1.0\r\nContent-Type: text/plain;\r\n charset=utf-8\r\n"


def test_given_what_has_no_headers_when_read_then_refused() -> None:
    with pytest.raises(GraphError, match="ErrorMimeContentInvalid"):
        read_mime(b"\r\n\r\n")


def test_given_base64_in_one_line_when_decoded_then_it_is_the_message() -> None:
    assert decode_mime(base64.b64encode(b"From: a\r\n\r\n")) == b"From: a\r\n\r\n"
