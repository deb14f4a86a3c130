"""Delivery reports as the servers of the world write them, told from automatic answers and from ordinary mail."""

from __future__ import annotations

from base64 import encodebytes

import pytest

from domain.reading import BounceAction, Defect, MessageKind, ReadMessage, read_header, read_message

ORIGINAL = "From: jane@example.com\nTo: nobody@example.org\nSubject: Hi\nMessage-ID: <orig@example.com>\n\nHello\n"


def lines(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def a_report(status: str, original: str = ORIGINAL, *, kind: str = "message/rfc822", report: str = "") -> bytes:
    content_type = report or "multipart/report; report-type=delivery-status; boundary=b"
    return lines(
        f"Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.org>\nTo: jane@example.com\n"
        f"Subject: Undelivered Mail\nAuto-Submitted: auto-replied\n"
        f"Message-ID: <report@mx.example.org>\n"
        f"MIME-Version: 1.0\nContent-Type: {content_type}\n\n--b\nContent-Type: text/plain\n\nSorry.\n\n"
        f"--b\nContent-Type: message/delivery-status\n\n{status}\n--b\nContent-Type: {kind}\n\n{original}\n--b--\n"
    )


POSTFIX = """Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 3D2A1
Arrival-Date: Wed,  4 Mar 2026 05:06:07 +0000 (UTC)

Final-Recipient: rfc822; nobody@example.org
Original-Recipient: rfc822;nobody@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; 550 5.1.1 <nobody@example.org>: Recipient address
    rejected: User unknown
"""


def told(message: ReadMessage) -> list[tuple[str, BounceAction, str, str]]:
    assert message.bounce is not None
    return [(each.address, each.action, each.status, each.diagnostic) for each in message.bounce.recipients]


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"])
@pytest.mark.parametrize("report", ["", "multipart/mixed; boundary=b", "multipart/report; boundary=b"])
def test_given_a_report_in_rfc_3464_when_read_then_it_tells_who_what_and_why(kind: str, report: str) -> None:
    read = read_message(a_report(POSTFIX, kind=kind, report=report))

    assert read.header.kind is MessageKind.DELIVERY_REPORT
    assert read.bounce is not None
    assert read.bounce.reported_message_id == "<orig@example.com>"
    assert read.bounce.reporting_server == "mx.example.org"
    words = "550 5.1.1 <nobody@example.org>: Recipient address    rejected: User unknown"
    assert told(read) == [("nobody@example.org", BounceAction.FAILED, "5.1.1", " ".join(words.split()))]
    assert read.defects == ()


def test_given_gmails_report_when_read_then_the_picture_and_nesting_do_not_matter() -> None:
    report = lines(
        """Return-Path: <>
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
Auto-Submitted: auto-replied
Subject: Delivery Status Notification (Failure)
References: <orig@example.com>
In-Reply-To: <orig@example.com>
X-Failed-Recipients: nobody@example.org
Message-ID: <69a.google@mx.google.com>
MIME-Version: 1.0
Content-Type: multipart/report; boundary="000000"; report-type=delivery-status

--000000
Content-Type: multipart/related; boundary="111111"

--111111
Content-Type: multipart/alternative; boundary="222222"

--222222
Content-Type: text/plain; charset="UTF-8"

** Address not found **

--222222
Content-Type: text/html; charset="UTF-8"

<html></html>

--222222--
--111111
Content-Type: image/png; name="icon.png"
Content-Disposition: attachment; filename="icon.png"
Content-Transfer-Encoding: base64
Content-ID: <icon.png>

iVBORw0KGgo=
--111111--
--000000
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Arrival-Date: Wed, 04 Mar 2026 05:06:07 -0800 (PST)
X-Original-Message-ID: <orig@example.com>

Final-Recipient: rfc822; nobody@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.org. (192.0.2.1, the server for the domain example.org.)
Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does
 550 5.1.1 not exist.
Last-Attempt-Date: Wed, 04 Mar 2026 05:06:08 -0800 (PST)

--000000--
"""
    )

    read = read_message(report)

    assert read.bounce is not None
    assert read.bounce.reported_message_id == "<orig@example.com>"
    assert told(read) == [
        (
            "nobody@example.org",
            BounceAction.FAILED,
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does 550 5.1.1 not exist.",
        )
    ]
    assert read.text_body.strip() == "** Address not found **"


def test_given_exchanges_report_in_base64_when_read_then_it_is_understood() -> None:
    status = lines(
        "Reporting-MTA: dns;AM0PR01.prod.outlook.com\nReceived-From-MTA: dns;x\n"
        "Arrival-Date: Wed, 4 Mar 2026 05:06:07 +0000\n"
        "\nOriginal-Recipient: rfc822;nobody@example.org\nFinal-Recipient: rfc822;nobody@example.org\nAction: failed\n"
        "Status: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found\n"
        "X-Display-Name: Nobody\n"
    )
    report = lines(
        "From: <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com>\n"
        "X-MS-Exchange-Message-Is-Ndr:\nContent-Type: multipart/report;\n\treport-type=delivery-status; boundary=b\n"
        "In-Reply-To: <orig@example.com>\nReferences: <orig@example.com>\n\n--b\nContent-Type: text/plain\n\nx\n--b\n"
        "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n"
        f"{encodebytes(status).decode()}\n--b\nContent-Type: message/rfc822\n\nSubject: no id here\n\n\n--b--\n"
    )

    read = read_message(report)

    assert read.bounce is not None
    assert read.bounce.reported_message_id == "<orig@example.com>"
    assert read.bounce.reporting_server == "AM0PR01.prod.outlook.com"
    assert told(read) == [
        (
            "nobody@example.org",
            BounceAction.FAILED,
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found",
        )
    ]


def test_given_exims_report_in_plain_text_when_read_then_its_header_field_names_the_recipients() -> None:
    report = lines(
        "X-Failed-Recipients: nobody@example.org,\n  other@example.org\nAuto-Submitted: auto-replied\n"
        "From: Mail Delivery System <Mailer-Daemon@mx.example.org>\nSubject: Mail delivery failed\n\n"
        "This message was created automatically by mail delivery software.\n\n  nobody@example.org\n"
        "    SMTP error from remote mail server after RCPT TO:<nobody@example.org>:\n    550 5.1.1 User unknown\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n" + ORIGINAL
    )

    read = read_message(report)

    assert read.header.kind is MessageKind.DELIVERY_REPORT
    assert read.bounce is not None
    assert read.bounce.reported_message_id == "<orig@example.com>"
    assert told(read) == [
        ("nobody@example.org", BounceAction.FAILED, "5.1.1", "550 5.1.1 User unknown"),
        ("other@example.org", BounceAction.FAILED, "5.1.1", "550 5.1.1 User unknown"),
    ]


def test_given_qmails_report_when_read_then_its_paragraphs_name_the_recipients() -> None:
    report = lines(
        "From: MAILER-DAEMON@mx.example.org\nSubject: failure notice\n\n"
        "Hi. This is the qmail-send program at mx.example.org.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n\n<nobody@example.org>:\n"
        "192.0.2.1 does not like recipient.\nRemote host said: 550 unknown user\n\n"
        "--- Below this line is a copy of the message.\n\n" + ORIGINAL
    )

    read = read_message(report)

    assert read.bounce is not None
    assert read.bounce.reported_message_id == "<orig@example.com>"
    words = "192.0.2.1 does not like recipient. Remote host said: 550 unknown user"
    assert told(read) == [("nobody@example.org", BounceAction.FAILED, "5.0.0", words)]


def test_given_several_recipients_without_empty_lines_between_when_read_then_each_is_told() -> None:
    status = (
        "Reporting-MTA: dns; mx\nFinal-Recipient: rfc822; a@example.org\nAction: delayed\nStatus: 4.4.1\n"
        "Final-Recipient: rfc822; b@example.org\nAction: delivered\nStatus: 2.0.0\n"
        "Final-Recipient: rfc822; c@example.org\nAction: relayed\n"
        "Final-Recipient: rfc822; d@example.org\nAction: expanded (to a list)\n"
    )

    read = read_message(a_report(status))

    assert [(address, action, status) for address, action, status, _ in told(read)] == [
        ("a@example.org", BounceAction.DELAYED, "4.4.1"),
        ("b@example.org", BounceAction.DELIVERED, "2.0.0"),
        ("c@example.org", BounceAction.RELAYED, ""),
        ("d@example.org", BounceAction.EXPANDED, ""),
    ]


@pytest.mark.parametrize(
    ("status", "action", "code"),
    [
        ("Status: 5.2.2 (mailbox full)", BounceAction.FAILED, "5.2.2"),
        ("Action: nonsense\nStatus: 4.2.2", BounceAction.DELAYED, "4.2.2"),
        ("Action: nonsense", BounceAction.UNKNOWN, ""),
        ("Action: FAILED\nStatus: 4.4.7", BounceAction.FAILED, "4.4.7"),
        ("Status: junk\nDiagnostic-Code: smtp; 452 4.2.2 full", BounceAction.DELAYED, "4.2.2"),
        ("Status: 192.0.2.5.1.1", BounceAction.UNKNOWN, ""),
    ],
)
def test_given_an_action_or_a_status_when_read_then_each_makes_up_for_the_other(
    status: str, action: BounceAction, code: str
) -> None:
    read = read_message(a_report(f"Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; a@example.org\n{status}\n"))

    assert [(each[1], each[2]) for each in told(read)] == [(action, code)]


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("Final-Recipient: RFC822 ; <a@example.org>", "a@example.org"),
        ("Final-Recipient: a@example.org", "a@example.org"),
        ("Final-Recipient: utf-8; j\\x{F6}rg@example.org", "jörg@example.org"),
        ("Final-Recipient: utf-8; jörg@example.org", "jörg@example.org"),
        ("Final-Recipient: utf-8; \\x{D800}\\x{0A}@example.org", "\\x{D800}\\x{0A}@example.org"),
        ("Original-Recipient: rfc822; a@example.org", "a@example.org"),
    ],
)
def test_given_a_recipient_when_read_then_its_bare_address_is_given(field: str, address: str) -> None:
    read = read_message(a_report(f"Reporting-MTA: dns; mx\n\n{field}\nAction: failed\n"))

    assert told(read)[0][0] == address


