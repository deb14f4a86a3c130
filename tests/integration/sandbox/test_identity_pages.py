"""The identity provider in a browser that runs no scripts: forms, policies, and each step taken once."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.faults import MAGIC_ACCOUNTS
from service.sandbox.sandbox import Sandbox

WEB = "http://127.0.0.1"
ACCOUNT = "ann@example.test"
MAIL = "https://mail.google.com/"


def url(sandbox: Sandbox, **changes: str) -> str:
    values = {
        "response_type": "code",
        "client_id": sandbox.identity.client_id(Behaviour.GOOGLE),
        "redirect_uri": "http://127.0.0.1:9/oauth/callback",
        "scope": f"openid {MAIL}",
        "state": "s1",
        "login_hint": ACCOUNT,
        **changes,
    }
    return f"{sandbox.identity.endpoints(WEB, Behaviour.GOOGLE).authorization}?{urlencode(values)}"


def form(page: httpx2.Response) -> tuple[str, dict[str, str]]:
    """The action of the only form, and its hidden fields."""
    action = re.search(r'<form method="post" action="([^"]+)"', page.text)
    assert action is not None
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text)
    return html.unescape(action[1]), dict(hidden)


async def signed_in(browser: httpx2.AsyncClient, sandbox: Sandbox, **changes: str) -> httpx2.Response:
    action, hidden = form(await browser.get(url(sandbox, **changes)))
    return await browser.post(action, data={**hidden, "account": ACCOUNT, "password": sandbox.password})


async def test_given_the_forms_when_filled_in_then_the_browser_is_sent_back_with_a_code(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    consent = await signed_in(browser, sandbox)
    action, hidden = form(consent)

    back = await browser.post(action, data={**hidden, "decision": "allow", "scope": MAIL})

    assert back.status_code == 303
    assert back.headers["referrer-policy"] == "no-referrer"
    query = parse_qs(urlsplit(back.headers["location"]).query)
    assert query["code"][0].startswith("4/0A")
    assert query["scope"] == [f"openid {MAIL}"]


async def test_given_an_unticked_scope_when_allowed_then_the_callback_says_what_is_left(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    action, hidden = form(await signed_in(browser, sandbox))

    back = await browser.post(action, data={**hidden, "decision": "allow"})

    assert parse_qs(urlsplit(back.headers["location"]).query)["scope"] == ["openid"]


async def test_given_a_cancelled_consent_when_a_form_is_posted_again_then_it_is_over(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    action, hidden = form(await signed_in(browser, sandbox))

    back = await browser.post(action, data={**hidden, "decision": "cancel"})
    again = await browser.post(action, data={**hidden, "decision": "allow", "scope": MAIL})

    assert "error=access_denied" in back.headers["location"]
    assert again.status_code == 400
    assert "This consent is over" in again.text
    assert sandbox.identity.grants == []


async def test_given_nobody_signed_in_when_consent_is_posted_then_it_is_refused(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    action, hidden = form(await browser.get(url(sandbox)))

    answer = await browser.post(
        action.replace("/sign-in", "/consent"), data={**hidden, "decision": "allow", "scope": MAIL}
    )

    assert answer.status_code == 400
    assert sandbox.identity.grants == []


@pytest.mark.parametrize(
    ("account", "password", "problem"),
    [(ACCOUNT, "wrong", "That password is wrong."), ("<script>", "sandbox-password", "Enter an email address.")],
)
async def test_given_a_wrong_sign_in_when_posted_then_the_form_says_so_and_another_try_works(
    browser: httpx2.AsyncClient, sandbox: Sandbox, account: str, password: str, problem: str
) -> None:
    action, hidden = form(await browser.get(url(sandbox)))

    wrong = await browser.post(action, data={**hidden, "account": account, "password": password})
    right = await browser.post(action, data={**hidden, "account": ACCOUNT, "password": sandbox.password})

    assert problem in wrong.text
    assert 'role="alert"' in wrong.text
    assert "<script" not in wrong.text
    assert "Allow" in right.text


@pytest.mark.parametrize(
    ("redirect_uri", "target"),
    [
        ("http://127.0.0.1:9/oauth/callback", "http://127.0.0.1:9"),
        ("http://[::1]:9/oauth/callback", "http:"),
    ],
)
async def test_given_a_page_when_read_then_its_policy_lets_forms_go_here_and_to_the_client_and_nothing_else(
    browser: httpx2.AsyncClient, sandbox: Sandbox, redirect_uri: str, target: str
) -> None:
    for answer in (
        await browser.get(url(sandbox, redirect_uri=redirect_uri)),
        await signed_in(browser, sandbox, redirect_uri=redirect_uri),
    ):
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))

        assert answer.status_code == 200
        assert policy["form-action"] == f"'self' {target}"
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "script-src" not in policy
        assert "<script" not in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_given_a_redirect_url_of_a_stranger_when_asked_then_the_page_says_so_and_nobody_is_sent_there(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    answer = await browser.get(url(sandbox, redirect_uri="https://evil.example/oauth/callback"))

    assert answer.status_code == 400
    assert "Error 400: redirect_uri_mismatch" in answer.text
    assert "https://evil.example" not in answer.headers["content-security-policy"]


async def test_given_a_head_request_when_it_comes_then_no_consent_begins(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    answer = await browser.head(url(sandbox))

    assert answer.status_code == 200
    assert sandbox.identity.counters(Behaviour.GOOGLE).authorizations == 0


async def test_given_the_overview_when_read_then_it_tells_everything_that_a_client_needs(
    browser: httpx2.AsyncClient, sandbox: Sandbox
) -> None:
    text = html.unescape((await browser.get("/sandbox/identity/")).text)

    for behaviour in Behaviour:
        endpoints = sandbox.identity.endpoints(WEB, behaviour)
        for value in (endpoints.authorization, endpoints.token, endpoints.revocation):
            assert value in text
        assert sandbox.identity.client_id(behaviour) in text
        assert sandbox.identity.client_secret(behaviour) in text
    for magic in MAGIC_ACCOUNTS:
        assert f"{magic.local_part}@…" in text
    assert 'href="/sandbox/inbox"' in text
    assert "/sandbox/identity/control/faults" in text
