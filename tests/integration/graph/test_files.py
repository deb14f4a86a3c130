"""Attachments of every size arrive byte for byte, by the requests that their sizes ask for (F35)."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.graph.files import files_in, pieces_of
from domain.message import Attachment
from domain.reasons import Reason
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from service.sandbox.graph.simulator import GraphSimulator
from service.sandbox.inbox import Inbox
from tests.graph_builders import HASTY, PATIENCE, ROBOT, Mark, Sender, a_file, a_message, a_sender
from tests.peers.graph import GraphPeer

LARGE = 3_800_000


def arrived(inbox: Inbox) -> list[tuple[str, bytes]]:
    """The files of the one message that came."""
    (message,) = list(inbox)
    raw = message.raw
    return [(file.name, b"".join(pieces_of(raw, file))) for file in files_in(raw)]


def asked(graph: GraphSimulator) -> list[Operation]:
    """What was asked for, in order; ranges in a row once."""
    operations = [record.operation for record in graph.records]
    return [each for place, each in enumerate(operations) if place == 0 or operations[place - 1] is not each]


ONE = [Operation.SEND_MAIL]
POSTED = [Operation.CREATE_DRAFT, Operation.ADD_ATTACHMENT, Operation.SEND_DRAFT]
UPLOADED = [
    Operation.CREATE_DRAFT,
    Operation.CREATE_UPLOAD_SESSION,
    Operation.UPLOAD_RANGE,
    Operation.SEND_DRAFT,
]


@pytest.mark.parametrize(
    ("sizes", "operations"),
    [
        ((0,), ONE),
        ((2_500_000,), ONE),
        ((2_900_000,), ONE),
        ((3_100_000,), POSTED),
        ((4_100_000,), UPLOADED),
        ((25_000_000,), UPLOADED),
        ((2_000_000, 2_000_000, 2_000_000), POSTED),
        ((20_000_000, 10_000), [*UPLOADED[:3], Operation.ADD_ATTACHMENT, Operation.SEND_DRAFT]),
    ],
    ids=["0", "F35a", "2.9 MB", "3.1 MB", "4.1 MB", "25 MB", "F35c", "F35d"],
)
async def test_given_files_when_submitted_then_they_arrive_byte_for_byte(
    peer: GraphPeer, sender: Sender, sizes: tuple[int, ...], operations: list[Operation]
) -> None:
    files = [a_file(size, f"{number}.bin") for number, size in enumerate(sizes)]

    report = await sender.submit(a_message(*files))

    assert report.failure is None
    assert arrived(peer.inbox) == [(file.file_name, file.content) for file in files]
    assert asked(peer.graph) == operations
    assert peer.graph.drafts() == []
    assert all(record.size_bytes <= 4 * 1024 * 1024 for record in peer.graph.records)
    for record in peer.graph.records:
        assert record.has_authorization is (record.operation is not Operation.UPLOAD_RANGE)


async def test_given_texts_headers_and_an_image_beside_a_large_file_when_submitted_then_nothing_is_lost(
    peer: GraphPeer, sender: Sender
) -> None:
    image = Attachment("logo.png", "image/png", b"png", "logo@x")
    content = a_message(
        image, a_file(LARGE), html_body='<img src="cid:logo@x">', headers=(("List-Unsubscribe", "<https://x.example>"),)
    )

    report = await sender.submit(content)

    (message,) = list(peer.inbox)
    raw = message.raw
    assert report.failure is None
    assert message.message_id == "<one@sandbox.example>"
    assert message.header("List-Unsubscribe") == "<https://x.example>"
    assert b"multipart/alternative" in raw
    assert [file.content_id for file in files_in(raw)] == ["logo@x", ""]


async def test_given_no_permission_for_drafts_when_a_large_file_is_submitted_then_it_is_named_before_all_else(
    peer: GraphPeer,
) -> None:
    """F35 (e)."""
    mark = Mark()
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT), "Mail.Send")) as sender:
        report = await sender.submit(a_message(a_file(LARGE)), before_content=mark)

    failure = report.failure
    assert failure is not None
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.MISSING_SCOPE,
        FailureKind.MISCONFIGURED,
        Stage.API,
    )
    assert "Mail.ReadWrite" in failure.cause
    assert failure.fixes[0].value.split() == [
        "https://graph.microsoft.com/Mail.Send",
        f"{peer.root}/Mail.ReadWrite",
        "offline_access",
    ]
    assert (mark.passed, len(peer.inbox), len(peer.graph.records)) == (0, 0, 1)


async def test_given_no_permission_for_drafts_when_json_loses_a_second_text_alone_then_it_goes_that_way(
    peer: GraphPeer,
) -> None:
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT), "Mail.Send")) as sender:
        report = await sender.submit(a_message(a_file(2_500_000), html_body="<b>hi</b>"))

    assert report.failure is None
    assert "without the text beside the HTML" in report.trace.steps[-1].detail
    assert len(peer.inbox) == 1


BREAKS = [
    Fault(operation=Operation.UPLOAD_RANGE, skip=2, cut=True),
    Fault(operation=Operation.UPLOAD_RANGE, skip=2, cut=True, unread=True),
    Fault(operation=Operation.UPLOAD_RANGE, skip=2, cut=True, takes_effect=True),
    Fault(operation=Operation.UPLOAD_RANGE, skip=2, silent=True),
    Fault(operation=Operation.UPLOAD_RANGE, skip=2, status=503),
    Fault(operation=Operation.UPLOAD_RANGE, skip=2, status=500, takes_effect=True),
]


@pytest.mark.parametrize("fault", BREAKS, ids=["cut", "unread", "cut after", "silent", "503", "500 after"])
async def test_given_an_upload_that_breaks_when_submitted_then_it_goes_on_where_graph_says(
    peer: GraphPeer, sender: Sender, fault: Fault
) -> None:
    """F35 (f)."""
    file = a_file(20_000_000)
    peer.graph.fail_next(fault)

    report = await sender.submit(a_message(file), patience=HASTY if fault.silent else PATIENCE)

    assert report.failure is None
    assert arrived(peer.inbox) == [(file.file_name, file.content)]
    assert peer.graph.drafts() == []
    assert len([record for record in peer.graph.records if record.operation is Operation.UPLOAD_RANGE]) <= 7


@pytest.mark.parametrize(
    "operation", [Operation.UPLOAD_RANGE, Operation.CREATE_UPLOAD_SESSION, Operation.CREATE_DRAFT], ids=str
)
@pytest.mark.parametrize("effect", [False, True], ids=["before", "after"])
async def test_given_an_upload_that_never_comes_through_when_submitted_then_no_draft_stays(
    graph: GraphSimulator, sender: Sender, operation: Operation, effect: bool
) -> None:
    mark = Mark()
    graph.fail_next(Fault(operation=operation, cut=True, takes_effect=effect, times=20))

    report = await sender.submit(a_message(a_file(LARGE)), before_content=mark)

    assert report.failure is not None
    assert report.failure.kind is FailureKind.TRANSIENT
    assert mark.passed == 0
    assert graph.drafts() == []
    assert len(graph.inbox) == 0


async def test_given_a_mailbox_that_takes_less_when_submitted_then_it_is_too_large_for_good_and_no_draft_stays(
    peer: GraphPeer, sender: Sender
) -> None:
    peer.graph.limits = replace(peer.graph.limits, message_bytes=5_000_000)

    report = await sender.submit(a_message(a_file(6_000_000)))

    assert report.failure is not None
    assert (report.failure.reason, report.failure.kind) == (Reason.TOO_LARGE, FailureKind.PERMANENT)
    assert peer.graph.drafts() == []


async def test_given_an_upload_when_logged_and_traced_then_its_url_is_nowhere(
    peer: GraphPeer, sender: Sender, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    peer.graph.fail_next(BREAKS[0])

    report = await sender.submit(a_message(a_file(20_000_000)))

    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("uvicorn")]
    told = f"{report} {ours}"
    paths = {r.path for r in peer.graph.records if r.operation is Operation.UPLOAD_RANGE}
    assert paths
    assert "authtoken" not in told.lower()
    assert not any(path in told for path in paths)
