"""The Graph simulator when things go wrong: throttling, faults on request, and what it records of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import pytest

from service.sandbox.graph.faults import Fault
from service.sandbox.graph.limits import MB, Limits
from service.sandbox.graph.operations import Operation
from tests.integration.sandbox.graph_client import ACCOUNT, MIME, GraphClient, error_of, graph_client, message

SOON = timedelta(seconds=10)


@pytest.fixture
async def client() -> AsyncIterator[GraphClient]:
    async with graph_client() as running:
        yield running


@pytest.fixture
def gate(client: GraphClient, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Nothing gets to the inbox before it is set."""
    opened, add = asyncio.Event(), client.peer.inbox.add

    async def held(**values: Any) -> Any:
        await opened.wait()
        return await add(**values)

    monkeypatch.setattr(client.peer.inbox, "add", held)
    return opened


async def test_given_ten_at_once_when_asked_then_four_go_on_and_the_rest_are_throttled(
    client: GraphClient, gate: asyncio.Event
) -> None:
    requests = [asyncio.create_task(client.send_mime()) for _ in range(10)]
    await client.graph.wait_for(lambda _: sum(each.status == 429 for each in client.graph.records) == 6, SOON)

    gate.set()
    answers = await asyncio.gather(*requests)

    assert sorted(answer.status_code for answer in answers) == [202] * 4 + [429] * 6
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert error_of(refused) == (429, "ApplicationThrottled")
    assert refused.json()["error"]["message"] == "Application is over its MailboxConcurrency limit."
    assert refused.headers["retry-after"] == "10"
    assert client.graph.records.most_at_once() >= 5
    assert len(client.peer.inbox) == 4


async def test_given_a_draft_when_sent_twice_at_once_then_it_goes_out_once(
    client: GraphClient, gate: asyncio.Event
) -> None:
    path = f"/me/messages/{(await client.draft(message()))['id']}/send"
    first = asyncio.create_task(client.ask("POST", path))
    second = asyncio.create_task(client.ask("POST", path))
    await client.graph.wait_for(lambda each: each.operation is Operation.SEND_DRAFT and each.status == 404, SOON)

    gate.set()
    answers = await asyncio.gather(first, second)

    assert sorted(answer.status_code for answer in answers) == [202, 404]
    assert len(client.peer.inbox) == 1


async def test_given_requests_when_recorded_then_those_inside_a_retry_after_are_told_apart(
    client: GraphClient,
) -> None:
    client.graph.limits = Limits(requests=1, request_window=timedelta(minutes=1))
    await client.send_mime()

    refused = [await client.send_mime(), await client.send_mime()]

    records = list(client.graph.records)
    assert [answer.status_code for answer in refused] == [429, 429]
    assert client.graph.records.inside_retry_after() == [records[2]]
    assert client.graph.records.inside_retry_after(grace=timedelta(minutes=1)) == []
    assert [record.mailbox for record in records] == [ACCOUNT] * 3
    assert all(record.end_time is not None and record.end_time >= record.start_time for record in records)
    assert [record.at_once for record in records] == [1, 1, 1]
    listed = (await client.http.get(f"{client.peer.root}/requests.json")).json()
    assert listed["inside_retry_after"] == 1
    assert [each["status"] for each in listed["requests"]] == [202, 429, 429]


@pytest.mark.parametrize(("status", "code"), [(429, "ApplicationThrottled"), (503, "ErrorServerBusy")])
@pytest.mark.parametrize("as_date", [False, True])
async def test_given_a_wait_when_answered_then_it_has_either_form(
    client: GraphClient, status: int, code: str, as_date: bool
) -> None:
    client.graph.fail_next(Fault(status=status, retry_after=timedelta(seconds=120), retry_after_as_date=as_date))

    answer = await client.send_mime()

    assert error_of(answer) == (status, code)
    wait = answer.headers["retry-after"]
    seconds = (parsedate_to_datetime(wait) - datetime.now(UTC)).total_seconds() if as_date else float(wait)
    assert 60 < seconds <= 120
    await client.send_mime()
    assert len(client.graph.records.inside_retry_after()) == 1


