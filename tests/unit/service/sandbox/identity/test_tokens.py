"""The token endpoint: what a code and a refresh token bring at each behaviour, and what ends a grant."""

from __future__ import annotations

import base64
from datetime import timedelta
from urllib.parse import quote_plus

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from service.sandbox.identity.behaviour import Behaviour
from tests.unit.service.sandbox.identity.client import ACCOUNT, REDIRECT, VERIFIER, OAuthClient

EVERY = pytest.mark.parametrize("behaviour", list(Behaviour))
OUTLOOK, GRAPH = "https://outlook.office.com/SMTP.Send", "https://graph.microsoft.com/Mail.Send"


@EVERY
async def test_given_a_code_when_exchanged_then_tokens_come_and_a_second_exchange_is_refused(
    behaviour: Behaviour,
) -> None:
    client = OAuthClient(behaviour)
    code = client.consent()

    first, second = await client.exchange(code), await client.exchange(code)

    body = first.json()
    assert first.headers["cache-control"] == "no-store"
    assert body["token_type"] == "Bearer"
    assert body["refresh_token"]
    assert second.status_code == 400
    assert second.json()["error"] == "invalid_grant"


@EVERY
@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"redirect_uri": REDIRECT + "/"},
        {"redirect_uri": ""},
        {"code": "4/0Amadeup"},
    ],
)
async def test_given_a_wrong_part_when_exchanging_then_invalid_grant_and_the_code_is_still_good(
    behaviour: Behaviour, changes: dict[str, str]
) -> None:
    client = OAuthClient(behaviour)
    code = client.consent()

    wrong = await client.exchange(code, **changes)
    right = await client.exchange(code)

    assert wrong.json()["error"] == "invalid_grant"
    assert right.status_code == 200


@EVERY
async def test_given_a_code_of_another_minute_when_exchanged_then_it_has_expired(behaviour: Behaviour) -> None:
    client = OAuthClient(behaviour)
    code = client.consent()
    client.clock.move(seconds=60)

    answer = await client.exchange(code)

    assert answer.json()["error"] == "invalid_grant"


