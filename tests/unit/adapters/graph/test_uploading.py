"""Files of a draft towards a scripted peer: ranges in order, resumed where Graph says, and never without end."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.failures.failure import FailureKind
from domain.message import Attachment
from domain.reasons import Reason
from tests.graph_builders import Mark, a_file, a_message, a_sender
from tests.peers.scripted_http import Heard, Reply, ScriptedHttp, graph_error, in_json

SIZE = 9_000_000
RANGE = 12 * 320 * 1024
SECRET = "authtoken-that-opens-it"


@dataclass
class Mailbox:
    """Answers as Graph does for one draft; *ranges* are the answers to the first ranges."""

    ranges: list[Reply] = field(default_factory=list)
    usual: Callable[[int], Reply] = lambda end: in_json(200, {"nextExpectedRanges": [f"{end}-"]})
    status: Callable[[int], Reply] = lambda end: in_json(200, {"nextExpectedRanges": [f"{end}-"]})
    content: bytearray = field(default_factory=bytearray)
    made: Reply = field(default_factory=lambda: in_json(201, {"id": "draft-1"}))
    """What answers the making of the draft."""
    address: str = ""
    """The upload session's, where it is not one of the peer."""
    is_draft: bool = True
    is_there: bool = False
    url: str = ""

    def __call__(self, heard: Heard) -> Reply:
        path = heard.path.partition("?")[0]
        match heard.method, path.rpartition("/")[2]:
            case "POST", "messages":
                self.is_there = True
                return self.made
            case "POST", "attachments":
                self.content += base64.b64decode(json.loads(heard.body)["contentBytes"])
                return in_json(201, {"id": "file-1", **json.loads(heard.body)})
            case "POST", "createUploadSession":
                address = self.address or f"{self.url}/upload/x?t={SECRET}"
                return in_json(201, {"uploadUrl": address, "nextExpectedRanges": ["0-"]})
            case "POST", "send":
                self.is_draft = False
                return Reply(202)
            case "DELETE", _:
                self.is_there = False
                return Reply(204)
            case "GET", "x":
                return self.status(len(self.content))
            case "PUT", _:
                return self._put(heard)
        found = [{"id": "draft-1", "isDraft": True}] if self.is_there and self.is_draft else []
        return in_json(200, {"isDraft": self.is_draft, "value": found})

    def _put(self, heard: Heard) -> Reply:
        if self.ranges:
            return self.ranges.pop(0)
        first = int(heard.headers["content-range"].split()[1].partition("-")[0])
        del self.content[first:]
        self.content += heard.body
        return Reply(201) if len(self.content) == SIZE else self.usual(len(self.content))


async def sent(mailbox: Mailbox, *files: Attachment) -> tuple[Any, ScriptedHttp, Mark]:
    mark = Mark()
    async with ScriptedHttp(mailbox) as peer, a_sender(peer.url) as sender:
        mailbox.url = peer.url
        report = await sender.submit(a_message(*(files or (a_file(SIZE),))), before_content=mark)
    return report, peer, mark


async def test_given_a_large_file_when_uploaded_then_its_ranges_follow_each_other_without_the_token() -> None:
    mailbox = Mailbox()

    report, peer, mark = await sent(mailbox)

    puts = [heard for heard in peer.heard if heard.method == "PUT"]
    assert report.failure is None
    assert bytes(mailbox.content) == a_file(SIZE).content
    assert [heard.headers["content-range"] for heard in puts] == [
        f"bytes 0-{RANGE - 1}/{SIZE}",
        f"bytes {RANGE}-{2 * RANGE - 1}/{SIZE}",
        f"bytes {2 * RANGE}-{SIZE - 1}/{SIZE}",
    ]
    assert not any("authorization" in heard.headers for heard in puts)
    assert SECRET not in str(report)
    assert (mark.passed, mailbox.is_draft) == (1, False)


