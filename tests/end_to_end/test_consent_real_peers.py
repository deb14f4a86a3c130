"""
A consent among programs that others wrote: npm's oidc-provider, Chromium, and Dovecot, which asks the provider.

The provider demands PKCE, rotates refresh tokens, and ends the family of one that is used twice.
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.consents import (
    WITHIN,
    authorize,
    configure,
    end_kept_sessions,
    reaches,
    read,
    send,
    token_has_ended,
)
from tests.peers.browser import consent_at_oidc_provider
from tests.peers.ca import TestCA
from tests.peers.dovecot import Dovecot
from tests.peers.fixtures import StartDovecot, StartOidcProvider
from tests.peers.oidc_provider.peer import CLIENT_ID, CLIENT_SECRET, SCOPES, OidcProvider

ALICE = "alice@example.test"
TOKEN_SECONDS = 3


def settings(provider: OidcProvider, dovecot: Dovecot, ca: TestCA) -> configuration_pb2.Settings:
    return configuration_pb2.Settings(
        from_address=ALICE,
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=dovecot.submission, ca_certificates=ca.pem),
        oauth=configuration_pb2.OAuthAuthentication(
            provider=configuration_pb2.OAUTH_PROVIDER_CUSTOM,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            authorization_endpoint=provider.authorization_endpoint,
            token_endpoint=provider.token_endpoint,
            revocation_endpoint=provider.revocation_endpoint,
            scopes=SCOPES,
            username=ALICE,
        ),
    )


async def consent(mailport: Mailport, page: Page) -> str:
    """Consents in the browser and returns the heading of mailport's page."""
    session = await authorize(mailport.stub)
    await consent_at_oidc_provider(page, session.authorization_url, account=ALICE)
    await page.wait_for_url("**/oauth/callback?*")
    return await page.get_by_role("heading", level=1).inner_text()


async def stored_tokens(mailport: Mailport) -> tuple[str, str]:
    """Returns refresh and access token from the store: no call tells them, and that is right."""
    assert mailport.service.parts is not None
    async with mailport.service.parts.uow() as work:
        (grant,) = (await work.grants.of("default", ["alerts"]))["alerts"]
    (access_token,) = grant.access_tokens
    return grant.refresh_token.reveal(), access_token.token.reveal()


async def is_active(provider: OidcProvider, token: str) -> bool:
    """Asks the provider as Dovecot does (RFC 7662)."""
    form = {"token": token, "client_id": "dovecot", "client_secret": "dovecot-secret"}
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer: Any = (await http.post(provider.introspection_endpoint, data=form)).json()
    return bool(answer["active"])


async def send_to(mailport: Mailport, dovecot: Dovecot, recipient: str) -> None:
    """Sends a mail and sees it lie in its mailbox."""
    sent = await mailport.stub.Send(
        api.SendRequest(
            configuration_id="alerts",
            message=a_message(to=[delivery_pb2.Address(address=recipient)]),
            wait=True,
        ),
        timeout=WITHIN.total_seconds(),
    )
    assert sent.delivery.state == delivery_pb2.DELIVERY_STATE_SENT, sent.delivery
    (mail,) = dovecot.mail_of(recipient)
    assert sent.delivery.message_id.encode() in mail


@pytest.mark.parametrize("client_proof", ["client_secret_basic", "client_secret_post"])
async def test_given_real_peers_when_consented_proven_refreshed_and_revoked_then_mail_arrives_until_it_must_not(
    mailport: Mailport,
    browser_page: Page,
    oidc_provider: StartOidcProvider,
    dovecot_with_tokens: StartDovecot,
    ca: TestCA,
    client_proof: str,
) -> None:
    """Settings do not say how the client proves itself, and the provider takes one way alone."""
    stub = mailport.stub
    callback_url = (await stub.GetOptions(api.GetOptionsRequest())).callback_url
    provider = oidc_provider(
        redirect_uris=[callback_url], access_token_seconds=TOKEN_SECONDS, client_proof=client_proof
    )
    dovecot = dovecot_with_tokens(provider)
    await configure(stub, settings(provider, dovecot, ca))

    # A person consents, and the settings are proven by a mail to the user's own mailbox.
    assert await consent(mailport, browser_page) == "SMTP Settings Authorized"
    found = await read(stub)
    assert found.grant.account == ALICE
    assert set(SCOPES) - {"offline_access"} <= set(found.grant.granted_scopes)
    proof = api.ValidateAndSaveRequest(configuration_id="alerts", user_email="proof@example.test")
    validated = await stub.ValidateAndSave(proof)
    assert validated.configuration.active.state == configuration_pb2.REVISION_STATE_ACTIVE
    assert len(dovecot.mail_of("proof@example.test")) == 1
    await send_to(mailport, dovecot, "first@example.test")

    # The token ends, and each refresh brings another refresh token.
    refresh_tokens = [(await stored_tokens(mailport))[0]]
    for number in (1, 2):
        end = await token_has_ended(stub)
        ended = (await stored_tokens(mailport))[1]
        end_kept_sessions(mailport)
        await send_to(mailport, dovecot, f"refreshed-{number}@example.test")
        assert (await read(stub)).grant.refresh_time.ToDatetime(UTC) >= end
        assert not await is_active(provider, ended)
        refresh_tokens.append((await stored_tokens(mailport))[0])
    assert len(set(refresh_tokens)) == 3

    # It is revoked where it was given: the provider then knows neither token, and mail waits.
    refresh_token, access_token = await stored_tokens(mailport)
    assert await is_active(provider, refresh_token)
    revoked = await stub.RevokeAuth(api.RevokeAuthRequest(configuration_id="alerts"))
    assert revoked.grant_revocation == configuration_pb2.GRANT_REVOCATION_REVOKED
    assert not await is_active(provider, refresh_token)
    assert not await is_active(provider, access_token)
    held = await send(stub, "held")
    await reaches(stub, held, delivery_pb2.DELIVERY_STATE_HELD)

    # The person consents once more.
    await browser_page.context.clear_cookies()
    assert await consent(mailport, browser_page) == "SMTP Settings Authorized"
    await reaches(stub, held, delivery_pb2.DELIVERY_STATE_SENT)
    assert b"Subject: held" in dovecot.mail_of("anna@example.com")[0]


async def test_given_a_person_who_signs_in_as_another_when_back_then_the_page_names_both(
    mailport: Mailport,
    browser_page: Page,
    oidc_provider: StartOidcProvider,
    dovecot: Dovecot,
    ca: TestCA,
) -> None:
    """F34, as the provider's own id_token tells it."""
    callback_url = (await mailport.stub.GetOptions(api.GetOptionsRequest())).callback_url
    provider = oidc_provider(redirect_uris=[callback_url])
    await configure(mailport.stub, settings(provider, dovecot, ca))
    session = await authorize(mailport.stub)

    await consent_at_oidc_provider(browser_page, session.authorization_url, account="boss@example.test")
    await browser_page.wait_for_url("**/oauth/callback?*")

    text = await browser_page.inner_text("main")
    found = await read(mailport.stub)
    assert "SMTP Settings Not Authorized" in text
    assert "boss@example.test" in text
    assert ALICE in text
    assert found.consent.failure.reason == "ACCOUNT_MISMATCH"
    assert not found.HasField("grant")
