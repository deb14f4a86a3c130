"""Whole messages: their shape, what never leaves, and that caller text stays text (F01, F06-F11, P23)."""

from __future__ import annotations

from dataclasses import replace
from email.message import MIMEPart
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from domain.message import (
    Attachment,
    Envelope,
    NamedAddress,
    OutgoingMessage,
    WrittenAddress,
    WrittenAttachment,
    WrittenMessage,
)
from domain.mime import compose, is_8bit, make_message_id, needs_smtputf8
from tests.unit.domain.message_builders import (
    MESSAGE_ID,
    NOW,
    a_message,
    a_written_message,
    an_address,
    composed,
    judged,
    parsed,
    wire_faults,
)

LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=120)
BODY = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
PNG = WrittenAttachment("logo.png", "image/png", b"\x89PNG", "logo")
PDF = WrittenAttachment("report.pdf", "application/pdf", b"%PDF-1.7\r\n\0\xff")


def shape(part: MIMEPart) -> Any:
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        return (part.get_content_subtype(), *[shape(inner) for inner in part.iter_parts()])
    return part.get_content_type()


def text_of(part: MIMEPart) -> str:
    octets = part.get_payload(decode=True)
    assert isinstance(octets, bytes)
    return octets.decode(part.get_content_charset() or "")


def test_given_a_text_message_when_composed_then_these_are_the_octets() -> None:
    message = a_message(to=(WrittenAddress("t@example.com", "Doe, Jane"),), headers=(("X-Campaign", "spring"),))

    content = compose(message, message_id=MESSAGE_ID, date=NOW)

    assert content == (
        b"Date: Wed, 04 Mar 2026 05:06:07 +0000\r\n"
        b"From: a@example.com\r\n"
        b'To: "Doe, Jane" <t@example.com>\r\n'
        b"Subject: Hi\r\n"
        b"Message-ID: <8f14e45f@example.com>\r\n"
        b"X-Campaign: spring\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"Hello\r\n"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "text/plain"),
        ({"text_body": ""}, "text/plain"),
        ({"text_body": "", "html_body": "<p>"}, "text/html"),
        ({"html_body": "<p>"}, ("alternative", "text/plain", "text/html")),
        ({"attachments": (PDF,)}, ("mixed", "text/plain", "application/pdf")),
        ({"attachments": (PNG,)}, ("mixed", "text/plain", "image/png")),
        (
            {"html_body": "<img src='cid:logo'>", "attachments": (PNG,)},
            ("alternative", "text/plain", ("related", "text/html", "image/png")),
        ),
        (
            {"html_body": "<p>", "attachments": (PDF, PNG)},
            (
                "mixed",
                ("alternative", "text/plain", ("related", "text/html", "image/png")),
                "application/pdf",
            ),
        ),
        (
            {"text_body": "", "html_body": "<p>", "attachments": (PNG,)},
            ("related", "text/html", "image/png"),
        ),
    ],
)
def test_given_bodies_and_files_when_composed_then_the_parts_nest_as_readers_expect(
    changes: dict[str, Any], expected: Any
) -> None:
    content = composed(a_written_message(**changes))

    assert shape(judged(content)) == expected
    assert wire_faults(content) == []
    assert [part.defects for part in judged(content).walk()] == [[] for _ in judged(content).walk()]


def test_given_a_message_when_composed_twice_then_the_octets_are_the_same_f11() -> None:
    message = a_message(html_body="<p>é", attachments=(PDF, PNG))

    once, again = (compose(message, message_id=MESSAGE_ID, date=NOW) for _ in range(2))

    assert once == again
    assert judged(once).get_all("Message-ID") == [MESSAGE_ID]
    assert len(judged(once).get_all("Date") or []) == 1


def test_given_a_sender_at_an_international_domain_when_an_id_is_made_then_its_right_side_is_the_a_label_f11() -> None:
    assert make_message_id("0190", an_address("x@müller.example")) == "<0190@xn--mller-kva.example>"