@pytest.mark.parametrize("name", ["nextExpectedRanges", "NextExpectedRanges"])
async def test_given_a_range_that_graph_wants_again_when_uploaded_then_it_goes_on_from_there(name: str) -> None:
    mailbox = Mailbox(ranges=[in_json(200, {name: ["0-"]})])

    report, peer, _ = await sent(mailbox)

    assert report.failure is None
    assert bytes(mailbox.content) == a_file(SIZE).content
    assert len(peer.calls("/upload/")) == 4


async def test_given_an_upload_that_never_gets_further_when_tried_then_it_ends_and_the_draft_is_removed() -> None:
    mailbox = Mailbox(ranges=[in_json(200, {"nextExpectedRanges": ["0-"]})] * 50)

    report, peer, mark = await sent(mailbox)

    assert report.failure is not None
    assert report.failure.kind is FailureKind.TRANSIENT
    assert len(peer.calls("/upload/")) <= 5
    assert (mark.passed, mailbox.is_there) == (0, False)


@pytest.mark.parametrize("status", [404, 410])
async def test_given_a_session_that_has_ended_when_it_broke_then_it_is_not_begun_again(status: int) -> None:
    """The file may be there already, and would be there twice."""
    gone = graph_error(status, "itemNotFound", "The upload session was not found.")
    mailbox = Mailbox(ranges=[graph_error(500, "generalException")], status=lambda _: gone)

    report, peer, mark = await sent(mailbox)

    assert report.failure is not None
    assert report.failure.kind is FailureKind.TRANSIENT
    assert len(peer.calls("createUploadSession")) == 1
    assert (mark.passed, mailbox.is_there) == (0, False)


async def test_given_a_range_that_is_refused_for_good_when_uploaded_then_that_is_the_failure() -> None:
    mailbox = Mailbox(ranges=[graph_error(413, "ErrorMessageSizeExceeded", "too large")])

    report, _, mark = await sent(mailbox)

    assert report.failure is not None
    assert (report.failure.kind, report.failure.reason) == (FailureKind.PERMANENT, Reason.TOO_LARGE)
    assert (mark.passed, mailbox.is_there) == (0, False)


async def test_given_graph_that_gives_back_all_that_was_made_when_uploaded_then_the_message_is_sent() -> None:
    """Its answers hold the whole text, and the whole file (learn.microsoft.com/graph/api/message-post-attachments)."""
    whole = {"@odata.etag": 'W/"x"', "id": "draft-1", "body": {"contentType": "html", "content": "x" * 900_000}}
    mailbox = Mailbox(made=in_json(201, whole))
    files = a_file(2_000_000, "a"), a_file(2_000_000, "b")

    report, _, mark = await sent(mailbox, *files)

    assert report.failure is None
    assert bytes(mailbox.content) == files[0].content + files[1].content
    assert (mark.passed, mailbox.is_draft) == (1, False)


async def test_given_a_draft_whose_id_cannot_be_read_when_made_then_it_is_found_and_removed() -> None:
    mailbox = Mailbox(made=in_json(201, {"body": "x" * 900_000, "id": "draft-1"}))

    report, _, mark = await sent(mailbox)

    assert report.failure is not None
    assert report.failure.kind is FailureKind.TRANSIENT
    assert (mark.passed, mailbox.is_there) == (0, False)


@pytest.mark.parametrize("address", ["http://[", "https://graph.example:99999/x", "ftp://graph.example/x", "/upload/x"])
async def test_given_an_upload_session_without_an_address_when_begun_then_it_ends_and_the_draft_is_removed(
    address: str,
) -> None:
    mailbox = Mailbox(address=address)

    report, _, mark = await sent(mailbox)

    assert report.failure is not None
    assert report.failure.kind is FailureKind.TRANSIENT
    assert (mark.passed, mailbox.is_there) == (0, False)


@pytest.mark.parametrize("words", [f"/upload/x?t={SECRET} is unknown", f"no session of {SECRET}"])
async def test_given_a_refusal_that_repeats_part_of_the_address_when_told_then_what_opens_it_is_not(words: str) -> None:
    mailbox = Mailbox(ranges=[graph_error(413, "ErrorMessageSizeExceeded", words)])

    report, _, _ = await sent(mailbox)

    assert report.failure is not None
    assert SECRET not in str(report)
