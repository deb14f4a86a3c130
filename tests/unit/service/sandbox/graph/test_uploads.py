from __future__ import annotations

from typing import Any

import pytest

from service.sandbox.graph.errors import GraphError
from service.sandbox.graph.item import Fields
from service.sandbox.graph.limits import Limits
from service.sandbox.graph.mailboxes import Mailboxes
from service.sandbox.graph.uploads import Uploads, UploadSession
from tests.unit.service.sandbox.identity.client import Clock

LIMITS = Limits(least_upload_bytes=10, most_upload_bytes=100)


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.uploads = Uploads(now=self.clock.now)
        self.mailboxes = Mailboxes(now=self.clock.now)
        self.draft = self.mailboxes.add("robot@sandbox.example", Fields())

    def session(self, **changes: Any) -> UploadSession:
        item = {"attachmentType": "file", "name": "a.bin", "size": 12, **changes}
        return self.uploads.create(self.draft, {"AttachmentItem": item}, LIMITS)

    def found(self, session: UploadSession, token: str = "") -> str:
        try:
            self.uploads.find(session.session_id, token or session.token)
        except GraphError as error:
            return error.code
        return ""


def test_given_ranges_in_order_when_received_then_the_file_is_whole_with_the_last() -> None:
    world = World()
    session = world.session()

    whole = [
        world.uploads.receive(session, "bytes 0-4/12", b"abcde"),
        world.uploads.receive(session, "bytes 5-11/12", b"fghijkl"),
    ]

    assert whole == [False, True]
    assert session.content.read() == b"abcdefghijkl"


@pytest.mark.parametrize(
    ("content_range", "body", "status"),
    [
        ("bytes 6-7/12", b"gh", 416),
        ("bytes 0-4/12", b"abcde", 416),
        ("bytes 5-7/12", b"fg", 400),
        ("bytes 5-12/12", b"fghijklm", 400),
        ("bytes 5-6/13", b"fg", 400),
        ("5-6/12", b"fg", 400),
        ("", b"fg", 400),
    ],
)
def test_given_a_range_that_does_not_follow_when_received_then_refused_and_nothing_is_kept(
    content_range: str, body: bytes, status: int
) -> None:
    world = World()
    session = world.session()
    world.uploads.receive(session, "bytes 0-4/12", b"abcde")

    with pytest.raises(GraphError) as raised:
        world.uploads.receive(session, content_range, body)

    assert raised.value.status == status
    assert session.content.read() == b"abcde"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size": 9}, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"),
        ({"size": 101}, "ErrorAttachmentSizeLimitExceeded"),
        ({"size": "12"}, "RequestBodyRead"),
        ({"name": ""}, "RequestBodyRead"),
        ({"attachmentType": "item"}, "RequestBodyRead"),
        ({"contentBytes": ""}, "RequestBodyRead"),
    ],
)
def test_given_what_graph_refuses_when_a_session_is_asked_for_then_there_is_none(
    change: dict[str, Any], code: str
) -> None:
    world = World()

    with pytest.raises(GraphError) as raised:
        world.session(**change)

    assert (raised.value.status, raised.value.code) == (400, code)
    assert len(world.uploads) == 0


def test_given_a_session_when_it_is_used_wrongly_or_late_then_refused() -> None:
    world = World()
    session, other, late = world.session(), world.session(), world.session()
    world.uploads.close(other)

    assert world.found(session) == ""
    assert world.found(session, "guessed") == "InvalidAuthenticationToken"
    assert world.found(other) == "ErrorItemNotFound"
    world.clock.move(days=1)
    assert world.found(late) == "ErrorItemNotFound"


def test_given_a_session_when_its_draft_was_sent_or_deleted_then_it_is_gone() -> None:
    world = World()
    session = world.session()

    world.mailboxes.delete(world.draft)

    assert world.found(session) == "ErrorItemNotFound"
