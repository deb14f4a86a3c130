"""The identity provider and the callback page in a real browser, which enforces the policies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.routing import Mount

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.pages import MOUNT_PATH
from service.sandbox.sandbox import Sandbox
from service.web.callback import CallbackOutcome, callback_route
from service.web.server import WebServer
from tests.peers.browser import consent_at_sandbox

MAIL = "https://mail.google.com/"


@dataclass
class Site:
    """A web side with sandbox and callback page, and the callbacks that came."""

    url: str
    other_url: str
    """The same at [::1], which no policy can name."""
    callbacks: list[str] = field(default_factory=list)

    def authorization_url(self, sandbox: Sandbox, **changes: str) -> str:
        values = {
            "response_type": "code",
            "client_id": sandbox.identity.client_id(Behaviour.GOOGLE),
            "redirect_uri": f"{self.url}/oauth/callback",
            "scope": f"openid {MAIL}",
            "state": "s1",
            **changes,
        }
        return f"{sandbox.identity.endpoints(self.url, Behaviour.GOOGLE).authorization}?{urlencode(values)}"


@pytest.fixture
async def site(sandbox: Sandbox) -> AsyncIterator[Site]:
    async def complete(callback_url: str) -> CallbackOutcome:
        running.callbacks.append(callback_url)
        return CallbackOutcome(ok=True, title="SMTP Settings Authorized")

    app = Starlette(routes=[callback_route(complete=complete), Mount(MOUNT_PATH, app=sandbox.app)])
    servers = [WebServer(host="127.0.0.1", port=0), WebServer(host="::1", port=0)]
    running = Site(f"http://127.0.0.1:{servers[0].port}", f"http://[::1]:{servers[1].port}")
    for server in servers:
        await server.start(app)
    yield running
    for server in servers:
        await server.stop()


@pytest.mark.parametrize("target", ["url", "other_url"])
async def test_given_a_browser_when_a_person_consents_then_it_lands_on_the_callback_page_once(
    sandbox: Sandbox, site: Site, browser_page: Page, target: str
) -> None:
    complaints: list[str] = []
    browser_page.on("console", lambda message: complaints.append(message.text))
    redirect_uri = f"{getattr(site, target)}/oauth/callback"
    url = site.authorization_url(sandbox, redirect_uri=redirect_uri)

    await consent_at_sandbox(browser_page, url, account="ann@example.test", password=sandbox.password, untick=(MAIL,))
    await browser_page.wait_for_url("**/oauth/callback?*")

    assert await browser_page.get_by_role("heading").inner_text() == "SMTP Settings Authorized"
    assert [url.partition("?")[0] for url in site.callbacks] == [redirect_uri]
    assert [scope.text for scope in sandbox.identity.grants[0].scopes] == ["openid"]
    assert complaints == []


async def test_given_a_consent_that_was_given_before_when_signing_in_then_the_browser_is_sent_on_at_once(
    sandbox: Sandbox, site: Site, browser_page: Page
) -> None:
    url = site.authorization_url(sandbox)
    sandbox.identity.consent(url, account="ann@example.test")

    await consent_at_sandbox(browser_page, url, account="ann@example.test", password=sandbox.password)
    await browser_page.wait_for_url("**/oauth/callback?*")

    assert len(site.callbacks) == 1
