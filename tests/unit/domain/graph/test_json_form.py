"""Messages in Graph's JSON form, and what it cannot carry."""

from __future__ import annotations

import base64
import json
from email import policy
from email.parser import BytesParser

from hypothesis import given
from hypothesis import strategies as st

from domain.address import EmailAddress
from domain.graph.addressing import addressed
from domain.graph.json_form import JsonForm, json_form, request_size, send_request
from domain.message import Attachment, Envelope, NamedAddress
from tests.graph_builders import ANN, ROBOT, a_file, a_message

TO_ANN = Envelope(sender=ROBOT, recipients=(ANN,))
BOB = EmailAddress("bob", "customer.example")


def form_of(content: bytes) -> JsonForm:
    form = json_form(content, addressed(content, TO_ANN))
    assert form is not None
    return form


def test_given_a_message_when_written_then_every_field_is_there() -> None:
    content = a_message(reply_to=(NamedAddress(BOB, "Böb"),), headers=(("Importance", "high"), ("X-Case", "grün")))

    message = form_of(content).message

    assert message["body"] == {"contentType": "Text", "content": "Hello\r\n"}
    assert message["from"] == {"emailAddress": {"address": "robot@sandbox.example", "name": "Robot"}}
    assert message["replyTo"] == [{"emailAddress": {"address": "bob@customer.example", "name": "Böb"}}]
    assert message["importance"] == "high"
    assert message["internetMessageHeaders"] == [{"name": "X-Case", "value": "grün"}]
    assert form_of(content).lost == ()


def test_given_html_and_its_images_when_written_then_they_go_inline() -> None:
    image = Attachment("logo.png", "image/png", b"png", "logo@x")
    content = a_message(image, a_file(10), text="", html_body='<img src="cid:logo@x">ü')

    written = json.loads(send_request(form_of(content), content, saves=False))

    logo, data = written["message"]["attachments"]
    assert written["message"]["body"] == {"contentType": "HTML", "content": '<img src="cid:logo@x">ü'}
    assert (logo["contentId"], logo["isInline"], base64.b64decode(logo["contentBytes"])) == ("logo@x", True, b"png")
    assert (data["name"], data["isInline"], "contentId" in data) == ("data.bin", False, False)
    assert written["saveToSentItems"] is False


def test_given_no_headers_of_one_s_own_when_written_then_no_empty_list_is_sent() -> None:
    assert "internetMessageHeaders" not in form_of(a_message()).message


def test_given_more_than_five_headers_when_written_then_the_rest_is_named_as_lost() -> None:
    form = form_of(a_message(headers=tuple((f"X-{number}", "v") for number in range(7))))

    assert len(form.message["internetMessageHeaders"]) == 5
    assert form.lost == ("the header X-5", "the header X-6")
    assert not form.loses_little


def test_given_an_invitation_when_written_then_there_is_no_json_for_it() -> None:
    content = (
        b'To: ann@customer.example\r\nContent-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: text/plain\r\n\r\nhi\r\n--b\r\n"
        b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN\r\n--b--\r\n"
    )

    assert json_form(content, addressed(content, TO_ANN)) is None


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300), st.binary(max_size=300))
def test_given_any_text_and_file_when_written_then_they_come_back_and_the_size_is_no_larger_than_said(
    text: str, octets: bytes
) -> None:
    content = a_message(Attachment("x.bin", "application/octet-stream", octets), text=text)
    form = form_of(content)

    request = send_request(form, content, saves=True)

    written = json.loads(request)["message"]
    assert written["body"]["content"].rstrip("\r\n") == text
    assert base64.b64decode(written["attachments"][0]["contentBytes"]) == octets
    assert len(request) <= request_size(form)


@given(st.binary(max_size=300))
def test_given_any_message_of_another_program_when_written_then_nothing_is_raised(octets: bytes) -> None:
    content = b"Content-Type: text/plain; charset=x-none\r\nX-A: b\r\n" + octets

    json_form(content, addressed(content, TO_ANN))


def test_given_what_the_standard_reader_makes_of_it_when_compared_then_the_subject_is_the_same() -> None:
    content = a_message()

    parsed = BytesParser(policy=policy.default).parsebytes(content)

    assert form_of(content).message["subject"] == str(parsed["Subject"])
