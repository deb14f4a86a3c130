from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest

from service.sandbox.graph.composing import compose, rewritten
from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Attachment, Fields, Folder, Item, Recipient
from service.sandbox.graph.mime_form import read_mime
from service.sandbox.reading import read_contents
from service.sandbox.spool import Spool

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ME = "robot@sandbox.example"


def an_item(fields: Fields, *files: Attachment, mime: bytes | None = None) -> Item:
    return Item(
        key="k",
        mailbox=ME,
        folder=Folder.DRAFTS,
        fields=fields,
        mime=None if mime is None else Spool(mime),
        attachments=list(files),
        create_time=NOW,
        modify_time=NOW,
    )


def a_file(content: bytes, *, name: str = "a.bin", **changes: Any) -> Attachment:
    values: dict[str, Any] = {
        "attachment_id": "1",
        "name": name,
        "content_type": "application/pdf",
        "content_id": "",
        "is_inline": False,
        "size_bytes": len(content),
        "content": Spool(content),
        **changes,
    }
    return Attachment(**values)


def composed(item: Item, *, on_behalf: bool = False) -> bytes:
    return compose(item, submitter=ME, on_behalf=on_behalf, now=NOW).read()


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def fields(**changes: Any) -> Fields:
    values = {
        "subject": "Grüße",
        "body": "hällo\n",
        "from_": Recipient(ME, "Röbot, the"),
        "to": (Recipient("ann@x.test"),),
        "bcc": (Recipient("hidden@x.test"),),
        "internet_message_id": "<1@x.test>",
        **changes,
    }
    return Fields(**values)


def test_given_json_with_files_when_composed_then_all_is_there_and_bcc_is_not() -> None:
    content = bytes(range(256)) * 1_000
    inline = a_file(b"png", name="p.png", content_type="image/png", content_id="c1", is_inline=True)
    item = an_item(fields(body_type="html"), a_file(content, name="ä\r\nb.pdf"), inline)

    raw = composed(item)

    message, contents = parsed(raw), read_contents(raw)
    assert message["From"].addresses[0].display_name == "Röbot, the"
    assert (message["Subject"], message["Message-ID"], message["Bcc"]) == ("Grüße", "<1@x.test>", None)
    assert b"hidden" not in raw
    assert contents.html_body == "hällo\n"
    assert [(each.file_name, each.content_id, each.content) for each in contents.attachments] == [
        ("p.png", "c1", b"png"),
        ("ä b.pdf", "", content),
    ]
    assert max(map(len, raw.splitlines())) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_given_mime_when_composed_then_it_is_as_it_came_less_bcc() -> None:
    raw = b"From: robot@sandbox.example\nTo: a@x.test\nBcc: b@x.test\nDate: x\nMessage-ID: <1@x.test>\n\nbody \xff\n"

    assert composed(an_item(read_mime(raw), mime=raw)) == raw.replace(b"Bcc: b@x.test\n", b"")


def test_given_mime_that_lacks_fields_when_composed_then_they_are_added_before_it() -> None:
    raw = b"To: a@x.test\r\n\r\nbody\r\n"
    item = an_item(fields(), mime=raw)

    message = composed(item)

    assert message.endswith(raw)
    assert set(parsed(message).keys()) == {"From", "Message-ID", "Date", "To"}


def test_given_mime_and_a_file_when_composed_then_the_body_is_the_first_part() -> None:
    raw = (
        b"From: robot@sandbox.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\nTo: a@x.test\r\nX-Own: 1\r\n\r\nh\xc3\xa4llo\r\n"
    )

    contents = read_contents(message := composed(an_item(read_mime(raw), a_file(b"pdf"), mime=raw)))

    assert parsed(message)["X-Own"] == "1"
    assert parsed(message).get_content_type() == "multipart/mixed"
    assert contents.text_body == "hällo\n"
    assert [each.content for each in contents.attachments] == [b"pdf"]


def test_given_send_on_behalf_when_composed_then_recipients_see_who_sent() -> None:
    raw = b"From: team@x.test\r\nSender: forged@x.test\r\nTo: a@x.test\r\n\r\n"

    message = parsed(composed(an_item(read_mime(raw), mime=raw), on_behalf=True))

    assert message.get_all("Sender") == [ME]


def test_given_another_message_id_when_composed_then_it_alone_is_in_the_message() -> None:
    raw = b"From: robot@sandbox.example\r\nTo: a@x.test\r\nMessage-ID: <old@x.test>\r\n\r\n"

    message = parsed(composed(an_item(fields(internet_message_id="<new@x.test>"), mime=raw)))

    assert message.get_all("Message-ID") == ["<new@x.test>"]


@pytest.mark.parametrize("kind", ["message/rfc822", "multipart/mixed", "x", "a/ä", ""])
def test_given_a_type_that_cannot_be_base64_when_composed_then_the_file_is_octets(kind: str) -> None:
    raw = composed(an_item(fields(), a_file(b"From: x\r\n\r\n", content_type=kind)))

    (attachment,) = read_contents(raw).attachments
    assert (attachment.content_type, attachment.content) == ("application/octet-stream", b"From: x\r\n\r\n")


@pytest.mark.parametrize("change", [{"subject": "\ud800"}, {"body": "\ud800"}, {"to": (Recipient("a\ud800@x.test"),)}])
def test_given_half_a_character_when_composed_then_refused(change: dict[str, Any]) -> None:
    with pytest.raises(GraphError, match="ErrorInvalidProperty"):
        composed(an_item(fields(**change)))


def test_given_mime_when_fields_change_then_those_headers_alone_are_written_anew() -> None:
    raw = b"To: a@x.test\r\nSubject: old\r\n x\r\nX-Own: 1\r\n\r\nbody"
    before = read_mime(raw)

    changed = rewritten(raw, before, replace(before, subject="new", to=(Recipient("b@x.test"),)))

    assert changed == b"To: b@x.test\r\nSubject: new\r\nX-Own: 1\r\n\r\nbody"
    with pytest.raises(GraphError, match="ErrorInvalidProperty"):
        rewritten(raw, before, replace(before, body="other"))