def test_given_bcc_recipients_when_composed_then_nothing_shows_them_f09() -> None:
    written = a_written_message(
        cc=(WrittenAddress("c@example.com"),),
        bcc=(WrittenAddress("b1@example.com", "Secret"), WrittenAddress("b2@example.com")),
    )

    content = composed(written)

    assert "Bcc" not in judged(content)
    assert not any(hidden in content for hidden in (b"b1@", b"b2@", b"Secret"))
    assert len(parsed(written).envelope.recipients) == 4


def test_given_bcc_alone_when_composed_then_to_names_nobody_f09() -> None:
    content = composed(a_written_message(to=(), bcc=(WrittenAddress("b1@example.com"),)))

    assert b"\r\nTo: undisclosed-recipients:;\r\n" in content
    assert judged(content)["To"].addresses == ()


def test_given_lines_that_begin_with_a_dot_when_composed_then_they_are_unchanged_f07() -> None:
    body = "hello\r\n.\r\nworld\r\n..two\r\n.hidden\r\n"

    content = composed(a_written_message(text_body=body))

    assert content.endswith(b"\r\n\r\n" + body.encode())


def test_given_mixed_line_ends_when_composed_then_only_crlf_leaves_f08() -> None:
    mixed = "a\nb\rc\r\nd\n.\nMAIL FROM:<eve@example.net>\n"
    notes = WrittenAttachment("notes.txt", "text/plain", b"one\ntwo\rthree\n")

    content = composed(a_written_message(subject="word " * 40 + "end", text_body=mixed, attachments=(notes,)))

    assert wire_faults(content) == []
    body, file = judged(content).iter_parts()
    assert text_of(body) == "a\r\nb\r\nc\r\nd\r\n.\r\nMAIL FROM:<eve@example.net>\r\n"
    assert file.get_payload(decode=True) == notes.content


@pytest.mark.parametrize("body", ["a" * 1210 + "\n", "a" * 998 + "\n", "<p>" + "x" * 5000 + "\n"])
def test_given_long_lines_when_composed_then_no_line_exceeds_998_f06(body: str) -> None:
    content = composed(a_written_message(text_body=body, html_body=body))

    assert wire_faults(content) == []
    assert [text_of(part) for part in judged(content).iter_parts()] == [body.replace("\n", "\r\n")] * 2


def test_given_a_mail_as_attachment_when_it_is_7bit_then_it_is_embedded_as_it_is() -> None:
    mail = b"Subject: inner\r\nContent-Type: text/plain\r\n\r\nbody\r\n"

    content = composed(a_written_message(attachments=(WrittenAttachment("m.eml", "message/rfc822", mail),)))

    assert shape(judged(content)) == ("mixed", "text/plain", "message/rfc822")
    assert mail in content


@pytest.mark.parametrize("mail", [b"Subject: x\n\nbody\n", b"Subject: x\r\n\r\nb\xf6dy\r\n", b"X: " + b"x" * 1200])
def test_given_a_mail_as_attachment_when_it_is_not_7bit_then_it_is_a_file(mail: bytes) -> None:
    content = composed(a_written_message(attachments=(WrittenAttachment("m.eml", "message/rfc822", mail),)))

    _, file = judged(content).iter_parts()
    assert file.get_content_type() == "application/octet-stream"
    assert (file.get_filename(), file.get_payload(decode=True)) == ("m.eml", mail)
    assert wire_faults(content) == []


def test_given_a_body_that_holds_the_boundary_when_composed_then_another_boundary_is_chosen() -> None:
    guessed = judged(composed(a_written_message(html_body="<p>"))).get_boundary()

    content = composed(a_written_message(text_body=f"x\r\n--{guessed}--\r\nCc: eve@example.net\r\n", html_body="<p>"))

    assert judged(content).get_boundary() != guessed
    assert shape(judged(content)) == ("alternative", "text/plain", "text/html")


