"""Answers that do not come, and what is found out: no copy too many, no doubt too many, no draft left behind."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.earlier import Earlier
from domain.failures.failure import FailureKind
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from service.sandbox.graph.simulator import GraphSimulator
from tests.graph_builders import AT_ONCE, HASTY, PATIENCE, ROBOT, Mark, Sender, a_file, a_message, a_sender
from tests.peers.graph import GraphPeer

SMALL, LARGE = a_message(), a_message(a_file(3_800_000))
ROUTES = [(SMALL, Operation.SEND_MAIL), (LARGE, Operation.SEND_DRAFT)]
SILENCES = [{"cut": True}, {"silent": True}, {"status": 504}, {"status": 502}, {"status": 500}, {"status": 200}]


@pytest.mark.parametrize("how", SILENCES, ids=str)
@pytest.mark.parametrize(("content", "operation"), ROUTES, ids=["one request", "draft"])
async def test_given_no_answer_to_a_message_that_went_out_when_submitted_then_it_was_sent(
    graph: GraphSimulator, sender: Sender, content: bytes, operation: Operation, how: dict[str, object]
) -> None:
    graph.fail_next(Fault(operation=operation, takes_effect=True, **how))  # type: ignore[arg-type]

    report = await sender.submit(content, patience=HASTY if "silent" in how else PATIENCE)

    assert report.failure is None
    assert (len(graph.inbox), len(graph.sent()), graph.drafts()) == (1, 1, [])


@pytest.mark.parametrize("how", SILENCES, ids=str)
@pytest.mark.parametrize(
    ("content", "operation", "kind"),
    [(SMALL, Operation.SEND_MAIL, FailureKind.IN_DOUBT), (LARGE, Operation.SEND_DRAFT, FailureKind.TRANSIENT)],
    ids=["one request", "draft"],
)
async def test_given_no_answer_to_a_message_that_did_not_go_out_when_submitted_then_only_a_draft_tells_that(
    graph: GraphSimulator,
    sender: Sender,
    content: bytes,
    operation: Operation,
    kind: FailureKind,
    how: dict[str, object],
) -> None:
    graph.fail_next(Fault(operation=operation, **how))  # type: ignore[arg-type]

    report = await sender.submit(content, patience=HASTY if "silent" in how else PATIENCE)

    assert report.failure is not None
    assert report.failure.kind is kind
    assert (len(graph.inbox), graph.drafts()) == (0, [])


@pytest.mark.parametrize(("content", "operation"), ROUTES, ids=["one request", "draft"])
async def test_given_a_copy_that_shows_up_late_when_submitted_then_it_is_waited_for(
    graph: GraphSimulator, sender: Sender, content: bytes, operation: Operation
) -> None:
    late = timedelta(milliseconds=30)
    graph.fail_next(Fault(operation=operation, status=504, takes_effect=True, copy_delay=late))

    report = await sender.submit(content)

    assert report.failure is None


@pytest.mark.parametrize(("content", "operation"), ROUTES, ids=["one request", "draft"])
async def test_given_a_doubt_when_submitted_again_then_there_is_one_copy_and_no_draft(
    graph: GraphSimulator, sender: Sender, content: bytes, operation: Operation
) -> None:
    late = timedelta(seconds=1)
    graph.fail_next(Fault(operation=operation, cut=True, takes_effect=True, copy_delay=late))
    first = await sender.submit(content)

    await asyncio.sleep(late.total_seconds())
    second = await sender.submit(content, earlier=Earlier.COPY)

    assert first.verdicts[0].is_in_doubt
    assert second.failure is None
    assert (len(graph.inbox), graph.drafts()) == (1, [])


@pytest.mark.parametrize("earlier", [Earlier.PARTS, Earlier.COPY])
async def test_given_a_draft_of_a_process_that_died_when_submitted_again_then_it_is_removed_and_one_copy_sent(
    peer: GraphPeer, earlier: Earlier
) -> None:
    token = peer.graph.access_token(str(ROBOT))
    async with a_sender(peer.root, token) as dying:
        dying.transport._clean_again = ()  # as good as killed: nobody removes anything
        peer.graph.fail_next(Fault(operation=Operation.UPLOAD_RANGE, silent=True))
        attempt = asyncio.create_task(dying.submit(LARGE))
        await peer.graph.wait_for(lambda record: record.operation is Operation.UPLOAD_RANGE)
        attempt.cancel()
        await asyncio.gather(attempt, return_exceptions=True)
    assert len(peer.graph.drafts()) == 1

    async with a_sender(peer.root, token) as sender:
        report = await sender.submit(LARGE, earlier=earlier)

    assert report.failure is None
    assert (len(peer.inbox), peer.graph.drafts()) == (1, [])


@pytest.mark.parametrize(
    "operation",
    [
        Operation.CREATE_DRAFT,
        Operation.CREATE_UPLOAD_SESSION,
        Operation.UPLOAD_RANGE,
    ],
    ids=str,
)
async def test_given_an_attempt_that_is_cancelled_when_the_transport_has_come_to_rest_then_no_draft_stays(
    peer: GraphPeer, operation: Operation
) -> None:
    mark = Mark()
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT))) as sender:
        peer.graph.fail_next(Fault(operation=operation, delay=timedelta(milliseconds=200)))
        attempt = asyncio.create_task(sender.submit(LARGE, before_content=mark))
        await peer.graph.wait_for(lambda record: record.operation is operation)

        attempt.cancel()

        with pytest.raises(asyncio.CancelledError):
            await attempt
    assert (mark.passed, len(peer.inbox), peer.graph.drafts()) == (0, 0, [])


async def test_given_a_mark_that_fails_when_a_large_message_is_submitted_then_nothing_is_sent_and_no_draft_stays(
    peer: GraphPeer,
) -> None:
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT))) as sender:
        with pytest.raises(LookupError):
            await sender.submit(LARGE, before_content=Mark(LookupError("lease lost")))

    assert (len(peer.inbox), peer.graph.drafts()) == (0, [])
    assert Operation.SEND_DRAFT not in [record.operation for record in peer.graph.records]


async def test_given_a_large_message_when_submitted_then_the_mark_comes_after_all_its_files_and_before_the_send(
    graph: GraphSimulator, sender: Sender
) -> None:
    before: list[Operation] = []

    async def mark() -> None:
        before.extend(record.operation for record in graph.records)

    await sender.submit(LARGE, before_content=mark)

    assert before == [Operation.CREATE_DRAFT, Operation.CREATE_UPLOAD_SESSION, Operation.UPLOAD_RANGE]


@pytest.mark.parametrize("status", [403, 429, 503])
async def test_given_a_draft_that_may_not_be_sent_when_submitted_then_that_is_definite_and_it_does_not_stay(
    graph: GraphSimulator, sender: Sender, status: int
) -> None:
    graph.fail_next(Fault(operation=Operation.SEND_DRAFT, status=status))

    report = await sender.submit(LARGE)

    assert report.failure is not None
    assert not report.verdicts[0].is_in_doubt
    assert (len(graph.inbox), graph.drafts()) == (0, [])


async def test_given_a_throttled_draft_when_its_rest_is_over_then_it_is_removed_and_nothing_was_asked_meanwhile(
    peer: GraphPeer,
) -> None:
    async with a_sender(peer.root, peer.graph.access_token(str(ROBOT))) as sender:
        fault = Fault(operation=Operation.SEND_DRAFT, status=429, retry_after=timedelta(seconds=1))
        peer.graph.fail_next(fault)

        report = await sender.submit(LARGE)

    assert report.failure is not None
    assert report.failure.kind is FailureKind.THROTTLED
    assert peer.graph.drafts() == []
    assert [record for record in peer.graph.records if record.into_retry_after is not None] == []


async def test_given_an_exchange_that_rewrites_message_ids_when_a_draft_s_answer_is_lost_then_its_own_id_tells(
    graph: GraphSimulator, sender: Sender
) -> None:
    graph.rewrites_message_ids = True
    graph.fail_next(Fault(operation=Operation.SEND_DRAFT, cut=True, takes_effect=True))

    report = await sender.submit(LARGE)

    assert report.failure is None
    assert len(graph.inbox) == 1


async def test_given_looks_that_all_fail_when_a_draft_s_sending_stays_in_doubt_then_it_is_removed_afterwards(
    graph: GraphSimulator, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the policy HOLD nobody tries again who would find it."""
    monkeypatch.setattr("adapters.graph.attempt._SETTLED_SECONDS", 0.01)
    graph.fail_next(Fault(operation=Operation.SEND_DRAFT, cut=True))
    graph.fail_next(Fault(operation=Operation.GET_MESSAGE, status=500, times=len(AT_ONCE)))

    report = await sender.submit(LARGE)
    await graph.wait_for(lambda record: record.operation is Operation.DELETE_MESSAGE)

    assert report.verdicts[0].is_in_doubt
    assert (len(graph.inbox), graph.drafts()) == (0, [])


async def test_given_a_draft_of_before_that_graph_will_not_remove_yet_when_submitted_again_then_it_goes_later(
    graph: GraphSimulator, sender: Sender
) -> None:
    sender.transport._clean_again = ()
    graph.fail_next(Fault(operation=Operation.UPLOAD_RANGE, status=413))
    graph.fail_next(Fault(operation=Operation.DELETE_MESSAGE, status=500, times=2))
    await sender.submit(LARGE)
    assert len(graph.drafts()) == 1
    sender.transport._clean_again = AT_ONCE

    report = await sender.submit(LARGE, earlier=Earlier.PARTS)
    await sender.transport.aclose()

    assert report.failure is None
    assert (len(graph.inbox), graph.drafts()) == (1, [])
