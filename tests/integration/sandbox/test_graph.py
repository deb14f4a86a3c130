"""The Graph simulator over HTTP: sendMail, drafts, uploads, tokens, limits."""

from __future__ import annotations

import base64
import hashlib
import os
import resource
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from service.sandbox.graph.directory import Right
from service.sandbox.graph.limits import MB, Limits
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.reading import read_contents
from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.graph_client import ACCOUNT, ANN, MIME, GraphClient, error_of, graph_client, message
from tests.integration.sandbox.test_identity_smtp import GRAPH, OUTLOOK, access_token

IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


@pytest.fixture
async def client() -> AsyncIterator[GraphClient]:
    async with graph_client() as running:
        yield running


def a_file(content: bytes, name: str = "a.bin") -> dict[str, Any]:
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": name,
        "contentBytes": base64.b64encode(content).decode(),
    }


async def test_given_mime_when_sent_then_it_is_accepted_and_arrives_byte_for_byte_without_bcc(
    client: GraphClient,
) -> None:
    answer = await client.send_mime()

    (arrived,) = client.peer.inbox
    assert (answer.status_code, answer.content) == (202, b"")
    assert arrived.raw == MIME.replace(
        b"Bcc: =?utf-8?q?Hidden?= <hidden@customer.example>,\r\n more@customer.example\r\n", b""
    )
    assert arrived.recipients == (ANN, "bob@customer.example", "hidden@customer.example", "more@customer.example")
    assert (arrived.sender, arrived.username) == (ACCOUNT, ACCOUNT)
    (copy,) = client.graph.sent(ACCOUNT)
    assert copy.fields.internet_message_id == "<one@sandbox.example>"


async def test_given_json_when_sent_then_it_arrives_and_a_copy_is_kept_unless_unwanted(client: GraphClient) -> None:
    hidden = [{"emailAddress": {"address": "hidden@customer.example"}}]
    answers = [
        await client.send_json(message(bccRecipients=hidden, attachments=[a_file(b"abc")])),
        await client.send_json(message(), saveToSentItems=False),
    ]

    arrived = list(client.peer.inbox)
    assert [answer.status_code for answer in answers] == [202, 202]
    assert arrived[0].recipients == (ANN, "hidden@customer.example")
    assert b"hidden" not in arrived[0].raw
    assert [each.content for each in arrived[0].contents().attachments] == [b"abc"]
    assert len(client.graph.sent(ACCOUNT)) == 1


@pytest.mark.parametrize(
    ("content", "content_type", "status", "code"),
    [
        (b"", "text/plain", 400, "ErrorMimeContentInvalid"),
        (b"*", "text/plain", 400, "ErrorMimeContentInvalidBase64String"),
        (base64.b64encode(b"To: undisclosed-recipients:;\r\n\r\n"), "text/plain", 400, "ErrorInvalidRecipients"),
        (b"", "application/json", 400, "BadRequest"),
        (b"{}", "application/json", 400, "ErrorInvalidParameter"),
        (b'{"message":{"subject":"x"}}', "application/json", 400, "ErrorInvalidRecipients"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "RequestBodyRead"),
    ],
)
async def test_given_a_request_that_graph_refuses_when_sent_then_the_body_is_microsoft_s(
    client: GraphClient, content: bytes, content_type: str, status: int, code: str
) -> None:
    headers = {"Content-Type": content_type, "client-request-id": "c1", "return-client-request-id": "true"}

    answer = await client.ask("POST", "/me/sendMail", content=content, headers=headers)

    assert error_of(answer) == (status, code)
    inner = answer.json()["error"]["innerError"]
    assert inner["request-id"] == answer.headers["request-id"]
    assert inner["client-request-id"] == answer.headers["client-request-id"] == "c1"
    assert datetime.strptime(inner["date"], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).year >= 2026
    assert len(client.peer.inbox) == 0


async def test_given_a_request_without_body_and_type_when_sent_then_415(client: GraphClient) -> None:
    assert error_of(await client.ask("POST", "/me/sendMail")) == (415, "RequestBodyRead")


async def test_given_a_request_above_4_mb_when_sent_then_413(client: GraphClient) -> None:
    at_the_limit = await client.send_mime(MIME + b"x" * (3 * MB - len(MIME)))
    above = await client.send_mime(MIME + b"x" * (3 * MB - len(MIME) + 1))

    assert at_the_limit.status_code == 202
    assert error_of(above) == (413, "RequestEntityTooLarge")