def test_given_secrets_in_a_diagnostic_when_read_then_they_are_gone_and_it_is_short() -> None:
    words = "550 password=hunter22 eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl \x1b[31m " + "word " * 1000

    read = read_message(a_report(f"Final-Recipient: rfc822; a@example.org\nDiagnostic-Code: smtp; {words}\n"))

    diagnostic = told(read)[0][3]
    assert "hunter22" not in diagnostic
    assert "eyJ" not in diagnostic
    assert "\x1b" not in diagnostic
    assert len(diagnostic) == 1024


def test_given_more_than_a_hundred_recipients_when_read_then_a_hundred_are_told() -> None:
    status = "\n".join(f"Final-Recipient: rfc822; a{number}@example.org\nAction: failed\n" for number in range(101))

    read = read_message(a_report(status))

    assert len(told(read)) == 100
    assert read.defects == (Defect.TRUNCATED,)


def test_given_a_report_cut_off_when_read_then_it_is_understood_all_the_same() -> None:
    report = a_report(POSTFIX, ORIGINAL + "x" * 10_000)

    read = read_message(report[:2000], is_complete=False)

    assert read.bounce is not None
    assert read.bounce.reported_message_id == "<orig@example.com>"
    assert len(told(read)) == 1


def test_given_a_report_forwarded_within_another_mail_when_read_then_it_is_not_that_mails() -> None:
    forwarded = lines("From: jane@example.com\nContent-Type: message/rfc822\n\n") + a_report(POSTFIX)

    read = read_message(forwarded)

    assert read.bounce is None
    assert read.header.kind is MessageKind.ORDINARY
    assert "1.2" in [part.part_id for part in read.parts]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("From: jane@example.com\nAuto-Submitted: auto-replied (vacation)", MessageKind.AUTO_REPLY),
        ("From: jane@example.com\nAuto-Submitted: auto-generated", MessageKind.ORDINARY),
        ("From: jane@example.com\nAuto-Submitted: no", MessageKind.ORDINARY),
        ("From: jane@example.com\nX-Autoreply: yes", MessageKind.AUTO_REPLY),
        ("From: jane@example.com\nPrecedence: auto_reply", MessageKind.AUTO_REPLY),
        ("From: postmaster@example.com\nAuto-Submitted: auto-replied", MessageKind.AUTO_REPLY),
        ("From: postmaster@example.com", MessageKind.ORDINARY),
        ("Return-Path: <>\nFrom: jane@example.com\nAuto-Submitted: auto-replied", MessageKind.AUTO_REPLY),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b", MessageKind.READ_REPORT),
    ],
)
def test_given_mail_that_reports_no_delivery_when_read_then_its_kind_is_told(header: str, kind: MessageKind) -> None:
    read = read_message(lines(f"{header}\n\nI am away, see 5.1.1 and 550.\n"))

    assert read.header.kind is kind
    assert read.bounce is None


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.org>",
        "From: postmaster@example.org",
        "X-Failed-Recipients: a@example.org",
    ],
)
def test_given_a_header_alone_when_it_may_be_a_report_then_that_is_said(header: str) -> None:
    assert read_header(lines(f"{header}\n\n")).kind is MessageKind.DELIVERY_REPORT
