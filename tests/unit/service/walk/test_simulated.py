from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from service.sandbox.sandbox import Sandbox
from service.walk import Page
from service.walk.screen import Astray
from service.walk.simulated import browse, surroundings
from service.web.server import WebServer

WEB_URL = "http://127.0.0.1:8080"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    async with Sandbox(folder=tmp_path) as running:
        yield running


def asked_with(sandbox: Sandbox, **changes: str) -> str:
    """Returns an authorization request of the client that the walk configures, with PKCE."""
    oauth = surroundings(WEB_URL, sandbox).oauth
    parameters = {
        "response_type": "code",
        "client_id": oauth.client_id,
        "redirect_uri": f"{WEB_URL}/oauth/callback",
        "scope": " ".join(oauth.scopes),
        "state": "s",
        "code_challenge": "a" * 43,
        "code_challenge_method": "S256",
    }
    return f"{oauth.authorization_endpoint}?{urlencode(parameters | changes)}"


async def test_given_a_sandbox_when_a_person_consents_then_the_browser_is_sent_back_with_a_code(
    sandbox: Sandbox,
) -> None:
    landed = surroundings(WEB_URL, sandbox).consent(asked_with(sandbox))

    assert landed.startswith(f"{WEB_URL}/oauth/callback?")
    assert {"code", "state"} <= set(parse_qs(urlsplit(landed).query))
    assert [grant.account for grant in sandbox.identity.grants] == ["office@sandbox.example"]


async def test_given_a_redirect_that_is_not_registered_when_a_person_consents_then_the_walk_is_astray(
    sandbox: Sandbox,
) -> None:
    with pytest.raises(Astray, match="The provider shows an error: "):
        surroundings(WEB_URL, sandbox).consent(asked_with(sandbox, redirect_uri="https://elsewhere.example/"))


async def test_given_an_empty_inbox_when_read_then_there_is_no_page(sandbox: Sandbox) -> None:
    assert surroundings(WEB_URL, sandbox).read_inbox("<1@example.com>") is None


async def heading(_: Request) -> Response:
    return HTMLResponse('<h1 class="x">\n  Tom &amp; Anna\n</h1>', status_code=400)


async def plain(request: Request) -> Response:
    return PlainTextResponse(request.url.query)


async def test_given_pages_when_browsed_then_status_and_heading_are_told() -> None:
    web = WebServer(host="127.0.0.1", port=0)
    await web.start(Starlette(routes=[Route("/heading", heading), Route("/plain", plain)]))

    shown = [await browse(f"http://127.0.0.1:{web.port}/{path}") for path in ("heading", "plain?code=4%2F0")]
    await web.stop()

    assert shown == [Page(400, "Tom & Anna"), Page(200, "")]


async def test_given_nobody_there_when_browsed_then_the_walk_is_astray_and_no_code_is_told() -> None:
    with pytest.raises(Astray, match=r"cannot reach http://127\.0\.0\.1:1/oauth/callback: ") as astray:
        await browse("http://127.0.0.1:1/oauth/callback?code=c0de")

    assert "c0de" not in str(astray.value)
