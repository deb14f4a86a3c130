"""
Issue 4 from end to end, with a person in a real browser: consent, proof, mail, refresh, revocation, consent again.

Google and Microsoft are configured as such, with endpoints on loopback, where the sandbox behaves like them. The mail
server is the sandbox's own for all: no test can sign in at theirs.
"""

from __future__ import annotations

from datetime import UTC

import grpc
import pytest
from playwright.async_api import Page, Response

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.identity.behaviour import TRAITS, Behaviour
from tests.end_to_end.conftest import Mailport
from tests.end_to_end.consents import (
    assert_in_order,
    authorize,
    complete,
    configure,
    consented,
    end_kept_sessions,
    reaches,
    read,
    sandbox_settings,
    send,
    sent,
    subjects_to,
    token_has_ended,
    validate,
)
from tests.end_to_end.test_journey import reason
from tests.peers.browser import consent_at_sandbox

ACCOUNT = "office@sandbox.example"
TOKEN_SECONDS = 2
REVOCATION = {
    Behaviour.GOOGLE: configuration_pb2.GRANT_REVOCATION_REVOKED,
    Behaviour.MICROSOFT: configuration_pb2.GRANT_REVOCATION_NOT_SUPPORTED,
    Behaviour.STRICT: configuration_pb2.GRANT_REVOCATION_REVOKED,
}


async def landing(page: Page, authorization_url: str, password: str) -> Response:
    """Signs in and consents; returns the answer of mailport's callback page."""
    async with page.expect_response(lambda answer: "/oauth/callback?" in answer.url) as landed:
        await consent_at_sandbox(page, authorization_url, account=ACCOUNT, password=password)
        await page.wait_for_url("**/oauth/callback?*")
    return await landed.value


async def cancelling(page: Page, authorization_url: str, password: str) -> Response:
    """Signs in and presses Cancel; returns the answer of mailport's callback page."""
    await page.goto(authorization_url)
    await page.get_by_label("Email address").fill(ACCOUNT)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    async with page.expect_response(lambda answer: "/oauth/callback?" in answer.url) as landed:
        await page.get_by_role("button", name="Cancel").click()
        await page.wait_for_url("**/oauth/callback?*")
    return await landed.value


def assert_keeps_to_itself(answer: Response, session: api.AuthorizeResponse) -> None:
    """The page runs nothing, loads nothing, and hands its address, which holds code and state, to nobody."""
    policy = answer.headers["content-security-policy"]
    for directive in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'none'", "base-uri 'none'"):
        assert directive in policy
    assert "script-src" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.url.startswith(f"{session.redirect_url}?")


@pytest.mark.parametrize("behaviour", Behaviour)
async def test_given_a_person_who_consents_when_proven_sent_refreshed_revoked_and_consented_anew_then_all_mail_arrives(
    mailport: Mailport, browser_page: Page, behaviour: Behaviour
) -> None:
    stub, identity = mailport.stub, mailport.sandbox.identity
    complaints: list[str] = []
    browser_page.on("console", lambda message: complaints.append(message.text))
    draft = (await configure(stub, sandbox_settings(mailport, behaviour, ACCOUNT, token_seconds=TOKEN_SECONDS))).draft
    assert draft.state == configuration_pb2.REVISION_STATE_NEEDS_AUTHORIZATION

    # A person consents in a browser.
    session = await authorize(stub)
    page = await landing(browser_page, session.authorization_url, mailport.sandbox.password)
    assert page.status == 200
    assert await browser_page.get_by_role("heading", level=1).inner_text() == "SMTP Settings Authorized"
    assert ACCOUNT in await browser_page.inner_text("main")
    assert_keeps_to_itself(page, session)
    assert complaints == []

    # The grant shows, and nothing is in use yet.
    found = await read(stub)
    assert found.consent.state == configuration_pb2.CONSENT_STATE_AUTHORIZED
    assert found.draft.state == configuration_pb2.REVISION_STATE_READY_TO_VALIDATE
    assert not found.HasField("active")
    assert found.grant.account == ACCOUNT
    asked = {scope.lower() for scope in found.draft.settings.oauth.scopes} - {"offline_access"}
    assert {scope.lower() for scope in found.grant.granted_scopes} == asked

    # It is proven, and mail goes out.
    assert (await validate(stub)).active.state == configuration_pb2.REVISION_STATE_ACTIVE
    await sent(stub, "before the token's end")

    # The token ends, and nobody notices.
    end = await token_has_ended(stub)
    end_kept_sessions(mailport)
    before = identity.grants[0].refreshes
    await sent(stub, "after the token's end")
    found = await read(stub)
    (grant,) = identity.grants
    assert found.grant.refresh_time.ToDatetime(UTC) >= end
    assert found.grant.authorize_time.ToDatetime(UTC) < end
    assert grant.refreshes == before + 1
    assert found.health.state == configuration_pb2.HEALTH_STATE_HEALTHY

    # Whatever came with the last refresh is what the next one uses: a strict provider ends the grant otherwise.
    await token_has_ended(stub)
    end_kept_sessions(mailport)
    await sent(stub, "after the second token's end")
    assert grant.refreshes == before + 2
    assert grant.reuse_detected == 0
    assert grant.is_alive
    assert identity.counters(behaviour).token_answers["ok"] == identity.counters(behaviour).token_calls.total()

    # It is given up: mail is taken and held, and nobody is asked for a token.
    revoked = await stub.RevokeAuth(api.RevokeAuthRequest(configuration_id="alerts"))
    assert revoked.grant_revocation == REVOCATION[behaviour]
    assert grant.is_alive != TRAITS[behaviour].has_revocation
    assert not revoked.configuration.HasField("grant")
    held = [await send(stub, f"held {number}") for number in (1, 2, 3)]
    for delivery_id in held:
        delivery = await reaches(stub, delivery_id, delivery_pb2.DELIVERY_STATE_HELD)
        assert delivery.failure.reason == "NEEDS_AUTHORIZATION"
        assert "Authorize" in delivery.failure.remedy
    assert grant.refreshes == before + 2

    # A new consent, this time handed over by RPC, lets all of it out, in order.
    again = await consented(mailport, ACCOUNT)
    released = [await reaches(stub, delivery_id, delivery_pb2.DELIVERY_STATE_SENT) for delivery_id in held]
    assert again.authorized
    assert again.account == ACCOUNT
    assert again.configuration.active.number == draft.number
    assert_in_order(released)
    arrived = subjects_to(mailport, "anna@example.com", ACCOUNT)
    assert arrived[:3] == ["before the token's end", "after the token's end", "after the second token's end"]
    assert sorted(arrived[3:]) == ["held 1", "held 2", "held 3"]
    assert {message.username for message in mailport.sandbox.inbox} == {ACCOUNT}


