"""Tokens that take no person: client credentials, and a service account's assertions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from service.sandbox.identity.behaviour import TRAITS, Behaviour
from service.sandbox.identity.service_account import JWT_BEARER
from tests.unit.domain.keys import rsa_key
from tests.unit.service.sandbox.identity.client import ACCOUNT, WEB, OAuthClient

MAIL = {Behaviour.GOOGLE: "https://mail.google.com/", Behaviour.STRICT: "https://mail.sandbox.example/"}


def assertion(client: OAuthClient, *, signer: RSAKey | None = None, **changes: Any) -> str:
    key = json.loads(client.provider.service_account_key(WEB, client.behaviour))
    now = int(client.clock.now().timestamp())
    claims = {
        "iss": key["client_email"],
        "sub": ACCOUNT,
        "aud": client.endpoints.token,
        "scope": MAIL[client.behaviour],
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    own = RSAKey.import_key(key["private_key"])
    return jwt.encode({"alg": "RS256", "kid": key["private_key_id"]}, kept, signer or own, algorithms=["RS256"])


async def asked(client: OAuthClient, text: str) -> dict[str, Any]:
    form = {"grant_type": JWT_BEARER, "assertion": text}
    return dict((await client.http.post(client.endpoints.token, data=form)).json())


@pytest.mark.parametrize("behaviour", list(MAIL))
async def test_given_a_signed_assertion_when_asked_then_the_token_is_the_users(behaviour: Behaviour) -> None:
    client = OAuthClient(behaviour)

    body = await asked(client, assertion(client))

    tokens = client.provider.mail_tokens
    stranger = tokens.check(username="other@sandbox.example", token=body["access_token"])
    assert tokens.check(username=ACCOUNT, token=body["access_token"]) is None
    assert stranger is not None
    assert stranger.outcome == "wrong_user"
    assert "refresh_token" not in body
    assert body["expires_in"] == TRAITS[behaviour].access_token_lifetime.total_seconds()
    assert client.provider.counters(behaviour).token_calls == {JWT_BEARER: 1}


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"signer": RSAKey(rsa_key(), rsa_key())}, "invalid_grant", "Invalid JWT Signature."),
        ({"iss": "somebody@sandbox.iam.gserviceaccount.com"}, "invalid_grant", "account not found"),
        ({"aud": "https://oauth2.googleapis.com/token"}, "invalid_grant", "audience"),
        ({"exp": None}, "invalid_grant", "short-lived"),
        ({"iat": 0, "exp": 3600}, "invalid_grant", "short-lived"),
        ({"exp": 4_000_000_000}, "invalid_grant", "short-lived"),
        ({"sub": None}, "invalid_grant", "User ID"),
        ({"scope": ""}, "invalid_scope", "Invalid OAuth scope"),
        ({"scope": "https://www.googleapis.com/auth/gmail.send"}, "unauthorized_client", "unauthorized to retrieve"),
    ],
)
async def test_given_an_assertion_that_is_not_good_when_asked_then_googles_words_say_why(
    changes: dict[str, Any], error: str, text: str
) -> None:
    client = OAuthClient(Behaviour.GOOGLE)

    body = await asked(client, assertion(client, **changes))

    assert body["error"] == error
    assert text in body["error_description"]


@pytest.mark.parametrize("form", [{}, {"assertion": "no.jw.t"}])
async def test_given_no_assertion_when_asked_then_it_is_an_error(form: dict[str, str]) -> None:
    client = OAuthClient(Behaviour.STRICT)

    answer = await client.http.post(client.endpoints.token, data={"grant_type": JWT_BEARER, **form})

    assert answer.status_code == 400
    assert answer.json()["error"] == ("invalid_grant" if form else "invalid_request")


async def test_given_microsoft_when_an_assertion_is_asked_with_then_the_grant_type_is_not_known() -> None:
    client = OAuthClient(Behaviour.MICROSOFT)

    answer = await client.token(JWT_BEARER, assertion="x")

    assert answer.json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("behaviour", [Behaviour.MICROSOFT, Behaviour.STRICT])
async def test_given_client_credentials_when_asked_then_the_token_opens_any_mailbox(behaviour: Behaviour) -> None:
    client = OAuthClient(behaviour)

    body = (await client.token("client_credentials", scope=TRAITS[behaviour].app_scope)).json()

    assert client.provider.mail_tokens.check(username="anybody@x.example", token=body["access_token"]) is None
    assert "refresh_token" not in body


@pytest.mark.parametrize(
    ("behaviour", "scope", "error"),
    [
        (Behaviour.GOOGLE, "https://mail.google.com/", "unauthorized_client"),
        (Behaviour.STRICT, "", "invalid_scope"),
        (Behaviour.STRICT, "openid https://mail.sandbox.example/", "invalid_scope"),
        (Behaviour.STRICT, "unknown", "invalid_scope"),
    ],
)
async def test_given_client_credentials_that_are_not_given_when_asked_then_it_is_an_error(
    behaviour: Behaviour, scope: str, error: str
) -> None:
    client = OAuthClient(behaviour)

    body = (await client.token("client_credentials", scope=scope)).json()

    assert body["error"] == error


@pytest.mark.parametrize("behaviour", list(Behaviour))
async def test_given_the_key_files_address_when_read_then_it_is_the_providers_own_or_nothing(
    behaviour: Behaviour,
) -> None:
    client = OAuthClient(behaviour)
    has_key = behaviour is not Behaviour.MICROSOFT

    answer = await client.http.get(f"{client.endpoints.issuer}/service-account.json")

    assert answer.status_code == (200 if has_key else 404)
    assert not has_key or answer.text == client.provider.service_account_key(WEB, behaviour)
    assert bool(client.endpoints.service_account_key) is has_key
