"""Tokens without a person over HTTP: what is sent, and what of it an answer may repeat."""

from __future__ import annotations

from dataclasses import replace

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from domain.failures.failure import FailureKind
from domain.secret import Secret
from domain.settings.model import GrantType, OAuthAuthentication
from tests.fakes.environment import START, FakeClock
from tests.integration.oauth.asking import CLIENT_SECRET, a_client, an_oauth_client, granted_of, refusal_of
from tests.integration.oauth.token_endpoint import TokenEndpoint, answer
from tests.unit.domain.keys import ACCOUNT, json_key, pem, rsa_key

OUTLOOK = "https://outlook.office365.com/.default"
MAIL = "https://mail.google.com/"
GRANTING = answer({"access_token": "AT1", "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599})


def an_app(endpoint: str) -> OAuthAuthentication:
    return replace(a_client(endpoint), grant_type=GrantType.CLIENT_CREDENTIALS)


def an_account(endpoint: str) -> OAuthAuthentication:
    return replace(
        a_client(endpoint),
        client_id=ACCOUNT,
        client_secret=Secret(json_key()),
        grant_type=GrantType.JWT_BEARER,
    )


async def test_given_an_app_when_acquiring_then_secret_and_scope_go_in_the_form() -> None:
    async with TokenEndpoint(GRANTING) as endpoint:
        granted = granted_of(await an_oauth_client().acquire(an_app(endpoint.url), scopes=(OUTLOOK,)))

    assert granted.access_token == Secret("AT1")
    assert endpoint.asked[0].form == {
        "grant_type": "client_credentials",
        "scope": OUTLOOK,
        "client_id": "mailport",
        "client_secret": CLIENT_SECRET,
    }


async def test_given_an_account_when_acquiring_then_an_assertion_of_this_hour_goes_and_never_the_key() -> None:
    clock = FakeClock()
    async with TokenEndpoint(GRANTING) as endpoint:
        client = an_account(endpoint.url)
        granted = granted_of(await an_oauth_client(clock=clock).acquire(client, scopes=(MAIL,)))

    form = endpoint.asked[0].form
    claims = jwt.decode(form["assertion"], RSAKey(rsa_key(), rsa_key()), algorithms=["RS256"]).claims
    assert granted.access_token == Secret("AT1")
    assert form.keys() == {"grant_type", "assertion"}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert (claims["iss"], claims["sub"], claims["aud"]) == (ACCOUNT, "robot@example.com", endpoint.url)
    assert (claims["iat"], claims["exp"]) == (int(START.timestamp()), int(START.timestamp()) + 3600)


async def test_given_an_answer_that_repeats_the_assertion_when_acquiring_then_nothing_of_it_is_told() -> None:
    async with TokenEndpoint(answer({})) as endpoint:
        client = an_account(endpoint.url)
        await an_oauth_client(clock=FakeClock()).acquire(client, scopes=(MAIL,))
        assertion = endpoint.asked[0].form["assertion"]
        endpoint.answers[:] = [
            answer({"error": "invalid_grant", "error_description": f"Invalid JWT {assertion}"}, status=400)
        ]
        refusal = refusal_of(await an_oauth_client(clock=FakeClock()).acquire(client, scopes=(MAIL,)))

    signature = assertion.rpartition(".")[2]
    assert assertion[:40] not in f"{refusal}"
    assert signature[:20] not in f"{refusal}"


@pytest.mark.parametrize("told", [pem(), json_key(), pem().splitlines()[3]], ids=["pem", "json", "line"])
async def test_given_an_answer_that_repeats_the_key_when_acquiring_then_nothing_of_it_is_told(told: str) -> None:
    body = {"error": "invalid_grant", "error_description": f"seen: {told}"}
    async with TokenEndpoint(answer(body, status=400)) as endpoint:
        refusal = refusal_of(await an_oauth_client().acquire(an_account(endpoint.url), scopes=(MAIL,)))

    assert not any(line in f"{refusal}" for line in pem().splitlines() if "-----" not in line)


@pytest.mark.parametrize(
    ("grant_type", "description", "words"),
    [
        (GrantType.CLIENT_CREDENTIALS, "AADSTS7000229: The client application is missing service principal in the "
         "tenant.", "grant consent for the app"),
        (GrantType.JWT_BEARER, "Client is unauthorized to retrieve access tokens using this method, or client not "
         "authorized for any of the scopes requested.", "Domain-wide delegation"),
    ],
)  # fmt: skip
async def test_given_a_providers_own_words_when_acquiring_then_the_remedy_is_the_administrators(
    grant_type: GrantType, description: str, words: str
) -> None:
    body = {"error": "unauthorized_client", "error_description": description}
    async with TokenEndpoint(answer(body, status=401)) as endpoint:
        client = an_account(endpoint.url) if grant_type is GrantType.JWT_BEARER else an_app(endpoint.url)
        refusal = refusal_of(await an_oauth_client().acquire(client, scopes=(MAIL,)))

    assert refusal.failure.kind is FailureKind.MISCONFIGURED
    assert words in refusal.failure.remedy
