"""The walk with a running sandbox, which plays the person and the browser too."""

from __future__ import annotations

import html
import re
from typing import Final

import httpx2

from mailport.v1 import configuration_pb2
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.request import ShownError
from service.sandbox.identity.scopes import STRICT_MAIL_SCOPE
from service.sandbox.pages import MOUNT_PATH
from service.sandbox.sandbox import Sandbox
from service.walk.journey import walk
from service.walk.screen import Astray
from service.walk.surroundings import Page, Surroundings

ACCOUNT: Final = "office@sandbox.example"

_HEADING: Final = re.compile(r"<h1[^>]*>(.*?)</h1>", re.DOTALL)
_TIMEOUT_SECONDS: Final = 30.0


async def walk_sandbox(grpc_address: str, web_url: str, sandbox: Sandbox) -> bool:
    """Walks through the journey with a running *sandbox*, whose pages are below *web_url*; see `walk`."""
    return await walk(grpc_address=grpc_address, around=surroundings(web_url, sandbox))


def surroundings(web_url: str, sandbox: Sandbox) -> Surroundings:
    """Returns what the walk needs of a running *sandbox*."""

    def read_inbox(message_id: str) -> str | None:
        found = sandbox.inbox.newest(lambda message: message.message_id == message_id)
        return f"{MOUNT_PATH}/inbox/{found[0].id}" if found else None

    def consent(authorization_url: str) -> str:
        try:
            return sandbox.identity.consent(authorization_url, account=ACCOUNT)
        except ShownError as error:
            raise Astray(f"The provider shows an error: {error.title} ({error.code}). {error}") from error

    return Surroundings(
        web_url=web_url,
        smtp_host=sandbox.smtp_host,
        smtp_port=sandbox.smtp_port,
        imap_port=sandbox.imap_port,
        ca_pem=sandbox.ca_pem,
        username=sandbox.username,
        password=sandbox.password,
        oauth=_client(web_url, sandbox),
        consent=consent,
        browse=browse,
        read_inbox=read_inbox,
    )


async def browse(url: str) -> Page:
    """Opens *url* as a browser does and returns what it shows. Raises Astray when nobody answers there."""
    try:
        # No proxy of the environment: it cannot reach this machine's own loopback.
        async with httpx2.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS) as browser:
            response = await browser.get(url)
    except httpx2.HTTPError as error:
        place = url.partition("?")[0]  # what follows is a code
        raise Astray(f"The browser cannot reach {place}: {type(error).__name__}.") from None
    found = _HEADING.search(response.text)
    return Page(response.status_code, html.unescape(found[1]).strip() if found else "")


def _client(web_url: str, sandbox: Sandbox) -> configuration_pb2.OAuthAuthentication:
    """The client at the strict provider, which asks for the most."""
    behaviour = Behaviour.STRICT
    endpoints = sandbox.identity.endpoints(web_url, behaviour)
    return configuration_pb2.OAuthAuthentication(
        provider=configuration_pb2.OAUTH_PROVIDER_CUSTOM,
        client_id=sandbox.identity.client_id(behaviour),
        client_secret=sandbox.identity.client_secret(behaviour),
        authorization_endpoint=endpoints.authorization,
        token_endpoint=endpoints.token,
        revocation_endpoint=endpoints.revocation,
        scopes=["openid", "email", STRICT_MAIL_SCOPE],
        username=ACCOUNT,
    )