def test_given_a_20_mib_attachment_when_composed_then_it_survives() -> None:
    big = bytes(range(256)) * 4 * 1024 * 20

    content = composed(a_written_message(attachments=(WrittenAttachment("big.bin", "", big),)))

    _, file = judged(content).iter_parts()
    assert file.get_payload(decode=True) == big
    assert wire_faults(content) == []


def test_given_an_ascii_message_when_asked_then_no_extension_is_needed() -> None:
    result = parsed(a_written_message(subject="é", text_body="é"))
    content = compose(result.message, message_id=MESSAGE_ID, date=NOW)

    assert not is_8bit(content)
    assert not needs_smtputf8(result.envelope, content)


def test_given_a_local_part_beyond_ascii_when_asked_then_smtputf8_is_needed() -> None:
    hidden = parsed(a_written_message(bcc=(WrittenAddress("jörg@example.com"),)))
    shown = parsed(a_written_message(to=(WrittenAddress("jörg@example.com"),)))
    hidden_content, shown_content = (compose(each.message, message_id=MESSAGE_ID, date=NOW) for each in (hidden, shown))
    ascii_envelope = Envelope(an_address("a@example.com"), (an_address("t@example.com"),))

    assert needs_smtputf8(hidden.envelope, hidden_content)
    assert not needs_smtputf8(ascii_envelope, hidden_content)
    assert needs_smtputf8(ascii_envelope, shown_content)
    assert not needs_smtputf8(ascii_envelope, b"Subject: x\r\n\r\n\xf6\r\n")


@hypothesis(deadline=None)
@given(subject=LINE, name=LINE, value=LINE, text=BODY, html=BODY, file_name=LINE, file=st.binary(max_size=300))
def test_given_any_text_when_composed_then_it_stays_where_it_was_put_p23(
    *, subject: str, name: str, value: str, text: str, html: str, file_name: str, file: bytes
) -> None:
    message = OutgoingMessage(
        sender=NamedAddress(an_address("a@example.com"), name),
        to=(NamedAddress(an_address("t@example.com"), name),),
        subject=subject,
        text_body=text,
        html_body="<" + html,
        headers=(("X-Note", value.strip()),),
        attachments=(Attachment(file_name, "application/octet-stream", file),),
    )

    content = compose(message, message_id=MESSAGE_ID, date=NOW)

    read = judged(content)
    assert read.keys() == [
        "Date", "From", "To", "Subject", "Message-ID", "X-Note", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert (read["Subject"], read["X-Note"]) == (subject, value.strip())
    assert len(read["From"].addresses) == len(read["To"].addresses) == 1
    assert wire_faults(content) == []
    *_, attached = read.iter_parts()
    bodies = [part for part in read.walk() if part.get_content_maintype() == "text"]
    assert [text_of(part) for part in bodies] == [crlf(body) for body in (text, "<" + html) if body]
    assert attached.get_payload(decode=True) == file
    disposition = attached["Content-Disposition"]
    assert disposition.params.get("filename", "") == file_name
    assert set(disposition.params) <= {"filename"}


def crlf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


@hypothesis(deadline=None)
@given(BODY)
def test_given_any_text_alone_when_composed_then_its_lines_survive_p23(text: str) -> None:
    content = composed(WrittenMessage(to=(WrittenAddress("t@example.com"),), text_body=text))

    read = text_of(judged(content))
    assert read in {crlf(text), crlf(text) + "\r\n"}
    assert wire_faults(content) == []


def test_given_a_message_from_another_when_composed_then_reply_to_and_cc_stand_in_the_header() -> None:
    message = replace(
        a_message(),
        cc=(NamedAddress(an_address("c@example.com")),),
        reply_to=(NamedAddress(an_address("r@example.com")),),
    )

    read = judged(compose(message, message_id=MESSAGE_ID, date=NOW))

    assert (read["Cc"], read["Reply-To"]) == ("c@example.com", "r@example.com")