@pytest.mark.parametrize("takes_effect", [False, True])
@pytest.mark.parametrize("status", [500, 502, 504])
async def test_given_an_error_when_it_strikes_then_the_mail_went_out_only_if_asked(
    client: GraphClient, status: int, takes_effect: bool
) -> None:
    client.graph.fail_next(Fault(operation=Operation.SEND_MAIL, status=status, takes_effect=takes_effect))

    answer = await client.send_mime()

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == ("ErrorInternalServerError" if status == 500 else "UnknownError")
    assert len(client.peer.inbox) == takes_effect
    assert len(client.graph.sent()) == takes_effect
    (record,) = client.graph.records
    assert (record.took_effect, record.is_struck) == (takes_effect, True)


async def test_given_200_instead_of_202_when_sent_then_nothing_went_out(client: GraphClient) -> None:
    client.graph.fail_next(Fault(status=200))

    answer = await client.send_mime()

    assert (answer.status_code, answer.content, len(client.peer.inbox)) == (200, b"", 0)


async def test_given_a_body_and_headers_of_one_s_own_when_struck_then_they_are_answered(client: GraphClient) -> None:
    client.graph.fail_next(
        Fault(status=503, body="<h1>busy</h1>", content_type="text/html", headers=(("X-Cache", "no"),))
    )

    answer = await client.send_mime()

    assert (answer.text, answer.headers["x-cache"]) == ("<h1>busy</h1>", "no")
    assert answer.headers["content-type"].startswith("text/html")


async def test_given_202_with_a_wait_beside_it_when_sent_then_it_went_out(client: GraphClient) -> None:
    client.graph.fail_next(Fault(retry_after=timedelta(seconds=7)))

    answer = await client.send_mime()

    assert (answer.status_code, answer.headers["retry-after"], len(client.peer.inbox)) == (202, "7", 1)


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [(Fault(cut=True), 0), (Fault(cut=True, unread=True), 0), (Fault(cut=True, takes_effect=True), 1)],
)
async def test_given_a_cut_when_it_strikes_then_there_is_no_answer(
    client: GraphClient, fault: Fault, arrived: int
) -> None:
    client.graph.fail_next(fault)

    with pytest.raises(httpx2.TransportError):
        await client.send_mime(MIME + b"x" * 500_000)

    assert len(client.peer.inbox) == arrived
    (record,) = client.graph.records
    assert record.status == 0
    assert (record.size_bytes == 0) is fault.unread
    assert (await client.send_mime()).status_code == 202


@pytest.mark.parametrize("takes_effect", [False, True])
async def test_given_silence_when_the_client_gives_up_then_its_place_is_free_again(
    client: GraphClient, takes_effect: bool
) -> None:
    client.graph.fail_next(Fault(silent=True, takes_effect=takes_effect))

    with pytest.raises(httpx2.ReadTimeout):
        await client.ask("POST", "/me/sendMail", json={"message": message()}, timeout=httpx2.Timeout(10, read=0.2))
    record = await client.graph.wait_for(lambda each: each.end_time is not None, SOON)

    assert record.status == 0
    assert len(client.peer.inbox) == takes_effect
    await client.send_mime()
    assert client.graph.records.most_at_once() == 1


async def test_given_a_slow_answer_when_awaited_then_it_comes(client: GraphClient) -> None:
    client.graph.fail_next(Fault(delay=timedelta(milliseconds=300)))

    answer = await client.send_mime()

    (record,) = client.graph.records
    assert answer.status_code == 202
    assert record.end_time is not None
    assert record.end_time - record.start_time >= timedelta(milliseconds=300)


async def test_given_a_late_copy_when_looked_for_at_once_then_it_is_nowhere(client: GraphClient) -> None:
    client.graph.fail_next(Fault(operation=Operation.SEND_DRAFT, copy_delay=timedelta(hours=1)))
    draft = await client.draft(message(), Prefer='IdType="ImmutableId"')

    await client.ask("POST", f"/me/messages/{draft['id']}/send")

    assert len(client.peer.inbox) == 1
    assert error_of(await client.ask("GET", f"/me/messages/{draft['id']}")) == (404, "ErrorItemNotFound")
    assert (await client.ask("GET", "/me/messages")).json()["value"] == []
    assert len(client.graph.sent()) == 1


