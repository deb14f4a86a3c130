"""The sandbox's IMAP server and the tokens of its identity provider: XOAUTH2 and OAUTHBEARER."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.conftest import trusting
from tests.integration.sandbox.test_identity_smtp import (
    ACCOUNT,
    GOOGLE,
    OUTLOOK,
    access_token,
    oauthbearer,
    xoauth2,
)
from tests.peers.imap_talk import ImapTalk

_IMAP = "https://outlook.office.com/IMAP.AccessAsUser.All"


async def _connected(sandbox: Sandbox) -> ImapTalk:
    return await ImapTalk.open("127.0.0.1", sandbox.imaps_port, tls=trusting(sandbox))


@pytest.mark.parametrize(("behaviour", "scope"), [(Behaviour.GOOGLE, GOOGLE), (Behaviour.MICROSOFT, _IMAP)])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_given_a_token_when_signing_in_at_once_or_asked_then_the_mailbox_opens(
    sandbox: Sandbox, browser: httpx2.AsyncClient, behaviour: Behaviour, scope: str, mechanism: str
) -> None:
    token = await access_token(sandbox, browser, behaviour, scope)
    response = (xoauth2 if mechanism == "XOAUTH2" else oauthbearer)(ACCOUNT, token)

    async with await _connected(sandbox) as talk, await _connected(sandbox) as other:
        at_once = await talk.ask(f"AUTHENTICATE {mechanism} {response}")
        assert await other.begin(f"AUTHENTICATE {mechanism}") == b"+ "
        asked = await other.go_on(response)
        opened = [await session.ask("EXAMINE INBOX") for session in (talk, other)]

    assert [answer.status for answer in (at_once, asked, *opened)] == ["OK"] * 4
    assert sandbox.identity.counters(behaviour).mail_sign_ins == {"ok": 2}


async def test_given_a_token_of_another_user_when_reading_then_only_what_was_sent_to_that_address(
    sandbox: Sandbox, browser: httpx2.AsyncClient
) -> None:
    token = await access_token(sandbox, browser, Behaviour.GOOGLE, GOOGLE)
    stored = sandbox.identity._grants.access_tokens.get(token)
    assert stored is not None
    stored.grant.account = "anna@example.test"
    for recipients in (("ANNA@example.test", "bob@example.test"), ("bob@example.test",)):
        await sandbox.inbox.add(
            receive_time=datetime.now(UTC), sender="a@b.test", recipients=recipients, raw=b"Subject: x\r\n\r\n"
        )

    async with await _connected(sandbox) as talk:
        await talk.ask(f"AUTHENTICATE XOAUTH2 {xoauth2('anna@example.test', token)}")
        opened = await talk.ask("SELECT INBOX")

    assert b"* 1 EXISTS" in opened.untagged


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_given_a_bad_token_when_signing_in_then_a_challenge_comes_before_no_and_another_try_is_taken(
    sandbox: Sandbox, mechanism: str
) -> None:
    response = (xoauth2 if mechanism == "XOAUTH2" else oauthbearer)(ACCOUNT, "made-up")

    async with await _connected(sandbox) as talk:
        challenge = await talk.begin(f"AUTHENTICATE {mechanism} {response}")
        refused = await talk.go_on("" if mechanism == "XOAUTH2" else "AQ==")
        again = await talk.ask(f"LOGIN {sandbox.username} {sandbox.password}")

    assert json.loads(base64.b64decode(challenge.removeprefix(b"+ ")))["scope"] == GOOGLE
    assert refused.tagged == b"NO [AUTHENTICATIONFAILED] Invalid credentials"
    assert again.status == "OK"


async def test_given_a_token_that_may_only_send_when_signing_in_at_microsoft_then_no_without_a_challenge(
    sandbox: Sandbox, browser: httpx2.AsyncClient
) -> None:
    token = await access_token(sandbox, browser, Behaviour.MICROSOFT, OUTLOOK)

    async with await _connected(sandbox) as talk:
        refused = await talk.ask(f"AUTHENTICATE XOAUTH2 {xoauth2(ACCOUNT, token)}")

    assert refused.tagged == b"NO AUTHENTICATE failed."
    assert sandbox.identity.counters(Behaviour.MICROSOFT).mail_sign_ins == {"wrong_scope": 1}


@pytest.mark.parametrize(
    "response", ["!", base64.b64encode(b"user=x").decode(), base64.b64encode(b"\xff\x01\x01").decode(), "*"]
)
async def test_given_what_is_no_response_when_signing_in_then_bad(sandbox: Sandbox, response: str) -> None:
    async with await _connected(sandbox) as talk:
        await talk.begin("AUTHENTICATE XOAUTH2")
        answer = await talk.go_on(response)

    assert answer.status == "BAD"


@pytest.mark.parametrize("idles", [False, True])
async def test_given_a_session_when_its_token_ends_then_the_server_says_bye(
    sandbox: Sandbox, browser: httpx2.AsyncClient, idles: bool
) -> None:
    token = await access_token(sandbox, browser, Behaviour.GOOGLE, GOOGLE)

    async with await _connected(sandbox) as talk:
        await talk.ask(f"AUTHENTICATE XOAUTH2 {xoauth2(ACCOUNT, token)}")
        await talk.ask("SELECT INBOX")
        if idles:
            await talk.begin("IDLE")
            sandbox.identity.withdraw_access_tokens(ACCOUNT)
            await sandbox.inbox.add(
                receive_time=datetime.now(UTC), sender="", recipients=(ACCOUNT,), raw=b"Subject: x\r\n\r\n"
            )
            rest = await talk.rest()
        else:
            sandbox.identity.withdraw_access_tokens(ACCOUNT)
            rest = await talk.ask_to_the_end("NOOP")

    assert rest == b"* BYE Session expired, please sign in again\r\n"


async def test_given_an_idling_session_when_its_token_expires_then_it_ends_without_anything_else_happening(
    sandbox: Sandbox, browser: httpx2.AsyncClient
) -> None:
    token = await access_token(sandbox, browser, Behaviour.GOOGLE, GOOGLE)
    stored = sandbox.identity._grants.access_tokens.get(token)
    assert stored is not None
    async with await _connected(sandbox) as talk:
        await talk.ask(f"AUTHENTICATE XOAUTH2 {xoauth2(ACCOUNT, token)}")
        stored.expire_time = datetime.now(UTC) + timedelta(milliseconds=200)

        said = await talk.begin("IDLE") + b"\r\n" + await talk.rest()

    assert said.endswith(b"* BYE Session expired, please sign in again\r\n")
