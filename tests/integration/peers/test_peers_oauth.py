"""The OAuth peers on their own: a browser consents, Dovecot takes the token, and no longer once it is revoked."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import imaplib
import ssl
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
from playwright.async_api import Page

from tests.peers.browser import consent_at_oidc_provider
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.fixtures import StartDovecot, StartOidcProvider
from tests.peers.oidc_provider.peer import CLIENT_ID, CLIENT_SECRET, SCOPES

ALICE = "alice@example.test"
VERIFIER = "v" * 64
CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


def sign_in(dovecot: Dovecot, ca: TestCA, token: str) -> str:
    """Signs in over IMAP with XOAUTH2 and returns what the server said."""
    context = ssl.create_default_context(cafile=str(ca.path))
    with imaplib.IMAP4_SSL("localhost", dovecot.imaps, ssl_context=context, timeout=10) as client:
        try:
            return client.authenticate("XOAUTH2", lambda _: f"user={ALICE}\x01auth=Bearer {token}\x01\x01".encode())[0]
        except imaplib.IMAP4.error as error:
            return str(error)


async def test_given_a_consent_in_a_browser_when_the_token_is_used_rotated_and_revoked_then_dovecot_follows(
    browser_page: Page, oidc_provider: StartOidcProvider, dovecot_with_tokens: StartDovecot, ca: TestCA
) -> None:
    redirect_uri = "http://127.0.0.1:9/oauth/callback"
    provider = oidc_provider(redirect_uris=[redirect_uri])
    dovecot = dovecot_with_tokens(provider)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = urlencode(
        {
            "client_id": CLIENT_ID,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(SCOPES),
            "prompt": "consent",
            "state": "s1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )

    async with browser_page.expect_request("http://127.0.0.1:9/oauth/callback*") as landed:
        await consent_at_oidc_provider(browser_page, f"{provider.authorization_endpoint}?{query}", account=ALICE)
    code = parse_qs(urlsplit((await landed.value).url).query)["code"][0]
    async with httpx2.AsyncClient(trust_env=False) as http:

        async def ask(url: str, **fields: str) -> Any:
            return (await http.post(url, data={**CLIENT, **fields})).json()

        tokens = await ask(
            provider.token_endpoint,
            grant_type="authorization_code",
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=VERIFIER,
        )
        refresh = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        signed_in = await asyncio.to_thread(sign_in, dovecot, ca, tokens["access_token"])
        rotated = await ask(provider.token_endpoint, **refresh)
        reused = await ask(provider.token_endpoint, **refresh)
        refused = await asyncio.to_thread(sign_in, dovecot, ca, rotated["access_token"])

    assert tokens["id_token"]
    assert signed_in == "OK"
    assert rotated["refresh_token"] != tokens["refresh_token"]
    assert reused["error"] == "invalid_grant"  # and the family is revoked with it
    assert "AUTHENTICATIONFAILED" in refused or "failed" in refused.lower()