@pytest.mark.parametrize("behaviour", Behaviour)
async def test_given_a_person_who_cancels_when_back_then_the_page_says_what_to_do_and_the_former_consent_stays(
    mailport: Mailport, browser_page: Page, behaviour: Behaviour
) -> None:
    stub, identity = mailport.stub, mailport.sandbox.identity
    await configure(stub, sandbox_settings(mailport, behaviour, ACCOUNT))
    await consented(mailport, ACCOUNT)
    await validate(stub)
    before = await read(stub)
    asked = identity.counters(behaviour).token_calls.total()
    if behaviour is not Behaviour.GOOGLE:  # which is always asked for prompt=consent
        identity.flow.forget_consents()
    session = await authorize(stub)

    page = await cancelling(browser_page, session.authorization_url, mailport.sandbox.password)

    text = await browser_page.inner_text("main")
    assert page.status == 400
    assert await browser_page.get_by_role("heading", level=1).inner_text() == "SMTP Settings Not Authorized"
    assert "What to do" in text
    assert "start the authorization again" in text
    assert_keeps_to_itself(page, session)
    after = await read(stub)
    assert after.consent.state == configuration_pb2.CONSENT_STATE_REFUSED
    assert after.consent.failure.reason == "AUTHORIZATION_DENIED"
    assert after.consent.failure.remedy.removeprefix("Call Authorize again") in text
    assert after.grant == before.grant
    assert identity.counters(behaviour).token_calls.total() == asked
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await complete(stub, page.url)
    assert (refused.value.code(), reason(refused.value)) == (grpc.StatusCode.INVALID_ARGUMENT, "STATE_INVALID")
    await sent(stub, "still going out")


async def test_given_a_scope_that_was_unticked_in_the_browser_when_back_then_the_page_names_it(
    mailport: Mailport, browser_page: Page
) -> None:
    """Google's page lets people untick single scopes (F30)."""
    stub = mailport.stub
    await configure(stub, sandbox_settings(mailport, Behaviour.GOOGLE, ACCOUNT))
    session = await authorize(stub)

    async with browser_page.expect_response(lambda answer: "/oauth/callback?" in answer.url) as landed:
        await consent_at_sandbox(
            browser_page,
            session.authorization_url,
            account=ACCOUNT,
            password=mailport.sandbox.password,
            untick=("https://mail.google.com/",),
        )
        await browser_page.wait_for_url("**/oauth/callback?*")

    text = await browser_page.inner_text("main")
    found = await read(stub)
    assert (await landed.value).status == 400
    assert "https://mail.google.com/" in text
    assert "tick everything" in text
    assert found.consent.failure.reason == "MISSING_SCOPE"
    assert not found.HasField("grant")
    assert found.draft.state == configuration_pb2.REVISION_STATE_NEEDS_AUTHORIZATION


async def test_given_save_and_authorize_when_a_person_consents_then_mail_goes_out_without_more_ado(
    mailport: Mailport, browser_page: Page
) -> None:
    stub = mailport.stub
    await configure(stub, sandbox_settings(mailport, Behaviour.MICROSOFT, ACCOUNT))
    session = await authorize(stub, save=True)

    page = await landing(browser_page, session.authorization_url, mailport.sandbox.password)

    assert page.status == 200
    found = await read(stub)
    assert found.active.state == configuration_pb2.REVISION_STATE_ACTIVE
    assert not found.HasField("draft")
    await sent(stub, "saved by consent")
