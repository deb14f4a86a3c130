"""The sandbox's mail server and the tokens of its identity provider: XOAUTH2 and OAUTHBEARER."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.sandbox import Sandbox
from tests.integration.sandbox.conftest import session

WEB = "http://127.0.0.1"
REDIRECT = f"{WEB}/oauth/callback"
ACCOUNT = "robot@sandbox.example"
OUTLOOK = "https://outlook.office.com/SMTP.Send"
GRAPH = "https://graph.microsoft.com/Mail.Send"
GOOGLE = "https://mail.google.com/"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def xoauth2(user: str, token: str) -> str:
    return b64(f"user={user}\x01auth=Bearer {token}\x01\x01")


def oauthbearer(user: str, token: str) -> str:
    return b64(f"n,a={user},\x01host=localhost\x01port=587\x01auth=Bearer {token}\x01\x01")


async def access_token(
    sandbox: Sandbox, browser: httpx2.AsyncClient, behaviour: Behaviour, scope: str, *, ask: str = ""
) -> str:
    """Consents to *scope* and returns an access token for it, or for *ask*."""
    identity = sandbox.identity
    endpoints = identity.endpoints(WEB, behaviour)
    own = {"client_id": identity.client_id(behaviour), "redirect_uri": REDIRECT}
    query = urlencode({**own, "response_type": "code", "scope": scope})
    callback = identity.consent(f"{endpoints.authorization}?{query}", account=ACCOUNT)
    fields: dict[str, Any] = {
        **own,
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(callback).query)["code"][0],
        "client_secret": identity.client_secret(behaviour),
        "scope": ask or scope,
    }
    return str((await browser.post(endpoints.token, data=fields)).json()["access_token"])


def sign_in(sandbox: Sandbox, *lines: str) -> list[tuple[int, bytes]]:
    """Says each line in turn and returns the replies."""
    with session(sandbox, login=False) as client:
        return [client.docmd(line) for line in lines]


@pytest.mark.parametrize(
    ("behaviour", "scope"), [(Behaviour.GOOGLE, f"openid {GOOGLE}"), (Behaviour.MICROSOFT, OUTLOOK)]
)
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_given_a_token_when_signing_in_at_once_or_after_334_then_mail_is_taken_as_the_user(
    sandbox: Sandbox, browser: httpx2.AsyncClient, behaviour: Behaviour, scope: str, mechanism: str
) -> None:
    token = await access_token(sandbox, browser, behaviour, scope)
    response = (xoauth2 if mechanism == "XOAUTH2" else oauthbearer)(ACCOUNT.upper(), token)

    at_once = await asyncio.to_thread(sign_in, sandbox, f"AUTH {mechanism} {response}")
    in_two = await asyncio.to_thread(
        sign_in, sandbox, f"AUTH {mechanism}", response, "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"
    )

    assert [code for code, _ in at_once] == [235]
    assert [code for code, _ in in_two] == [334, 235, 250, 250]
    assert sandbox.identity.counters(behaviour).mail_sign_ins == {"ok": 2}


async def test_given_a_token_of_microsofts_length_when_signing_in_then_it_is_longer_than_a_command_line(
    sandbox: Sandbox, browser: httpx2.AsyncClient
) -> None:
    """F23."""
    token = await access_token(sandbox, browser, Behaviour.MICROSOFT, OUTLOOK)

    assert len(token) > 1_500
    assert await asyncio.to_thread(sign_in, sandbox, f"AUTH XOAUTH2 {xoauth2(ACCOUNT, token)}")


async def test_given_a_bad_token_when_signing_in_with_xoauth2_then_a_challenge_comes_before_535(
    sandbox: Sandbox,
) -> None:
    """F23."""
    replies = await asyncio.to_thread(sign_in, sandbox, f"AUTH XOAUTH2 {xoauth2(ACCOUNT, 'made-up')}", "", "NOOP")

    assert [code for code, _ in replies] == [334, 535, 250]
    assert json.loads(base64.b64decode(replies[0][1])) == {"status": "400", "schemes": "Bearer", "scope": GOOGLE}
    assert replies[1][1].startswith(b"5.7.8 ")


async def test_given_a_bad_token_when_signing_in_with_oauthbearer_then_the_challenge_is_that_of_rfc_7628(
    sandbox: Sandbox,
) -> None:
    replies = await asyncio.to_thread(sign_in, sandbox, f"AUTH OAUTHBEARER {oauthbearer(ACCOUNT, 'made-up')}", "AQ==")

    assert [code for code, _ in replies] == [334, 535]
    assert json.loads(base64.b64decode(replies[0][1]))["status"] == "invalid_token"


async def test_given_a_token_for_another_user_resource_or_time_when_signing_in_then_it_is_refused(
    sandbox: Sandbox, browser: httpx2.AsyncClient
) -> None:
    """F34."""
    graph = await access_token(sandbox, browser, Behaviour.MICROSOFT, f"{OUTLOOK} {GRAPH}", ask=GRAPH)
    good = await access_token(sandbox, browser, Behaviour.MICROSOFT, OUTLOOK)

    wrong_resource = await asyncio.to_thread(sign_in, sandbox, f"AUTH XOAUTH2 {xoauth2(ACCOUNT, graph)}", "")
    wrong_user = await asyncio.to_thread(sign_in, sandbox, f"AUTH XOAUTH2 {xoauth2('boss@x.example', good)}", "")
    withdrawn = sandbox.identity.withdraw_access_tokens(ACCOUNT)
    too_late = await asyncio.to_thread(sign_in, sandbox, f"AUTH XOAUTH2 {xoauth2(ACCOUNT, good)}", "")

    assert withdrawn == 2
    for replies in (wrong_resource, wrong_user, too_late):
        assert [code for code, _ in replies] == [334, 535]
        assert replies[1][1] == b"5.7.3 Authentication unsuccessful"
    counted = sandbox.identity.counters(Behaviour.MICROSOFT).mail_sign_ins
    assert counted == {"wrong_scope": 1, "wrong_user": 1, "invalid_token": 1}


async def test_given_an_expired_token_when_signing_in_then_it_is_refused(
    sandbox: Sandbox, browser: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await access_token(sandbox, browser, Behaviour.GOOGLE, GOOGLE)
    found = sandbox.identity.grants[0]
    stored = sandbox.identity._grants.access_tokens.get(token)
    assert stored is not None
    assert found.is_alive
    monkeypatch.setattr(stored, "expire_time", stored.expire_time - found.access_token_lifetime)

    replies = await asyncio.to_thread(sign_in, sandbox, f"AUTH XOAUTH2 {xoauth2(ACCOUNT, token)}", "")

    assert [code for code, _ in replies] == [334, 535]
    assert sandbox.identity.counters(Behaviour.GOOGLE).mail_sign_ins == {"expired": 1}


@pytest.mark.parametrize(
    "lines",
    [
        ["AUTH XOAUTH2 !!!"],
        ["AUTH XOAUTH2 " + b64("user=a")],
        ["AUTH OAUTHBEARER " + b64("n,,\x01auth=Bearer x\x01\x01")],
        ["AUTH XOAUTH2", "*"],
        ["AUTH XOAUTH2", "!!!"],
        ["AUTH XOAUTH2 " + xoauth2("a@b.example", "made-up"), "*"],
    ],
)
async def test_given_malformed_sign_in_when_answered_then_501_once_and_the_session_goes_on(
    sandbox: Sandbox, lines: list[str]
) -> None:
    replies = await asyncio.to_thread(sign_in, sandbox, *lines, "NOOP")

    assert [code for code, _ in replies[-2:]] == [501, 250]
