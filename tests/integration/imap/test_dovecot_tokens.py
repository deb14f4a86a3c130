"""A real IMAP server that checks tokens: one endpoint that the test rules, and the identity provider itself."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest
from playwright.async_api import Page

from adapters.imap.mailbox import ImapMailboxReader
from domain.connection import ConnectionSecurity
from domain.failures.failure import FailureKind, Stage
from domain.ports.mailbox import MailboxAccount, TokenSource
from domain.reasons import Reason
from tests.fakes.tokens import FakeTokens
from tests.integration.imap.boxes import PATIENCE, account, listed, refusal
from tests.integration.smtp.introspection import Introspection
from tests.peers.browser import consent_at_oidc_provider
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.fixtures import StartDovecot, StartOidcProvider
from tests.peers.oidc_provider.peer import CLIENT_ID, CLIENT_SECRET, SCOPES
from tests.peers.require import require

ALICE = "alice@example.test"
LONG = "T" * 3000
VERIFIER = "v" * 64
CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


@pytest.fixture
def introspection() -> Iterator[Introspection]:
    with Introspection({"GOOD": ALICE, LONG: ALICE, "BOBS": "bob@example.test"}) as endpoint:
        yield endpoint


@pytest.fixture
def token_dovecot(ca: TestCA, introspection: Introspection) -> Iterator[Dovecot]:
    require("Dovecot", missing=Dovecot.missing())
    folder = Path(tempfile.mkdtemp(prefix="mailport-dovecot-tokens-"))
    server = Dovecot(folder=folder, issued=ca.issue("dovecot-tokens"), users={}, introspection_url=introspection.url)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def box(dovecot: Dovecot, ca: TestCA, tokens: TokenSource, *, lane: str = "") -> MailboxAccount:
    security = ConnectionSecurity.IMPLICIT_TLS
    return account(dovecot.imaps, tokens=tokens, lane=lane, security=security, ca_certificates=ca.path.read_text())


async def test_given_tokens_good_long_and_stale_when_signing_in_then_the_stale_one_is_renewed(
    reader: ImapMailboxReader, token_dovecot: Dovecot, ca: TestCA
) -> None:
    for given in (("GOOD",), (LONG,), ("STALE", "GOOD")):
        tokens = FakeTokens(*given)

        signed_in = await reader.sign_in(box(token_dovecot, ca, tokens), patience=PATIENCE)

        assert signed_in.failure is None
        assert tokens.rejected == [None, *given[:-1]]
        steps = [step for step in signed_in.trace.steps if step.stage is Stage.AUTH]
        assert [step.succeeded for step in steps] == [False] * (len(given) - 1) + [True]
        assert all(step.detail.startswith("OAUTHBEARER") for step in steps)


@pytest.mark.parametrize("token", ["NOBODYS", "BOBS"])
async def test_given_a_token_of_nobody_or_somebody_else_when_signing_in_then_the_owner_is_asked(
    reader: ImapMailboxReader, token_dovecot: Dovecot, ca: TestCA, token: str
) -> None:
    failure = await refusal(reader, box(token_dovecot, ca, FakeTokens(token)))

    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.AUTH_REJECTED,
        FailureKind.REAUTHORIZE,
        Stage.MAILBOX,
    )
    assert token not in failure.cause + failure.provider_reply


async def test_given_a_consent_at_the_identity_provider_when_reading_then_its_token_opens_the_mailbox_until_revoked(
    reader: ImapMailboxReader,
    browser_page: Page,
    oidc_provider: StartOidcProvider,
    dovecot_with_tokens: StartDovecot,
    ca: TestCA,
) -> None:
    redirect_uri = "http://127.0.0.1:9/oauth/callback"
    provider = oidc_provider(redirect_uris=[redirect_uri])
    dovecot = dovecot_with_tokens(provider)
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": redirect_uri,
        "response_type": "code",
        "scope": " ".join(SCOPES),
        "prompt": "consent",
        "state": "s1",
        "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    async with browser_page.expect_request("http://127.0.0.1:9/oauth/callback*") as landed:
        await consent_at_oidc_provider(
            browser_page, f"{provider.authorization_endpoint}?{urlencode(asked)}", account=ALICE
        )
    code = parse_qs(urlsplit((await landed.value).url).query)["code"][0]
    exchange = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    async with httpx2.AsyncClient(trust_env=False) as http:
        fields = {**CLIENT, **exchange, "code_verifier": VERIFIER}
        given: Any = (await http.post(provider.token_endpoint, data=fields)).json()
        opened = box(dovecot, ca, FakeTokens(given["access_token"]))

        page = await listed(reader, opened)
        refresh = {**CLIENT, "grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        for _ in range(2):  # the second time it is replayed, which revokes all that came of the consent
            await http.post(provider.token_endpoint, data=refresh)
        failure = await refusal(reader, opened)

    assert page.messages == ()
    assert (failure.reason, failure.kind) == (Reason.AUTH_REJECTED, FailureKind.REAUTHORIZE)