@EVERY
async def test_given_basic_authentication_when_exchanging_then_it_is_taken(behaviour: Behaviour) -> None:
    client = OAuthClient(behaviour)
    form = {"grant_type": "authorization_code", "code": client.consent(), "redirect_uri": REDIRECT}
    name, secret = client.provider.client_id(behaviour), client.provider.client_secret(behaviour)
    credentials = base64.b64encode(f"{quote_plus(name)}:{quote_plus(secret)}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}

    refused = await client.http.post(
        client.endpoints.token, data=form, headers={"Authorization": f"Basic {credentials[:-8]}"}
    )
    answer = await client.http.post(client.endpoints.token, data={**form, "code_verifier": VERIFIER}, headers=headers)

    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert refused.headers["www-authenticate"].startswith("Basic ")
    assert answer.status_code == 200


@EVERY
async def test_given_openid_when_exchanging_then_the_id_token_says_who_consented(behaviour: Behaviour) -> None:
    """F34."""
    client = OAuthClient(behaviour)

    body = await client.tokens()

    keys = KeySet.import_key_set((await client.http.get(client.endpoints.keys)).json())
    claims = jwt.decode(body["id_token"], keys, algorithms=["RS256"]).claims
    assert claims["iss"] == client.endpoints.issuer
    assert claims["aud"] == client.provider.client_id(behaviour)
    assert (claims["email"], claims["nonce"]) == (ACCOUNT, "n1")
    assert claims.get("preferred_username") == (ACCOUNT if behaviour is Behaviour.MICROSOFT else None)


async def test_given_google_when_consenting_again_then_only_prompt_consent_brings_another_refresh_token() -> None:
    client = OAuthClient(Behaviour.GOOGLE)

    online = await client.tokens(access_type=None, prompt=None, account="online@sandbox.example")
    first = await client.tokens(prompt=None)
    second = await client.tokens(prompt=None)
    prompted = await client.tokens(prompt="consent")
    client.provider.withdraw_consent(ACCOUNT)
    anew = await client.tokens(prompt=None)

    found = ["refresh_token" in answer for answer in (online, first, second, prompted, anew)]
    assert found == [False, True, False, True, True]


async def test_given_google_when_refreshing_then_no_refresh_token_comes_and_the_old_one_works_on() -> None:
    """F27."""
    client = OAuthClient(Behaviour.GOOGLE)
    token = (await client.tokens())["refresh_token"]

    answers = [(await client.refresh(token)).json() for _ in range(3)]

    assert all("refresh_token" not in answer for answer in answers)
    assert len({answer["access_token"] for answer in answers}) == 3


async def test_given_unticked_scopes_when_exchanging_with_google_then_only_the_answer_tells() -> None:
    client = OAuthClient(Behaviour.GOOGLE)

    body = await client.tokens(ticked=frozenset())

    assert body["scope"] == "openid email"


async def test_given_microsoft_without_offline_access_when_exchanging_then_there_is_no_refresh_token() -> None:
    client = OAuthClient(Behaviour.MICROSOFT)
    code = client.consent(scope=OUTLOOK)

    body = (await client.exchange(code, scope=OUTLOOK)).json()

    assert "refresh_token" not in body


async def test_given_microsoft_when_refreshing_then_a_new_refresh_token_comes_and_the_old_one_works_on() -> None:
    client = OAuthClient(Behaviour.MICROSOFT)
    old = (await client.tokens())["refresh_token"]

    new = (await client.refresh(old)).json()["refresh_token"]
    again = await client.refresh(old)

    assert new != old
    assert again.status_code == 200
    assert client.provider.counters(Behaviour.MICROSOFT).reuse_detected == 0


async def test_given_one_microsoft_consent_when_refreshing_by_resource_then_a_token_for_each_comes() -> None:
    client = OAuthClient(Behaviour.MICROSOFT)
    token = (await client.tokens())["refresh_token"]

    outlook = (await client.refresh(token, scope=OUTLOOK)).json()
    graph = (await client.refresh(token, scope=f"{GRAPH} offline_access")).json()
    both = await client.refresh(token, scope=f"{OUTLOOK} {GRAPH}")
    foreign = await client.refresh(token, scope="https://graph.microsoft.com/Mail.ReadWrite")

    assert "outlook.office.com/smtp.send" in outlook["scope"]
    assert "graph" not in outlook["scope"]
    assert "graph.microsoft.com/mail.send" in graph["scope"]
    assert (both.json()["error"], both.json()["error_codes"]) == ("invalid_request", [28000])
    assert (foreign.json()["error"], foreign.json()["suberror"]) == ("invalid_grant", "consent_required")


async def test_given_a_microsoft_error_when_answered_then_it_is_in_its_form() -> None:
    client = OAuthClient(Behaviour.MICROSOFT)

    body = (await client.refresh("made-up")).json()

    assert body["error_description"].startswith("AADSTS70000: ")
    assert f"Trace ID: {body['trace_id']} Correlation ID: {body['correlation_id']}" in body["error_description"]
    assert body["error_codes"] == [70000]


async def test_given_the_strict_provider_when_a_replaced_token_is_used_then_the_whole_grant_ends() -> None:
    """F26."""
    client = OAuthClient(Behaviour.STRICT)
    first = (await client.tokens())["refresh_token"]
    second = (await client.refresh(first)).json()["refresh_token"]

    reused = await client.refresh(first)
    innocent = await client.refresh(second)

    assert reused.json()["error"] == innocent.json()["error"] == "invalid_grant"
    counters = client.provider.counters(Behaviour.STRICT)
    assert (counters.reuse_detected, counters.grants_ended) == (1, 1)
    assert counters.token_calls == {"authorization_code": 1, "refresh_token": 3}
    assert counters.token_answers == {"ok": 2, "invalid_grant": 2}
    (grant,) = client.provider.grants
    assert (grant.exchanges, grant.refreshes, grant.reuse_detected, grant.is_alive) == (1, 1, 1, False)


async def test_given_the_strict_provider_when_a_code_is_used_twice_then_its_tokens_end_too() -> None:
    client = OAuthClient(Behaviour.STRICT)
    code = client.consent()
    token = (await client.exchange(code)).json()["refresh_token"]

    await client.exchange(code)

    assert (await client.refresh(token)).json()["error"] == "invalid_grant"


@EVERY
async def test_given_a_withdrawn_consent_when_refreshing_then_invalid_grant(behaviour: Behaviour) -> None:
    """F29."""
    client = OAuthClient(behaviour)
    token = (await client.tokens())["refresh_token"]

    ended = client.provider.withdraw_consent(ACCOUNT.upper())

    assert ended == 1
    assert (await client.refresh(token)).json()["error"] == "invalid_grant"


@EVERY
async def test_given_another_client_secret_when_refreshing_then_invalid_client_and_the_grant_lives(
    behaviour: Behaviour,
) -> None:
    client = OAuthClient(behaviour)
    token = (await client.tokens())["refresh_token"]

    wrong = await client.refresh(token, client_secret="old")
    client.provider.change_client_secret(behaviour, "new")
    right = await client.refresh(token)

    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert right.status_code == 200


@EVERY
async def test_given_short_lifetimes_when_asked_for_in_the_url_then_the_tokens_have_them(behaviour: Behaviour) -> None:
    client = OAuthClient(behaviour, access_token_lifetime=timedelta(seconds=30))

    usual = await client.tokens()
    short = await client.tokens(access_token_seconds="5", refresh_token_seconds="60")
    client.clock.move(seconds=60)
    refreshed = await client.refresh(short["refresh_token"])

    assert (usual["expires_in"], short["expires_in"]) == (30, 5)
    assert refreshed.json()["error"] == "invalid_grant"


async def test_given_a_client_on_its_own_behalf_when_asking_microsoft_then_a_token_without_refresh_token_comes() -> (
    None
):
    client = OAuthClient(Behaviour.MICROSOFT)

    body = (await client.token("client_credentials", scope="https://outlook.office365.com/.default")).json()
    refused = (await client.token("client_credentials", scope=OUTLOOK)).json()

    assert body["access_token"]
    assert "refresh_token" not in body
    assert refused["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"grant_type":"refresh_token"}', "application/json"),
        (b"grant_type=refresh_token&grant_type=refresh_token", "application/x-www-form-urlencoded"),
        (b"a=%FF", "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"", "application/x-www-form-urlencoded"),
    ],
)
async def test_given_no_proper_form_when_posted_then_invalid_request(content: bytes, content_type: str) -> None:
    client = OAuthClient(Behaviour.STRICT)

    answer = await client.http.post(client.endpoints.token, content=content, headers={"Content-Type": content_type})

    # an empty form is a proper one, of nobody
    assert answer.json()["error"] == ("invalid_request" if content else "invalid_client")
