"""The assertions of service accounts: what they claim, and keys that cannot sign."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.jwk import RSAKey

from adapters.oauth.assertion import KeyUnusable, read_key, sign_assertion
from domain.secret import Secret
from domain.settings.model import GrantType, OAuthAuthentication
from tests.fakes.environment import START
from tests.integration.oauth.asking import a_client
from tests.unit.domain.keys import ACCOUNT, KEY_ID, json_key, pem, rsa_key

SCOPES = ("https://mail.google.com/", "https://www.googleapis.com/auth/gmail.imap_admin")


def an_account(secret: str) -> OAuthAuthentication:
    return replace(
        a_client("https://oauth2.googleapis.com/token"),
        client_id=ACCOUNT,
        client_secret=Secret(secret),
        grant_type=GrantType.JWT_BEARER,
    )


def signed(secret: str, *, scopes: tuple[str, ...] = SCOPES) -> jwt.Token:
    client = an_account(secret)
    assertion = sign_assertion(client, read_key(client), scopes=scopes, now=START)
    return jwt.decode(assertion.reveal(), RSAKey(rsa_key(), rsa_key()), algorithms=["RS256"])


@pytest.mark.parametrize("secret", [json_key(), pem(), pem(is_pkcs1=True)], ids=["json", "pkcs8", "pkcs1"])
def test_given_a_key_when_signing_then_google_finds_all_that_it_asks_for(secret: str) -> None:
    assert signed(secret).claims == {
        "iss": ACCOUNT,
        "sub": "robot@example.com",
        "aud": "https://oauth2.googleapis.com/token",
        "scope": "https://mail.google.com/ https://www.googleapis.com/auth/gmail.imap_admin",
        "iat": int(START.timestamp()),
        "exp": int(START.timestamp()) + 3600,
    }


@pytest.mark.parametrize(("secret", "named"), [(json_key(), {"kid": KEY_ID}), (pem(), {})], ids=["json", "pem"])
def test_given_a_key_with_a_name_when_signing_then_the_header_says_which(secret: str, named: dict[str, str]) -> None:
    assert signed(secret).header == {"alg": "RS256", "typ": "JWT", **named}


def test_given_no_scopes_when_signing_then_none_are_claimed() -> None:
    assert "scope" not in signed(pem(), scopes=()).claims


@pytest.mark.parametrize(
    "secret",
    [
        "GOCSPX-a-client-secret",
        "-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
    ],
    ids=["secret", "damaged", "elliptic", "short"],
)
def test_given_a_key_that_cannot_sign_when_signing_then_that_alone_is_said(secret: str) -> None:
    client = an_account(secret)

    with pytest.raises(KeyUnusable) as refused:
        sign_assertion(client, read_key(client), scopes=SCOPES, now=START)

    assert "KEY" not in str(refused.value)