async def test_given_a_message_above_the_mailbox_s_limit_when_sent_then_refused(client: GraphClient) -> None:
    client.graph.limits = Limits(message_bytes=len(MIME) - 200)

    assert error_of(await client.send_mime()) == (413, "ErrorMessageSizeExceeded")
    assert len(client.peer.inbox) == 0


async def test_given_a_draft_when_sent_then_its_immutable_id_finds_the_copy_in_sent_items(client: GraphClient) -> None:
    draft = await client.draft(message(), **IMMUTABLE)
    path = f"/me/messages/{draft['id']}"
    before = (await client.ask("GET", f"{path}?$select=isDraft")).json()

    sent = await client.ask("POST", f"{path}/send")

    after = (await client.ask("GET", path, headers=IMMUTABLE)).json()
    assert (sent.status_code, sent.content) == (202, b"")
    assert before["isDraft"] is True
    assert (after["isDraft"], after["id"]) == (False, draft["id"])
    assert after["internetMessageId"] == draft["internetMessageId"]
    folder = (await client.ask("GET", "/me/mailFolders/sentitems")).json()
    assert (folder["id"], folder["totalItemCount"]) == (after["parentFolderId"], 1)
    assert error_of(await client.ask("POST", f"{path}/send")) == (404, "ErrorItemNotFound")
    assert len(client.peer.inbox) == 1


async def test_given_a_usual_id_when_the_draft_was_sent_then_it_finds_nothing(client: GraphClient) -> None:
    draft = await client.draft(message())

    await client.ask("POST", f"/me/messages/{draft['id']}/send")

    assert error_of(await client.ask("GET", f"/me/messages/{draft['id']}")) == (404, "ErrorItemNotFound")


async def test_given_a_mime_draft_when_filtered_by_message_id_then_it_is_found_where_it_is(
    client: GraphClient,
) -> None:
    content = base64.b64encode(MIME)
    created = await client.ask("POST", "/me/messages", content=content, headers={"Content-Type": "text/plain"})
    query = {"$filter": "internetMessageId eq '<one@sandbox.example>'", "$select": "id,isDraft"}

    async def found(path: str) -> list[bool]:
        return [each["isDraft"] for each in (await client.ask("GET", path, params=query)).json()["value"]]

    before = [await found("/me/messages"), await found("/me/mailFolders/drafts/messages")]
    await client.ask("POST", f"/me/messages/{created.json()['id']}/send")
    after = [await found("/me/mailFolders/drafts/messages"), await found("/me/mailFolders/sentitems/messages")]

    assert created.status_code == 201
    assert before == [[True], [True]]
    assert after == [[], [False]]
    assert next(iter(client.peer.inbox)).recipients[2:] == ("hidden@customer.example", "more@customer.example")


async def test_given_a_draft_when_changed_and_deleted_then_it_is_in_deleted_items(client: GraphClient) -> None:
    draft = await client.draft(message(), **IMMUTABLE)
    path = f"/me/messages/{draft['id']}"

    changed = await client.ask("PATCH", path, json={"subject": "other"})
    deleted = await client.ask("DELETE", path)

    assert changed.json()["subject"] == "other"
    assert deleted.status_code == 204
    assert client.graph.drafts() == []
    assert error_of(await client.ask("POST", f"{path}/send")) == (404, "ErrorItemNotFound")
    assert (await client.ask("DELETE", path)).status_code == 204
    assert error_of(await client.ask("GET", path)) == (404, "ErrorItemNotFound")


