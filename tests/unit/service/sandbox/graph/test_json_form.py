from __future__ import annotations

import base64
from typing import Any

import pytest

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Recipient
from service.sandbox.graph.json_form import read_attachment, read_message, read_object


def to(address: Any) -> list[dict[str, Any]]:
    return [{"emailAddress": {"address": address}}]


def headers(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "value": "1"} for name in names]


def test_given_a_message_when_read_then_every_property_is_there() -> None:
    fields = read_message(
        {
            "subject": "a\r\nb",
            "body": {"contentType": "HTML", "content": "<p>"},
            "from": {"emailAddress": {"address": "j@x.test", "name": "J"}},
            "toRecipients": to("a@x.test"),
            "bccRecipients": to("b@x.test"),
            "importance": "High",
            "internetMessageId": "<1@x.test>",
            "internetMessageHeaders": headers("X-Mailport"),
        }
    )

    assert (fields.subject, fields.body, fields.body_type) == ("a b", "<p>", "html")
    assert fields.from_ == Recipient("j@x.test", "J")
    assert fields.recipients == ("a@x.test", "b@x.test")
    assert (fields.importance, fields.internet_message_id) == ("high", "<1@x.test>")
    assert fields.headers == (("X-Mailport", "1"),)


@pytest.mark.parametrize(
    ("written", "code", "text"),
    [
        ({"internetMessageHeaders": []}, "InvalidInternetMessageHeaderCollection", "empty"),
        ({"internetMessageHeaders": headers(*"abcdef")}, "InvalidInternetMessageHeaderCollection", "equal to 5"),
        (
            {"internetMessageHeaders": headers("List-Unsubscribe")},
            "InvalidInternetMessageHeader",
            "The internet message header name 'List-Unsubscribe' should start with 'x-' or 'X-'.",
        ),
        ({"internetMessageHeaders": [{"name": "X-A", "value": "a\nb"}]}, "InvalidInternetMessageHeader", "X-A"),
        ({"toRecipients": to("nobody")}, "ErrorInvalidRecipients", "At least one recipient is not valid."),
        ({"toRecipients": to("")}, "ErrorInvalidRecipients", "At least one"),
        ({"toRecipients": to(1)}, "RequestBodyRead", "address"),
        ({"toRecipients": "a@x.test"}, "RequestBodyRead", "toRecipients"),
        ({"to": "a@x.test"}, "RequestBodyRead", "The property 'to' does not exist on type 'microsoft.graph.message'."),
        ({"body": {"contentType": "markdown", "content": ""}}, "RequestBodyRead", "contentType"),
        ({"importance": "urgent"}, "RequestBodyRead", "importance"),
    ],
)
def test_given_what_graph_refuses_when_read_then_refused_in_its_words(
    written: dict[str, Any], code: str, text: str
) -> None:
    with pytest.raises(GraphError) as raised:
        read_message(written)

    assert (raised.value.status, raised.value.code) == (400, code)
    assert text in raised.value.message


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "Empty Payload"),
        (b"{", "Unable to read JSON"),
        (b"[]", "Unable to read"),
        (b"[" * 100_000, "Unable to read"),
    ],
)
def test_given_no_json_object_when_read_then_refused(body: bytes, text: str) -> None:
    with pytest.raises(GraphError, match=text):
        read_object(body)


@pytest.mark.parametrize("change", [{"@odata.type": "file"}, {"contentBytes": "*"}, {"isInline": 1}, {"size_": 1}])
def test_given_a_file_that_graph_refuses_when_read_then_refused(change: dict[str, Any]) -> None:
    written = {"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "YQ=="}

    with pytest.raises(GraphError):
        read_attachment({**written, **change})


def test_given_a_file_when_read_then_its_content_is_decoded() -> None:
    written = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": "a",
        "contentBytes": base64.b64encode(b"\x00\xff").decode(),
    }

    properties, content = read_attachment(written)

    assert content == b"\x00\xff"
    assert properties == {
        "name": "a",
        "content_type": "application/octet-stream",
        "content_id": "",
        "is_inline": False,
    }
