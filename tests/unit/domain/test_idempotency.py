"""Which keys are allowed, and which requests are the same (rule 10)."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.idempotency import check_key, content_bytes
from domain.message import WrittenAddress, WrittenAttachment, WrittenMessage

MESSAGE = WrittenMessage(to=(WrittenAddress("a@example.com", "A"),), subject="Hello", text_body="Hi")
CHANGES: dict[str, Any] = {
    "sender": WrittenAddress("x@example.com"),
    "reply_to": (WrittenAddress("x@example.com"),),
    "to": (WrittenAddress("x@example.com"),),
    "cc": (WrittenAddress("x@example.com"),),
    "bcc": (WrittenAddress("x@example.com"),),
    "subject": "Other",
    "text_body": "Other",
    "html_body": "<p>",
    "attachments": (WrittenAttachment("a.txt", "text/plain", b"x"),),
    "headers": (("X-A", "1"),),
    "raw_mime": b"x",
    "message_id": "<1@example.com>",
    "expire_after": timedelta(hours=1),
    "send_time": datetime(2026, 11, 1, tzinfo=UTC),
    "in_doubt_policy": "HOLD",
}


def content(message: WrittenMessage, configuration_id: str = "alerts") -> bytes:
    return b"".join(content_bytes(configuration_id, message))


@pytest.mark.parametrize("field", [field.name for field in fields(WrittenMessage)])
def test_given_any_one_field_differs_when_compared_then_the_content_differs(field: str) -> None:
    changed = replace(MESSAGE, **{field: CHANGES[field]})

    assert content(changed) != content(MESSAGE)


@pytest.mark.parametrize("written_out", [{"in_doubt_policy": "RETRY"}, {"expire_after": timedelta(hours=24)}])
def test_given_a_default_written_out_when_compared_then_the_content_is_the_same(written_out: dict[str, Any]) -> None:
    assert content(replace(MESSAGE, **written_out)) == content(MESSAGE)


def test_given_another_configuration_when_compared_then_the_content_differs() -> None:
    assert content(MESSAGE, "alerts") != content(MESSAGE, "news")


_TEXT = st.text(alphabet="ab", max_size=3)
_ADDRESSES = st.lists(st.builds(WrittenAddress, address=_TEXT, name=_TEXT), max_size=2).map(tuple)
_MESSAGES = st.builds(
    WrittenMessage,
    to=_ADDRESSES,
    cc=_ADDRESSES,
    subject=_TEXT,
    text_body=_TEXT,
    headers=st.lists(st.tuples(_TEXT, _TEXT), max_size=2).map(tuple),
    attachments=st.lists(st.builds(WrittenAttachment, file_name=_TEXT, content=st.binary(max_size=2)), max_size=2).map(
        tuple
    ),
)


@given(one=_MESSAGES, other=_MESSAGES)
def test_given_two_messages_when_compared_then_equal_bytes_mean_equal_messages(
    one: WrittenMessage, other: WrittenMessage
) -> None:
    assert (content(one) == content(other)) == (one == other)


@pytest.mark.parametrize("key", ["k", "a b~!", "x" * 255])
def test_given_a_printable_key_when_checked_then_is_fine(key: str) -> None:
    assert check_key(key) is None


@pytest.mark.parametrize("key", ["x" * 256, "ä", "a\n", "\x7f", "a\tb"])
def test_given_another_key_when_checked_then_is_named(key: str) -> None:
    violation = check_key(key)

    assert violation is not None
    assert violation.field == "idempotency_key"
    assert violation.remedy