async def test_given_files_around_3_mb_when_attached_then_the_route_is_microsoft_s(client: GraphClient) -> None:
    draft = await client.draft(message())
    path = f"/me/messages/{draft['id']}/attachments"

    small = await client.ask("POST", path, json=a_file(b"x" * 2_900_000))
    large = await client.ask("POST", path, json=a_file(b"x" * (3 * MB)))
    session = await client.ask(
        "POST",
        f"{path}/createUploadSession",
        json={"AttachmentItem": {"attachmentType": "file", "name": "a", "size": 3 * MB - 1}},
    )

    assert (small.status_code, small.json()["size"]) == (201, 2_900_000)
    assert base64.b64decode(small.json()["contentBytes"]) == b"x" * 2_900_000
    assert error_of(large) == (413, "RequestEntityTooLarge")
    assert error_of(session) == (400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize")


async def test_given_ranges_in_order_when_uploaded_then_the_file_arrives_with_the_sent_draft(
    client: GraphClient,
) -> None:
    content = os.urandom(9 * MB + 7)
    draft = await client.draft(message())
    session = await client.session(draft["id"], len(content))
    url = session["uploadUrl"]

    answers = [
        await client.put(url, content[first : first + 4 * MB], first, len(content))
        for first in range(0, len(content), 4 * MB)
    ]
    sent = await client.ask("POST", f"/me/messages/{draft['id']}/send")

    assert session["nextExpectedRanges"] == ["0-"]
    assert [answer.status_code for answer in answers] == [200, 200, 201]
    assert [answer.json()["nextExpectedRanges"] for answer in answers[:2]] == [[str(4 * MB)], [str(8 * MB)]]
    assert "/Attachments('" in answers[2].headers["location"]
    assert answers[2].content == b""
    assert sent.status_code == 202
    (arrived,) = client.peer.inbox
    (attachment,) = read_contents(arrived.raw).attachments
    assert (attachment.file_name, attachment.content == content) == ("large.bin", True)


async def test_given_an_upload_when_a_range_is_wrong_then_refused_and_its_status_says_where_it_is(
    client: GraphClient,
) -> None:
    draft = await client.draft(message())
    url = (await client.session(draft["id"], 9 * MB))["uploadUrl"]
    await client.put(url, b"x" * MB, 0, 9 * MB)

    out_of_order = await client.put(url, b"x" * MB, 2 * MB, 9 * MB)
    too_large = await client.put(url, b"x" * (4 * MB + 1), MB, 9 * MB)
    with_token = await client.put(url, b"x" * MB, MB, 9 * MB, Authorization=f"Bearer {client.token}")
    guessed = await client.put(url + "x", b"x" * MB, MB, 9 * MB)
    status = await client.http.get(url)
    cancelled = await client.http.delete(url)

    assert error_of(out_of_order) == (416, "ErrorInvalidRange")
    assert error_of(too_large) == (413, "RequestEntityTooLarge")
    assert error_of(with_token) == (401, "InvalidAudienceForResource")
    assert guessed.status_code == 401
    assert status.json()["nextExpectedRanges"] == [str(MB)]
    assert cancelled.status_code == 204
    assert error_of(await client.http.get(url)) == (404, "ErrorItemNotFound")
    assert (await client.ask("GET", f"/me/messages/{draft['id']}/attachments")).json()["value"] == []


async def test_given_149_mb_when_uploaded_and_sent_then_it_arrives_and_memory_stays_small(client: GraphClient) -> None:
    size, piece = 149 * MB, os.urandom(4 * MB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    draft = await client.draft(message())
    url = (await client.session(draft["id"], size))["uploadUrl"]

    for first in range(0, size, 4 * MB):
        answer = await client.put(url, piece[: size - first], first, size)
        assert answer.status_code in {200, 201}, answer.text
    sent = await client.ask("POST", f"/me/messages/{draft['id']}/send")

    (arrived,) = client.peer.inbox
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert sent.status_code == 202
    assert grown < size
    assert arrived.size_bytes > size * 4 // 3
    wanted = base64.b64encode(piece[: 3 * MB])  # a whole number of lines in Base64: 57 octets divide it not, 3 do
    start = arrived.source.read(count=len(wanted) * 2)
    encoded = start.partition(b"base64\r\n")[2].partition(b"\r\n\r\n")[2].replace(b"\r\n", b"")
    assert hashlib.sha256(encoded[: len(wanted)]).digest() == hashlib.sha256(wanted).digest()


@pytest.mark.parametrize(
    ("rights", "status", "shows_sender"),
    [((), 403, False), ((Right.SEND_AS,), 202, False), ((Right.SEND_ON_BEHALF,), 202, True)],
)
async def test_given_another_from_address_when_sent_then_the_right_in_exchange_decides(
    client: GraphClient, rights: tuple[Right, ...], status: int, shows_sender: bool
) -> None:
    client.graph.directory.allow(ACCOUNT, "team@sandbox.example", *rights)

    answer = await client.send_mime(MIME.replace(b"Robot <robot@", b"<team@"))

    assert answer.status_code == status
    if status == 403:
        assert error_of(answer) == (403, "ErrorSendAsDenied")
        return
    (arrived,) = client.peer.inbox
    assert arrived.sender == "team@sandbox.example"
    assert arrived.header("Sender") == (ACCOUNT if shows_sender else "")
    assert len(client.graph.sent(ACCOUNT)) == 1


async def test_given_a_shared_mailbox_when_sent_from_it_then_the_copy_is_there(client: GraphClient) -> None:
    raw = MIME.replace(b"robot@sandbox", b"shared@sandbox")

    shared = await client.send_mime(raw, path="/users/Shared@sandbox.example/sendMail")
    other = await client.send_mime(raw, path="/users/team@sandbox.example/sendMail")
    client.token = client.graph.access_token(ACCOUNT, "Mail.Send")
    without = await client.send_mime(raw, path="/users/shared@sandbox.example/sendMail")

    assert shared.status_code == 202
    assert len(client.graph.sent("shared@sandbox.example")) == 1
    assert error_of(other) == error_of(without) == (403, "ErrorAccessDenied")


async def test_given_an_application_when_it_sends_then_only_for_users(client: GraphClient) -> None:
    client.token = client.graph.access_token("")

    users = await client.send_mime(path=f"/users/{ACCOUNT}/sendMail")
    me = await client.send_mime()

    assert users.status_code == 202
    assert error_of(me) == (400, "BadRequest")


async def test_given_a_token_that_may_not_write_when_a_draft_is_made_then_403(client: GraphClient) -> None:
    client.token = client.graph.access_token(ACCOUNT, "Mail.Send")

    assert error_of(await client.ask("POST", "/me/messages", json=message())) == (403, "ErrorAccessDenied")
    assert (await client.send_mime()).status_code == 202


async def test_given_recipients_that_are_not_there_when_sent_then_202_and_a_report_comes_back(
    client: GraphClient,
) -> None:
    answer = await client.send_mime(MIME.replace(b"bob@customer", b"gone@customer"))

    arrived, report = client.peer.inbox
    assert answer.status_code == 202
    assert "gone@customer.example" not in arrived.recipients
    assert (report.sender, report.recipients) == ("", (ACCOUNT,))
    assert report.header("In-Reply-To") == "<one@sandbox.example>"
    assert b"Status: 5.1.1" in report.raw
    assert b"hidden@" not in report.raw


async def test_given_nobody_who_is_there_when_sent_then_only_the_report_arrives(client: GraphClient) -> None:
    await client.send_json(message("gone@customer.example"))

    (report,) = client.peer.inbox
    assert report.recipients == (ACCOUNT,)


async def test_given_the_simulator_s_page_when_read_then_it_has_the_account_to_try(client: GraphClient) -> None:
    page = await client.http.get(f"{client.peer.root}/")

    assert page.status_code == 200
    for fact in (client.peer.root, "https://graph.microsoft.com/Mail.Send", "/sandbox/identity/microsoft/token"):
        assert fact in page.text
    assert "script-src" not in page.headers["content-security-policy"]


async def test_given_a_page_size_when_listed_then_the_next_link_leads_on(client: GraphClient) -> None:
    drafts = [(await client.draft(message()))["id"] for _ in range(3)]

    first = (await client.ask("GET", "/me/messages?$top=2&$select=id")).json()
    headers = {"Authorization": f"Bearer {client.token}"}
    second = (await client.http.get(first["@odata.nextLink"], headers=headers)).json()

    assert [each["id"] for each in first["value"] + second["value"]] == drafts[::-1]
    assert "@odata.nextLink" not in second


async def test_given_a_consent_for_two_resources_when_a_token_for_graph_is_asked_for_then_the_sandbox_sends(
    sandbox: Sandbox, browser: httpx2.AsyncClient
) -> None:
    scopes = "https://graph.microsoft.com/Mail.Send https://outlook.office.com/SMTP.Send"
    graph = await access_token(sandbox, browser, Behaviour.MICROSOFT, scopes, ask=GRAPH)
    outlook = await access_token(sandbox, browser, Behaviour.MICROSOFT, scopes, ask=OUTLOOK)

    answers = [
        await browser.post(
            "/sandbox/graph/v1.0/me/sendMail",
            content=base64.b64encode(MIME),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "text/plain"},
        )
        for token in (graph, outlook)
    ]

    assert answers[0].status_code == 202
    assert error_of(answers[1]) == (401, "InvalidAuthenticationToken")
    assert answers[1].json()["error"]["message"] == "Access token validation failure. Invalid audience."
    assert [message.sender for message in sandbox.inbox] == [ACCOUNT]
