"""Messages that go by one request, and what each answer to it means."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.address import EmailAddress
from domain.earlier import Earlier
from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from domain.turns import Resting
from tests.fakes.tokens import FakeTokens
from tests.graph_builders import ANN, HASTY, MESSAGE_ID, PATIENCE, Mark, a_message, a_sender
from tests.peers.scripted_http import CUT, SILENT, Heard, Reply, ScriptedHttp, graph_error, in_json

BOB = EmailAddress("bob", "customer.example")
NOTHING = in_json(200, {"value": []})
FOUND = in_json(200, {"value": [{"id": "sent-1", "isDraft": False}]})


def graph(send: Reply, look: Reply = NOTHING) -> Callable[[Heard], Reply]:
    """Answers sendMail with *send*, and a look into a folder with *look*."""
    return lambda heard: send if heard.path.endswith("/sendMail") else look


async def test_given_a_message_when_submitted_then_it_goes_as_mime_with_hidden_recipients_in_bcc() -> None:
    async with ScriptedHttp(graph(Reply(202))) as peer, a_sender(peer.url) as sender:
        mark = Mark()

        report = await sender.submit(a_message(), ANN, BOB, before_content=mark)

    (heard,) = peer.heard
    mime = base64.b64decode(heard.body, validate=True)
    assert (heard.method, heard.path) == ("POST", "/v1.0/me/sendMail")
    assert heard.headers["content-type"] == "text/plain"
    assert heard.headers["authorization"] == "Bearer good"
    assert b"\r\nBcc: bob@customer.example\r\n" in mime
    assert mime.endswith(b"Hello\r\n")
    assert [verdict.is_accepted for verdict in report.verdicts] == [True, True]
    assert report.verdicts[0].reply == "202 Accepted"
    assert (report.failure, report.rest_until, mark.passed) == (None, None, 1)


async def test_given_an_attempt_when_traced_then_token_and_api_follow_each_other_with_the_request_s_own_id() -> None:
    async with ScriptedHttp(graph(Reply(202, headers={"request-id": "r-1"}))) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message())

    token, api = report.trace.steps
    told = peer.heard[0].headers["client-request-id"]
    assert (token.stage, api.stage, api.succeeded, api.reply) == (Stage.TOKEN, Stage.API, True, "202")
    assert str(UUID(told)) == told
    assert f"client-request-id {told}" in api.detail
    assert "request-id r-1" in api.detail
    assert "good" not in str(report)


async def test_given_a_shared_mailbox_when_submitted_then_it_goes_from_there() -> None:
    async with (
        ScriptedHttp(graph(Reply(202))) as peer,
        a_sender(peer.url, mailbox=EmailAddress("team+a", "sandbox.example")) as sender,
    ):
        await sender.submit(a_message())

    assert peer.calls() == ["POST /v1.0/users/team%2Ba@sandbox.example/sendMail"]


async def test_given_no_copy_wanted_when_submitted_then_it_goes_as_json() -> None:
    async with ScriptedHttp(graph(Reply(202))) as peer, a_sender(peer.url, save_to_sent_items=False) as sender:
        report = await sender.submit(a_message(), ANN, BOB)

    written = peer.heard[0].json
    assert written["saveToSentItems"] is False
    assert written["message"]["subject"] == "Grüße"
    assert written["message"]["internetMessageId"] == MESSAGE_ID
    assert written["message"]["toRecipients"] == [{"emailAddress": {"address": "ann@customer.example", "name": "Ann"}}]
    assert written["message"]["bccRecipients"] == [{"emailAddress": {"address": "bob@customer.example"}}]
    assert report.failure is None


async def test_given_a_token_that_is_refused_when_submitted_then_it_is_renewed_once_and_all_is_said_again() -> None:
    expired = graph_error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
    answer: Callable[[Heard], Reply] = lambda heard: (  # noqa: E731
        expired if heard.headers["authorization"] == "Bearer old" else Reply(202)
    )
    async with ScriptedHttp(answer) as peer, a_sender(peer.url, "old", "new") as sender:
        mark = Mark()

        report = await sender.submit(a_message(), before_content=mark)

    first, second = peer.heard
    assert report.failure is None
    assert (first.body, first.headers["content-type"]) == (second.body, second.headers["content-type"])
    assert first.headers["client-request-id"] != second.headers["client-request-id"]
    assert mark.passed == 1


async def test_given_tokens_that_are_all_refused_when_submitted_then_that_is_the_failure_after_two_requests() -> None:
    expired = graph_error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
    async with ScriptedHttp(lambda _: expired) as peer, a_sender(peer.url, "old", "new") as sender:
        report = await sender.submit(a_message())

    assert report.failure is not None
    assert (report.failure.kind, report.failure.reason) == (FailureKind.REAUTHORIZE, Reason.AUTH_REJECTED)
    assert len(peer.heard) == 2


async def test_given_a_renewed_token_that_is_refused_later_when_submitted_then_there_is_no_third_one() -> None:
    expired = graph_error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
    answer: Callable[[Heard], Reply] = lambda heard: (  # noqa: E731
        NOTHING if heard.method == "GET" and heard.headers["authorization"] == "Bearer new" else expired
    )
    async with ScriptedHttp(answer) as peer, a_sender(peer.url, "old", "new", "newer") as sender:
        report = await sender.submit(a_message(), earlier=Earlier.COPY)

    assert isinstance(sender.tokens, FakeTokens)
    assert sender.tokens.rejected == [None, "old"]
    assert report.failure is not None
    assert report.failure.kind is FailureKind.REAUTHORIZE


@pytest.mark.parametrize(
    ("reply", "kind", "reason"),
    [
        (graph_error(400, "ErrorInvalidRecipients", "no"), FailureKind.PERMANENT, Reason.RECIPIENT_UNKNOWN),
        (graph_error(403, "ErrorSendAsDenied", "no"), FailureKind.MISCONFIGURED, Reason.SENDER_REFUSED),
        (graph_error(413, "ErrorMessageSizeExceeded", "no"), FailureKind.PERMANENT, Reason.TOO_LARGE),
        (graph_error(429, "ApplicationThrottled", "no"), FailureKind.THROTTLED, Reason.THROTTLED),
        (graph_error(503, "ErrorServerBusy", "no"), FailureKind.TRANSIENT, Reason.SERVER_BUSY),
        (graph_error(503, "InvalidAuthenticationToken", "no"), FailureKind.TRANSIENT, Reason.AUTH_REJECTED),
        (graph_error(507, "ErrorQuotaExceeded", "full"), FailureKind.MISCONFIGURED, Reason.SENDER_MAILBOX_FULL),
        (Reply(302, headers={"Location": "https://elsewhere.example/"}), FailureKind.TRANSIENT, Reason.PROTOCOL_ERROR),
    ],
)
async def test_given_a_definite_refusal_when_submitted_then_it_is_explained_and_nothing_is_looked_up(
    reply: Reply, kind: FailureKind, reason: Reason
) -> None:
    async with ScriptedHttp(graph(reply)) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message())

    assert report.failure is not None
    assert (report.failure.kind, report.failure.reason, report.failure.stage) == (kind, reason, Stage.API)
    assert len(peer.heard) == 1


DOUBTS = [
    graph_error(504, "UnknownError"),
    graph_error(502, "UnknownError"),
    graph_error(500, "ErrorInternalServerError", "An internal server error occurred."),
    Reply(200),
    CUT,
    SILENT,
]
NAMES = ["504", "502", "500", "200", "cut", "silent"]


@pytest.mark.parametrize("reply", DOUBTS, ids=NAMES)
async def test_given_no_definite_answer_and_a_copy_in_sent_items_when_submitted_then_it_was_sent(reply: Reply) -> None:
    async with ScriptedHttp(graph(reply, FOUND)) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message(), patience=HASTY if reply.is_silent else PATIENCE)

    assert report.failure is None
    assert "found in Sent Items" in report.verdicts[0].reply
    assert peer.calls("sentitems")[0].startswith("GET /v1.0/me/mailFolders/sentitems/messages?$filter=")
    assert len(peer.calls("sendMail")) == 1


@pytest.mark.parametrize("reply", DOUBTS, ids=NAMES)
async def test_given_no_definite_answer_and_no_copy_when_submitted_then_it_is_in_doubt_after_some_looks(
    reply: Reply,
) -> None:
    async with ScriptedHttp(graph(reply)) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message(), patience=HASTY if reply.is_silent else PATIENCE)

    assert report.failure is not None
    assert (report.failure.kind, report.failure.reason) == (FailureKind.IN_DOUBT, Reason.OUTCOME_UNKNOWN)
    assert report.verdicts[0].is_in_doubt
    assert len(peer.calls("sentitems")) == 3
    assert len(peer.calls("sendMail")) == 1


async def test_given_a_doubt_without_permission_to_look_when_submitted_then_it_stays_in_doubt_at_once() -> None:
    denied = graph_error(403, "ErrorAccessDenied", "Access is denied.")
    async with ScriptedHttp(graph(CUT, denied)) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message())

    assert report.verdicts[0].is_in_doubt
    assert len(peer.heard) == 2


async def test_given_nobody_who_listens_when_submitted_then_nothing_was_sent_and_nothing_is_in_doubt() -> None:
    async with ScriptedHttp(graph(CUT)) as peer:
        url = peer.url
    async with a_sender(url) as sender:
        report = await sender.submit(a_message())

    assert report.failure is not None
    assert (report.failure.kind, report.failure.reason) == (FailureKind.TRANSIENT, Reason.CONNECTION_REFUSED)
    assert report.failure.stage is Stage.CONNECT


async def test_given_a_retry_after_when_refused_then_nobody_asks_for_the_mailbox_before_it_is_over() -> None:
    """F36: the wait is the mailbox's, not that one mail's."""
    busy = graph_error(429, "ApplicationThrottled", "Application is over its limit.", Retry_After="120")
    async with ScriptedHttp(graph(busy)) as peer, a_sender(peer.url) as sender:
        first = await sender.submit(a_message())
        with pytest.raises(Resting) as second:
            await sender.submit(a_message())
        proof = await sender.sign_in()

    assert first.failure is not None
    assert first.failure.retry_time is not None
    assert second.value.is_told
    assert timedelta(seconds=115) < second.value.wait <= timedelta(seconds=120)
    assert proof.failure is not None
    assert (proof.failure.kind, proof.failure.reason) == (FailureKind.THROTTLED, Reason.THROTTLED)
    assert len(peer.heard) == 1


async def test_given_a_retry_after_beside_an_acceptance_when_submitted_then_it_is_sent_and_the_next_one_waits() -> None:
    accepted = Reply(202, headers={"Retry-After": "60"})
    async with ScriptedHttp(graph(accepted)) as peer, a_sender(peer.url) as sender:
        first = await sender.submit(a_message())
        with pytest.raises(Resting) as second:
            await sender.submit(a_message())

    assert first.failure is None
    assert first.rest_until is not None
    assert timedelta(seconds=55) < second.value.wait <= timedelta(seconds=60)
    assert len(peer.heard) == 1


async def test_given_many_messages_when_submitted_at_once_then_four_requests_run_at_a_time_for_a_mailbox() -> None:
    async with ScriptedHttp(graph(Reply(202))) as peer, a_sender(peer.url) as sender:
        peer.gate = asyncio.Event()

        sending = [asyncio.create_task(sender.submit(a_message())) for _ in range(20)]
        await peer.until(lambda told: told.at_once == 4)
        peer.gate.set()
        reports = await asyncio.gather(*sending)

    assert all(report.failure is None for report in reports)
    assert (peer.most_at_once, len(peer.heard)) == (4, 20)


async def test_given_all_turns_taken_when_the_time_is_over_then_nothing_is_requested_and_it_may_come_again() -> None:
    async with ScriptedHttp(graph(Reply(202))) as peer, a_sender(peer.url) as sender:
        peer.gate = asyncio.Event()
        sending = [asyncio.create_task(sender.submit(a_message())) for _ in range(4)]
        await peer.until(lambda told: told.at_once == 4)

        with pytest.raises(Resting) as late:
            await sender.submit(a_message(), patience=replace(HASTY, overall=timedelta(milliseconds=50)))
        peer.gate.set()
        await asyncio.gather(*sending)

    assert not late.value.is_told
    assert len(peer.heard) == 4


async def test_given_an_earlier_copy_when_submitted_again_then_it_is_accepted_without_sending() -> None:
    async with ScriptedHttp(graph(Reply(202), FOUND)) as peer, a_sender(peer.url) as sender:
        mark = Mark()

        report = await sender.submit(a_message(), before_content=mark, earlier=Earlier.COPY)

    assert report.failure is None
    assert (mark.passed, peer.calls("sendMail")) == (0, [])


async def test_given_a_doubt_and_no_copy_when_submitted_again_then_it_is_sent() -> None:
    async with ScriptedHttp(graph(Reply(202))) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message(), earlier=Earlier.COPY)

    assert report.failure is None
    assert len(peer.calls("sendMail")) == 1


async def test_given_a_look_that_fails_when_submitted_again_then_nothing_is_sent_yet() -> None:
    busy = graph_error(503, "ErrorServerBusy", "busy")
    async with ScriptedHttp(graph(Reply(202), busy)) as peer, a_sender(peer.url) as sender:
        report = await sender.submit(a_message(), earlier=Earlier.COPY)

    assert report.failure is not None
    assert report.failure.kind is FailureKind.TRANSIENT
    assert peer.calls("sendMail") == []


async def test_given_parts_of_an_earlier_attempt_when_a_small_message_is_submitted_then_nothing_is_looked_up() -> None:
    async with ScriptedHttp(graph(Reply(202))) as peer, a_sender(peer.url) as sender:
        await sender.submit(a_message(), earlier=Earlier.PARTS)

    assert len(peer.heard) == 1
