from __future__ import annotations

import asyncio
import re
from email import policy
from email.message import EmailMessage

import httpx2
import pytest

from service.sandbox.recipients import MAGIC_RECIPIENTS
from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.conftest import SOON, send

SCRIPT = "<script>alert(1)</script>"


def hostile_mail() -> bytes:
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = f'{SCRIPT}"><img src=x onerror=alert(2)>'
    message["From"] = "Eve <eve@example.test>"
    message["To"] = "ann@example.test"
    message["Message-ID"] = "<hostile@example.test>"
    message["X-Note"] = SCRIPT
    message.set_content(f"text {SCRIPT}\n")
    message.add_alternative(f"<p>html</p>{SCRIPT}\n", subtype="html")
    message.add_attachment(b"<script>alert(3)</script>", maintype="text", subtype="html", filename=f'../"{SCRIPT}.html')
    message.set_boundary("outer")
    next(part for part in message.iter_parts() if part.is_multipart()).set_boundary("inner")
    return message.as_bytes()


@pytest.fixture
async def hostile_id(sandbox: Sandbox) -> str:
    await asyncio.to_thread(send, sandbox, "ann@example.test", raw=hostile_mail())
    return (await sandbox.inbox.wait_for(lambda _: True, SOON)).id


@pytest.mark.parametrize("path", ["/sandbox/", "/sandbox/inbox", "/sandbox/inbox/{id}", "/sandbox/nowhere"])
async def test_given_any_page_when_read_then_it_cannot_run_scripts_is_not_cached_and_needs_nothing_else(
    browser: httpx2.AsyncClient, hostile_id: str, path: str
) -> None:
    answer = await browser.get(path.format(id=hostile_id))

    directives = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert directives["default-src"] == "'none'"
    assert "script-src" not in directives
    assert directives["frame-ancestors"] == "'none'"
    nonce = re.fullmatch(r"'nonce-([\w-]+)'", directives["style-src"])
    assert nonce is not None
    assert f'<style nonce="{nonce[1]}">' in answer.text
    assert "<script" not in answer.text
    assert "onerror=alert" not in re.sub(r"&lt;img src=x onerror=alert\(2\)&gt;", "", answer.text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_given_a_hostile_mail_when_shown_then_every_piece_is_escaped(
    browser: httpx2.AsyncClient, hostile_id: str
) -> None:
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"

    inbox = (await browser.get("/sandbox/inbox")).text
    message = (await browser.get(f"/sandbox/inbox/{hostile_id}")).text
    filtered = (await browser.get("/sandbox/inbox", params={"subject": f'"{SCRIPT}'})).text

    assert f"<bdi>{escaped}&#34;&gt;" in inbox
    assert f"<title>{escaped}" in message
    assert f"text {escaped}" in message
    assert f"&lt;p&gt;html&lt;/p&gt;{escaped}" in message
    assert f"../&#34;{escaped}.html" in message
    assert f"<td><bdi>{escaped}</bdi></td>" in message
    assert f'value="&#34;{escaped}"' in filtered
    assert f'sandbox="" src="/sandbox/inbox/{hostile_id}.html"' in message


async def test_given_a_hostile_html_body_when_framed_then_its_origin_is_its_own_and_nothing_loads(
    browser: httpx2.AsyncClient, hostile_id: str
) -> None:
    answer = await browser.get(f"/sandbox/inbox/{hostile_id}.html")

    directives = [part.strip() for part in answer.headers["content-security-policy"].split(";")]
    assert answer.text == f"<p>html</p>{SCRIPT}\n"
    assert "sandbox" in directives  # with no allow-… word: no scripts, no forms, an opaque origin
    assert "default-src 'none'" in directives
    assert not any(part.startswith("script-src") for part in directives)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_given_a_hostile_attachment_when_downloaded_then_it_is_never_shown(
    browser: httpx2.AsyncClient, hostile_id: str
) -> None:
    answer = await browser.get(f"/sandbox/inbox/{hostile_id}/attachments/1")

    assert answer.content == b"<script>alert(3)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="_')
    assert not set(disposition) & set("<>/\\\r\n")


async def test_given_a_mail_when_read_as_json_then_all_of_it_is_there(
    browser: httpx2.AsyncClient, sandbox: Sandbox, hostile_id: str
) -> None:
    listed = (await browser.get("/sandbox/inbox.json")).json()
    shown = (await browser.get(f"/sandbox/inbox/{hostile_id}.json")).json()

    assert listed == {"messages": [shown], "total": 1}
    assert shown["envelope"] == {
        "sender": "sender@example.test",
        "recipients": ["ann@example.test"],
        "smtputf8": False,
    }
    assert shown["subject"].startswith(SCRIPT)
    assert (shown["from"], shown["to"]) == ("Eve <eve@example.test>", "ann@example.test")
    assert shown["message_id"] == "<hostile@example.test>"
    assert {"name": "X-Note", "value": SCRIPT} in shown["headers"]
    assert shown["text_body"] == f"text {SCRIPT}\n"
    assert shown["html_body"] == f"<p>html</p>{SCRIPT}\n"
    assert (shown["tls_version"], shown["username"]) == ("TLSv1.3", sandbox.username)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown["receive_time"])
    assert [(part["number"], part["content_type"], part["size_bytes"]) for part in shown["attachments"]] == [
        (1, "text/html", 25)
    ]
    assert (await browser.get(shown["attachments"][0]["path"])).content == b"<script>alert(3)</script>"
    assert (await browser.get(shown["page_path"])).status_code == 200
    assert (await browser.get(shown["source_path"])).content == hostile_mail()


