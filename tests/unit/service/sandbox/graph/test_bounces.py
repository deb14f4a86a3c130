from __future__ import annotations

import email
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

import pytest

from service.sandbox.graph.bounces import bounce, undeliverable

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("gone+1@x.test", True),
        ("spam@x.test", True),
        ("full@x.test", True),
        ("later@x.test", False),
        ("greylist@x.test", False),
        ("cut@x.test", False),
        ("ann@x.test", False),
    ],
)
def test_given_a_recipient_when_asked_then_those_refused_for_good_get_nothing(recipient: str, expected: bool) -> None:
    assert (undeliverable(recipient) is not None) is expected


def test_given_failed_recipients_when_reported_then_the_report_names_each_and_the_message() -> None:
    failed = [(each, undeliverable(each)) for each in ("gone@x.test", "full@x.test")]

    raw = bounce(
        to="robot@sandbox.example",
        subject="Grüße",
        message_id="<1@x.test>",
        failed=[(each, magic) for each, magic in failed if magic],
        original_headers=b"Subject: x\r\nMessage-ID: <1@x.test>\r\n",
        now=NOW,
    )

    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    text, status, headers = message.iter_parts()
    assert message.defects == []
    assert (message.get_content_type(), message["Subject"]) == ("multipart/report", "Undeliverable: Grüße")
    assert message["In-Reply-To"] == "<1@x.test>"
    assert "gone@x.test: 550 5.1.1 No such user here" in text.get_content()
    blocks = [block for block in status.walk() if block["Final-Recipient"]]
    assert [(block["Final-Recipient"], block["Status"]) for block in blocks] == [
        ("rfc822;gone@x.test", "5.1.1"),
        ("rfc822;full@x.test", "5.2.2"),
    ]
    assert "<1@x.test>" in headers.get_content()
