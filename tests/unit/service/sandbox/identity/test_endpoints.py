"""Everything else over HTTP: faults on request, revocation, introspection, discovery, control."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.clients import RESOURCE_SERVER_ID, RESOURCE_SERVER_SECRET
from service.sandbox.identity.faults import Fault
from tests.unit.service.sandbox.identity.client import ACCOUNT, OAuthClient

IDENTITY = "/sandbox/identity"
FAULTS = {
    Fault.INVALID_GRANT: (400, "invalid_grant"),
    Fault.INVALID_CLIENT: (401, "invalid_client"),
    Fault.TEMPORARILY_UNAVAILABLE: (400, "temporarily_unavailable"),
    Fault.SERVER_ERROR: (500, "server_error"),
    Fault.HTML_503: (503, "<h1>"),
    Fault.TOO_MANY_REQUESTS: (429, "rate_limit_exceeded"),
    Fault.TRUNCATED_JSON: (200, '{"access_token":"'),
}


@pytest.mark.parametrize("behaviour", list(Behaviour))
@pytest.mark.parametrize("fault", list(FAULTS))
async def test_given_a_planned_fault_when_refreshing_then_it_strikes_once_and_the_grant_lives(
    behaviour: Behaviour, fault: Fault
) -> None:
    client = OAuthClient(behaviour)
    token = (await client.tokens())["refresh_token"]
    client.provider.fail_next(fault, grant_type="refresh_token")

    struck, after = await client.refresh(token), await client.refresh(token)

    status_code, text = FAULTS[fault]
    assert struck.status_code == status_code
    assert text in struck.text
    assert struck.headers.get("retry-after") == ("30" if fault is Fault.TOO_MANY_REQUESTS else None)
    assert after.status_code == 200
    assert client.provider.counters(behaviour).token_answers[fault] == 1


async def test_given_a_lost_answer_when_refreshing_then_the_token_was_rotated_all_the_same() -> None:
    client = OAuthClient(Behaviour.STRICT)
    token = (await client.tokens())["refresh_token"]
    client.provider.fail_next(Fault.LOST_ANSWER)

    lost = await client.refresh(token)

    with pytest.raises(ValueError, match="Unterminated"):
        lost.json()
    assert (await client.refresh(token)).json()["error"] == "invalid_grant"
    assert client.provider.counters(Behaviour.STRICT).reuse_detected == 1


async def test_given_a_silent_provider_when_refreshing_then_no_answer_comes_in_its_time() -> None:
    client = OAuthClient(Behaviour.STRICT, silence=timedelta(milliseconds=50))
    token = (await client.tokens(account="silent@sandbox.example"))["refresh_token"]
    began = asyncio.get_running_loop().time()

    answer = await client.refresh(token)

    assert answer.status_code == 504
    assert asyncio.get_running_loop().time() - began >= 0.05


async def test_given_an_account_without_refresh_token_when_exchanging_then_an_access_token_alone_comes() -> None:
    client = OAuthClient(Behaviour.STRICT)

    body = await client.tokens(account="norefresh@sandbox.example")

    assert body["access_token"]
    assert "refresh_token" not in body


@pytest.mark.parametrize("behaviour", list(Behaviour))
async def test_given_an_account_that_grants_less_when_exchanging_then_the_mail_scope_is_missing(
    behaviour: Behaviour,
) -> None:
    client = OAuthClient(behaviour)

    answer = await client.exchange(client.consent(account="less@sandbox.example"), scope="")

    assert "mail" not in answer.json()["scope"].replace("email", "")
    assert "openid" in answer.json()["scope"]


async def test_given_google_when_revoking_then_all_grants_of_the_account_end_and_a_dead_token_is_400() -> None:
    client = OAuthClient(Behaviour.GOOGLE)
    first, second = await client.tokens(), await client.tokens()
    other = await client.tokens(account="other@sandbox.example")

    revoked = await client.http.post(client.endpoints.revocation, data={"token": first["refresh_token"]})
    again = await client.http.post(client.endpoints.revocation, data={"token": second["refresh_token"]})

    assert revoked.status_code == 200
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")
    assert (await client.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await client.refresh(other["refresh_token"])).status_code == 200


async def test_given_the_strict_provider_when_revoking_then_it_asks_who_and_takes_an_unknown_token() -> None:
    """RFC 7009 section 2.2."""
    client = OAuthClient(Behaviour.STRICT)
    tokens = await client.tokens()
    own = {
        "client_id": client.provider.client_id(Behaviour.STRICT),
        "client_secret": client.provider.client_secret(Behaviour.STRICT),
    }

    nobody = await client.http.post(client.endpoints.revocation, data={"token": tokens["refresh_token"]})
    alive = await client.refresh(tokens["refresh_token"])
    unknown = await client.http.post(client.endpoints.revocation, data={"token": "x", **own})
    done = await client.http.post(client.endpoints.revocation, data={"token": alive.json()["access_token"], **own})

    assert (nobody.status_code, alive.status_code, unknown.status_code, done.status_code) == (401, 200, 200, 200)
    assert (await client.refresh(alive.json()["refresh_token"])).json()["error"] == "invalid_grant"


async def test_given_microsoft_when_revoking_then_there_is_no_endpoint() -> None:
    client = OAuthClient(Behaviour.MICROSOFT)

    answer = await client.http.post(f"{client.endpoints.issuer}/revoke", data={"token": "x"})
    configuration = (await client.http.get(client.endpoints.configuration)).json()

    assert client.endpoints.revocation == ""
    assert answer.status_code == 404
    assert "revocation_endpoint" not in configuration
    assert configuration["authorization_response_iss_parameter_supported"] is False


async def test_given_a_token_when_introspected_then_its_user_is_told_until_it_ends_and_never_to_strangers() -> None:
    client = OAuthClient(Behaviour.STRICT)
    token = (await client.tokens())["access_token"]
    server = {"client_id": RESOURCE_SERVER_ID, "client_secret": RESOURCE_SERVER_SECRET}

    alive = (await client.http.post(client.endpoints.introspection, data={"token": token, **server})).json()
    stranger = await client.http.post(client.endpoints.introspection, data={"token": token})
    who = await client.http.get(client.endpoints.userinfo, headers={"Authorization": f"Bearer {token}"})
    client.clock.move(hours=1)
    over = (await client.http.post(client.endpoints.introspection, data={"token": token, **server})).json()
    nobody = await client.http.get(client.endpoints.userinfo, headers={"Authorization": f"Bearer {token}"})

    assert (alive["active"], alive["username"]) == (True, ACCOUNT)
    assert who.json()["email"] == ACCOUNT
    assert who.json()["sub"] == alive["sub"]
    assert stranger.status_code == 401
    assert over == {"active": False}
    assert nobody.status_code == 401


async def test_given_scripts_when_they_plan_withdraw_change_and_reset_then_it_is_so() -> None:
    client = OAuthClient(Behaviour.STRICT)
    token = (await client.tokens())["refresh_token"]

    planned = await client.http.post(f"{IDENTITY}/control/faults", json={"fault": "html_503", "behaviour": "strict"})
    struck = await client.refresh(token)
    changed = await client.http.post(
        f"{IDENTITY}/control/client",
        json={"behaviour": "strict", "client_secret": "new", "redirect_uri": "https://app.example/cb"},
    )
    counters = (await client.http.get(f"{IDENTITY}/counters.json")).json()
    withdrawn = await client.http.post(f"{IDENTITY}/control/withdraw", json={"account": ACCOUNT})
    reset = await client.http.post(f"{IDENTITY}/control/reset", json={})

    assert planned.json() == {"planned": 1}
    assert struck.status_code == 503
    assert changed.status_code == 200
    assert client.provider.client_secret(Behaviour.STRICT) == "new"
    assert client.provider.consent(client.url(redirect_uri="https://app.example/cb"), account=ACCOUNT).startswith(
        "https://app.example/cb?code="
    )
    assert counters["strict"]["token_calls"] == {"authorization_code": 1, "refresh_token": 1}
    assert counters["strict"]["token_answers"] == {"ok": 1, "html_503": 1}
    assert [grant["account"] for grant in counters["grants"]] == [ACCOUNT]
    assert "refresh_token" not in counters["grants"][0]
    assert withdrawn.json() == {"withdrawn": 1}
    assert reset.status_code == 200
    assert client.provider.counters(Behaviour.STRICT).token_calls == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"fault": "earthquake"}),
        ("faults", {"fault": "timeout", "times": 0}),
        ("faults", {"fault": "timeout", "times": True}),
        ("faults", {"fault": "timeout", "behaviour": "yahoo"}),
        ("faults", {"fault": "timeout", "now": 1}),
        ("client", {"client_secret": "x"}),
        ("withdraw", []),
        ("reset", {"x": 1}),
    ],
)
async def test_given_a_wrong_wish_when_a_script_posts_it_then_it_is_told_what_is_wrong(path: str, body: object) -> None:
    client = OAuthClient(Behaviour.STRICT)

    answer = await client.http.post(f"{IDENTITY}/control/{path}", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_given_a_form_of_a_foreign_page_when_posted_to_the_control_then_nothing_happens() -> None:
    client = OAuthClient(Behaviour.STRICT)

    answer = await client.http.post(f"{IDENTITY}/control/reset", content=b"{}", headers={"Content-Type": "text/plain"})

    assert answer.status_code == 400


async def test_given_somebody_who_waits_when_a_consent_is_given_then_they_are_woken_and_else_time_out() -> None:
    client = OAuthClient(Behaviour.GOOGLE)
    waiting = asyncio.create_task(client.provider.wait_for_consent(Behaviour.GOOGLE))
    await asyncio.sleep(0)

    client.consent()

    assert (await waiting).consents == 1
    with pytest.raises(TimeoutError, match="did not see"):
        await client.provider.wait_for_consent(Behaviour.GOOGLE, count=2, within=timedelta(milliseconds=20))