async def test_given_an_upload_that_breaks_when_resumed_then_it_goes_on_where_it_was(client: GraphClient) -> None:
    draft = await client.draft(message())
    url, content = (await client.session(draft["id"], 9 * MB))["uploadUrl"], b"x" * (9 * MB)
    client.graph.fail_next(Fault(operation=Operation.UPLOAD_RANGE, skip=1, cut=True, takes_effect=True))
    await client.put(url, content[: 4 * MB], 0, len(content))

    with pytest.raises(httpx2.TransportError):
        await client.put(url, content[4 * MB : 8 * MB], 4 * MB, len(content))
    expected = (await client.http.get(url)).json()["nextExpectedRanges"]
    last = await client.put(url, content[8 * MB :], 8 * MB, len(content))

    assert expected == [str(8 * MB)]
    assert last.status_code == 201


async def test_given_message_ids_that_are_rewritten_when_sent_then_the_copy_has_the_new_one(
    client: GraphClient,
) -> None:
    client.graph.rewrites_message_ids = True

    await client.send_mime()

    (arrived,) = client.peer.inbox
    (copy,) = client.graph.sent()
    assert arrived.message_id == copy.fields.internet_message_id != "<one@sandbox.example>"


async def test_given_faults_limits_and_rights_over_http_when_set_then_they_work(client: GraphClient) -> None:
    async def control(name: str, wish: dict[str, Any]) -> httpx2.Response:
        return await client.http.post(f"{client.peer.root}/control/{name}", json=wish)

    answers = [
        await control("faults", {"operation": "send_mail", "status": 503, "retry_after": 2, "headers": {"X-A": "b"}}),
        await control("limits", {"concurrent": 2, "retry_after": 3}),
        await control("rights", {"account": ACCOUNT, "mailbox": "team@sandbox.example", "rights": ["send_as"]}),
        await control("mailbox", {"mailbox": "off@sandbox.example", "state": "not_enabled"}),
        await control("app", {"roles": ["Mail.Send"], "mailboxes": [ACCOUNT], "rewrites_message_ids": True}),
    ]
    token = (await control("token", {"account": ACCOUNT, "permissions": ["Mail.Send"]})).json()["access_token"]
    struck = await client.send_mime()

    assert [answer.status_code for answer in answers] == [200] * 5
    assert (struck.status_code, struck.headers["retry-after"], struck.headers["x-a"]) == (503, "2", "b")
    assert client.graph.limits == Limits(concurrent=2, retry_after=timedelta(seconds=3))
    assert client.graph.rewrites_message_ids is True
    assert client.graph.tokens.check(f"Bearer {token}").permissions == {"mail.send"}
    assert (await client.send_mime(MIME.replace(b"<robot@", b"<team@"))).status_code == 202
    off = await client.send_mime(path="/users/off@sandbox.example/sendMail")
    assert error_of(off) == (404, "MailboxNotEnabledForRESTAPI")
    boxes = await client.http.get(f"{client.peer.root}/mailboxes.json")
    assert boxes.json() == {"mailboxes": {ACCOUNT: {"sentitems": 1}}, "upload_sessions": 0}
    assert (await control("reset", {})).status_code == 200
    assert len(client.graph.records) == 0


@pytest.mark.parametrize(
    ("name", "wish"),
    [
        ("faults", {"status": "503"}),
        ("faults", {"operation": "fly"}),
        ("faults", {"cut": True, "silent": True}),
        ("faults", {"cut": 1}),
        ("faults", {"headers": []}),
        ("faults", {"delay": 1e9}),
        ("faults", {"unknown": 1}),
        ("limits", {"concurrent": -1}),
        ("limits", {"concurrency": 1}),
        ("rights", {"rights": ["everything"]}),
        ("mailbox", {"state": "away"}),
        ("app", {"roles": "Mail.Send"}),
        ("token", {"permissions": ["Mail.Fly"]}),
        ("reset", {"all": True}),
    ],
)
async def test_given_a_wish_that_makes_no_sense_when_asked_then_400_says_why(
    client: GraphClient, name: str, wish: dict[str, Any]
) -> None:
    answer = await client.http.post(f"{client.peer.root}/control/{name}", json=wish)

    assert answer.status_code == 400
    assert answer.json()["error"]
    assert len(client.graph.faults) == 0