async def test_given_several_mails_when_filtering_then_the_newest_that_match_come_first(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    for number, recipient in enumerate(["ann", "bob", "ann", "ann"]):
        raw = f"Subject: Mail {number}\r\nMessage-ID: <{number}@x.test>\r\n\r\n".encode()
        await asyncio.to_thread(send, sandbox, f"{recipient}@example.test", raw=raw)

    async def subjects(**query: str) -> tuple[list[str], int]:
        found = (await browser.get("/sandbox/inbox.json", params=query)).json()
        return [message["subject"] for message in found["messages"]], found["total"]

    assert await subjects() == (["Mail 3", "Mail 2", "Mail 1", "Mail 0"], 4)
    assert await subjects(to="ANN@example.test", limit="2") == (["Mail 3", "Mail 2"], 3)
    assert await subjects(subject="mail 1") == (["Mail 1"], 1)
    assert await subjects(message_id="<2@x.test>") == (["Mail 2"], 1)
    page = (await browser.get("/sandbox/inbox", params={"to": "bob@example.test"})).text
    assert re.findall(r"Mail \d", page) == ["Mail 1"]
    limited = (await browser.get("/sandbox/inbox", params={"limit": "3"})).text
    assert re.findall(r"Mail \d", limited) == ["Mail 3", "Mail 2", "Mail 1"]
    assert "4 messages; the newest 3 are shown" in limited


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "form=x@example.test"])
async def test_given_a_wrong_filter_when_listing_then_says_what_is_wrong(
    browser: httpx2.AsyncClient, query: str
) -> None:
    answer = await browser.get(f"/sandbox/inbox.json?{query}")
    page = await browser.get(f"/sandbox/inbox?{query}")

    assert (answer.status_code, page.status_code) == (400, 400)
    assert query.partition("=")[0] in answer.json()["error"]
    assert "Not filtered" in page.text


async def test_given_mails_when_deleting_then_the_inbox_is_empty(
    browser: httpx2.AsyncClient, sandbox: Sandbox, hostile_id: str
) -> None:
    answer = await browser.delete("/sandbox/inbox.json")

    assert answer.json() == {"deleted": 1}
    assert len(sandbox.inbox) == 0
    assert "Nothing has arrived yet" in (await browser.get("/sandbox/inbox")).text


@pytest.mark.parametrize(
    "path",
    ["inbox/999", "inbox/999.json", "inbox/999.eml", "inbox/999.html", "inbox/999/attachments/1",
     "inbox/1/attachments/2", "inbox/1/attachments/x", "inbox/..%2f1", "inbox/" + "9" * 6_000],
)  # fmt: skip
async def test_given_what_is_not_there_when_asked_for_then_404_in_the_form_that_was_asked_for(
    browser: httpx2.AsyncClient, hostile_id: str, path: str
) -> None:
    answer = await browser.get(f"/sandbox/{path}")

    assert answer.status_code == 404
    if path.endswith(".json"):
        assert "no such message" in answer.json()["error"]


async def test_given_the_index_when_read_then_it_tells_everything_needed_to_send(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    text = (await browser.get("/sandbox/")).text

    needed = [sandbox.smtp_host, sandbox.smtp_port, sandbox.smtps_port, sandbox.username, sandbox.password]
    for value in [*needed, sandbox.ca_path, "35,882,577 bytes", *(f"{m.local_part}@…" for m in MAGIC_RECIPIENTS)]:
        assert str(value) in text
    assert 'href="/sandbox/ca.pem"' in text


async def test_given_the_ca_when_downloaded_then_it_is_the_one_that_signs(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    assert (await browser.get("/sandbox/ca.pem")).text == sandbox.ca_pem


@pytest.mark.parametrize("path", ["/", "/sandbox"])
async def test_given_a_short_address_when_opened_then_it_leads_to_the_index(
    browser: httpx2.AsyncClient, path: str
) -> None:
    answer = await browser.get(path, follow_redirects=True)

    assert answer.url.path == "/sandbox/"
    assert answer.status_code == 200


async def test_given_a_mail_of_many_octets_when_shown_then_the_page_is_cut_and_the_json_is_not(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    raw = b"Subject: long\r\n\r\n" + (b"x" * 98 + b"\r\n") * 3_000
    await asyncio.to_thread(send, sandbox, "ann@example.test", raw=raw)

    page = (await browser.get("/sandbox/inbox/1")).text
    shown = (await browser.get("/sandbox/inbox/1.json")).json()

    assert "Cut after 100000 characters" in page
    assert len(page) < 130_000
    assert len(shown["text_body"]) == 297_000
