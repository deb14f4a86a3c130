"""raw_mime: a whole message by another program (F09, F11, P23)."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest

from domain.errors import InputInvalid
from domain.message import WrittenAddress, WrittenAttachment, WrittenMessage
from domain.mime import compose
from domain.reasons import Reason
from tests.unit.domain.message_builders import MESSAGE_ID, NOW, an_address, judged, parsed, wire_faults

RAW = (
    b"From: Alerts <a@example.com>\nTo: t@example.com, \"C, D\" <t2@example.com>\nCc: c@example.com\n"
    b"Bcc: b1@example.com,\n\tb2@example.com\nSubject: x\n\nbody\n"
)  # fmt: skip


def refused(written: WrittenMessage, **setting_changes: Any) -> list[tuple[str, Reason, str]]:
    with pytest.raises(InputInvalid) as raised:
        parsed(written, **setting_changes)
    assert all(violation.remedy for violation in raised.value.violations)
    return [(violation.field, violation.reason, violation.message) for violation in raised.value.violations]


def recipients(written: WrittenMessage) -> list[str]:
    return [str(recipient) for recipient in parsed(written).envelope.recipients]


def test_given_a_raw_message_when_parsed_then_its_headers_name_the_recipients_and_bcc_is_gone_f09() -> None:
    result = parsed(WrittenMessage(raw_mime=RAW))

    content = compose(result.message, message_id=MESSAGE_ID, date=NOW)

    assert [str(recipient) for recipient in result.envelope.recipients] == [
        "t@example.com", "t2@example.com", "c@example.com", "b1@example.com", "b2@example.com",
    ]  # fmt: skip
    assert [str(mailbox.address) for mailbox in result.message.bcc] == ["b1@example.com", "b2@example.com"]
    assert b"b1@" not in content
    assert b"b2@" not in content
    assert wire_faults(content) == []
    assert judged(content).keys() == ["Date", "Message-ID", "MIME-Version", "From", "To", "Cc", "Subject"]
    assert judged(content).get_content() == "body\r\n"


def test_given_recipients_beside_a_raw_message_when_parsed_then_they_alone_count() -> None:
    assert recipients(WrittenMessage(raw_mime=RAW, bcc=(WrittenAddress("x@example.com"),))) == ["x@example.com"]


def test_given_a_raw_message_without_from_when_composed_then_the_configuration_s_is_added() -> None:
    result = parsed(WrittenMessage(raw_mime=b"To: t@example.com\n\nbody"), from_name="Alerts")

    content = compose(result.message, message_id=MESSAGE_ID, date=NOW)

    assert judged(content)["From"] == "Alerts <a@example.com>"
    assert result.envelope.sender == an_address("a@example.com")


def test_given_a_raw_message_with_an_id_and_a_date_when_composed_then_they_are_kept_f11() -> None:
    raw = b"Message-ID: <theirs@example.com>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n" + RAW

    result = parsed(WrittenMessage(raw_mime=raw))

    content = compose(result.message, message_id=result.message.message_id, date=NOW)
    assert result.message.message_id == "<theirs@example.com>"
    assert judged(content).get_all("Message-ID") == ["<theirs@example.com>"]
    assert content.count(b"Date: ") == 1


def test_given_a_raw_message_by_the_standard_library_when_composed_then_its_parts_are_untouched() -> None:
    theirs = EmailMessage(policy=SMTP.clone(cte_type="8bit"))
    theirs["From"], theirs["To"], theirs["Subject"] = "a@example.com", "Jörg <t@example.com>", "Grüße " * 20
    theirs.set_content("Grüße\r\n.\r\n", cte="8bit")
    theirs.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="ü.png")

    result = parsed(WrittenMessage(raw_mime=theirs.as_bytes()))

    content = compose(result.message, message_id=MESSAGE_ID, date=NOW)
    assert content.endswith(theirs.as_bytes().partition(b"\r\n\r\n")[2])
    assert judged(content)["Subject"].strip() == ("Grüße " * 20).strip()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subject", "x"),
        ("text_body", "x"),
        ("html_body", "x"),
        ("attachments", (WrittenAttachment("a"),)),
        ("headers", (("X-A", "x"),)),
        ("reply_to", (WrittenAddress("r@example.com"),)),
    ],
)
def test_given_a_field_that_says_it_again_when_parsed_then_the_field_is_named(name: str, value: object) -> None:
    [(field, reason, _)] = refused(WrittenMessage(raw_mime=RAW, **{name: value}))  # type: ignore[arg-type]

    assert (field, reason) == (f"message.{name}", Reason.FIELD_CONFLICT)


@pytest.mark.parametrize(
    ("raw", "reason", "words"),
    [
        (RAW.replace(b"a@example.com", b"eve@example.net"), Reason.SENDER_NOT_ALLOWED, "eve@example.net"),
        (b"Sender: eve@example.net\n" + RAW, Reason.SENDER_NOT_ALLOWED, "eve@example.net"),
        (RAW.replace(b"<a@example.com>", b"<a@example.com>, b@example.com"), Reason.RAW_MIME_INVALID, "2 addresses"),
        (RAW.replace(b"Alerts <a@example.com>", b""), Reason.RAW_MIME_INVALID, "0 addresses"),
        (RAW.replace(b"t@example.com,", b"t@@example.com,"), Reason.RAW_MIME_INVALID, "To of the message"),
        (RAW.replace(b"t@example.com,", b"t@example.com <u@example.com>,"), Reason.RAW_MIME_INVALID, "address list"),
        (b"Message-ID: nonsense\n" + RAW, Reason.RAW_MIME_INVALID, "Message-ID"),
        (b"Subject: again\n" + RAW, Reason.RAW_MIME_INVALID, "2 fields named Subject"),
        (RAW + b"a" * 999, Reason.RAW_MIME_INVALID, "Line 9 is longer"),
        (RAW + b"\0", Reason.RAW_MIME_INVALID, "NUL"),
        (RAW.replace(b"t@example.com", b"t@example.com,\n " * 1001, 1), Reason.TOO_MANY_RECIPIENTS, "1000 addresses"),
        (b"X: " + b"x" * 25 * 2**20, Reason.MESSAGE_TOO_LARGE, "25 MiB"),
    ],
)
def test_given_a_raw_message_that_breaks_a_rule_when_parsed_then_it_is_named(
    raw: bytes, reason: Reason, words: str
) -> None:
    [(field, found, message)] = refused(WrittenMessage(raw_mime=raw))

    assert (field, found) == ("message.raw_mime", reason)
    assert words in message


def test_given_a_raw_message_for_nobody_when_parsed_then_a_recipient_is_asked_for() -> None:
    [(field, reason, _)] = refused(WrittenMessage(raw_mime=b"To: undisclosed-recipients:;\n\nbody"))

    assert (field, reason) == ("message.to", Reason.RECIPIENT_REQUIRED)


def test_given_a_from_and_an_id_that_differ_from_the_raw_message_when_parsed_then_both_are_named() -> None:
    written = WrittenMessage(
        raw_mime=b"Message-ID: <theirs@example.com>\n" + RAW,
        sender=WrittenAddress("b@example.com"),
        message_id="ours@example.com",
    )

    found = refused(written, allowed_from=(an_address("b@example.com"),))

    assert [(field, reason) for field, reason, _ in found] == [
        ("message.from.address", Reason.FIELD_CONFLICT),
        ("message.message_id", Reason.FIELD_CONFLICT),
    ]


def test_given_the_same_from_and_id_as_the_raw_message_when_parsed_then_all_is_well() -> None:
    written = WrittenMessage(
        raw_mime=b"Message-ID: <same@example.com>\n" + RAW,
        sender=WrittenAddress("a@example.com"),
        message_id="same@example.com",
    )

    assert parsed(written).message.message_id == "<same@example.com>"


def test_given_an_8bit_body_when_composed_then_it_is_kept_for_the_transport() -> None:
    raw = RAW.replace(b"\n\nbody", b"\nContent-Type: text/plain; charset=utf-8\n\nGr\xc3\xbc\xc3\x9fe")

    result = parsed(WrittenMessage(raw_mime=raw))

    content = compose(result.message, message_id=MESSAGE_ID, date=NOW)
    assert content.endswith(b"\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n")
    assert wire_faults(content, is_8bit=True) == []
