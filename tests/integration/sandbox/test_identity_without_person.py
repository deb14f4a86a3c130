"""From settings without a person to a sign-in at the sandbox's mail server: rules, client and sandbox together."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from adapters.oauth.client import OAuthClient
from domain.failures.failure import FailureKind
from domain.secret import Secret
from domain.settings.model import GrantType, OAuthAuthentication
from domain.settings.written import WrittenOAuth
from domain.token import TokenAnswer, TokenRefusal
from service.sandbox.identity.behaviour import TRAITS, Behaviour
from service.sandbox.sandbox import Sandbox
from service.web.server import WebServer
from tests.integration.oauth.asking import an_oauth_client, granted_of, refusal_of
from tests.integration.sandbox.conftest import session
from tests.unit.domain.keys import json_key
from tests.unit.domain.settings.samples import parse, smtp, written

USER = "alerts@sandbox.example"
STRANGER = "somebody@sandbox.example"
PROVIDER = {Behaviour.GOOGLE: "GOOGLE", Behaviour.MICROSOFT: "MICROSOFT", Behaviour.STRICT: "CUSTOM"}
SERVER = {
    Behaviour.GOOGLE: "smtp.gmail.com",
    Behaviour.MICROSOFT: "smtp.office365.com",
    Behaviour.STRICT: "mail.sandbox.example",
}
APP, ACCOUNT = GrantType.CLIENT_CREDENTIALS, GrantType.JWT_BEARER
KINDS = [
    (Behaviour.MICROSOFT, APP),
    (Behaviour.STRICT, APP),
    (Behaviour.GOOGLE, ACCOUNT),
    (Behaviour.STRICT, ACCOUNT),
]


@pytest.fixture
async def web_url(sandbox: Sandbox) -> AsyncIterator[str]:
    server = WebServer(host="127.0.0.1", port=0)
    await server.start(sandbox.site)
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()


def an_authentication(
    sandbox: Sandbox, web_url: str, behaviour: Behaviour, grant_type: GrantType, *, secret: str = ""
) -> OAuthAuthentication:
    """Returns what the rules make of settings with the sandbox's token endpoint."""
    identity = sandbox.identity
    is_account = grant_type is ACCOUNT
    known = identity.service_account_key(web_url, behaviour) if is_account else identity.client_secret(behaviour)
    oauth = WrittenOAuth(
        provider=PROVIDER[behaviour],
        grant_type=grant_type,
        client_id="" if is_account else identity.client_id(behaviour),
        client_secret=Secret(secret or known),
        token_endpoint=identity.endpoints(web_url, behaviour).token,
        scopes=("https://mail.sandbox.example/",) if behaviour is Behaviour.STRICT else (),
        username=USER,
    )
    settings = parse(written(transport=smtp(host=SERVER[behaviour]), authentication=oauth)).settings
    assert isinstance(settings.authentication, OAuthAuthentication)
    return settings.authentication


async def acquire(authentication: OAuthAuthentication) -> TokenAnswer | TokenRefusal:
    client: OAuthClient = an_oauth_client()
    return await client.acquire(authentication, scopes=authentication.scopes)


def sign_in(sandbox: Sandbox, user: str, token: Secret) -> list[int]:
    response = base64.b64encode(f"user={user}\x01auth=Bearer {token.reveal()}\x01\x01".encode()).decode()
    with session(sandbox, login=False) as client:
        lines = ("AUTH XOAUTH2", response, f"MAIL FROM:<{user}>", "RCPT TO:<you@sandbox.example>")
        return [client.docmd(line)[0] for line in lines]


@pytest.mark.parametrize(("behaviour", "grant_type"), KINDS)
async def test_given_settings_without_a_person_when_acquired_then_the_mail_server_takes_mail_of_the_user(
    sandbox: Sandbox, web_url: str, behaviour: Behaviour, grant_type: GrantType
) -> None:
    granted = granted_of(await acquire(an_authentication(sandbox, web_url, behaviour, grant_type)))

    codes = await asyncio.to_thread(sign_in, sandbox, USER, granted.access_token)
    assert codes == [334, 235, 250, 250]
    assert granted.refresh_token is None
    assert granted.expires_in == TRAITS[behaviour].access_token_lifetime
    assert sandbox.identity.counters(behaviour).consents == 0


async def test_given_a_token_for_one_user_when_another_signs_in_then_it_is_refused(
    sandbox: Sandbox, web_url: str
) -> None:
    granted = granted_of(await acquire(an_authentication(sandbox, web_url, Behaviour.GOOGLE, ACCOUNT)))

    codes = await asyncio.to_thread(sign_in, sandbox, STRANGER, granted.access_token)

    assert codes[:2] == [334, 334]
    assert sandbox.identity.counters(Behaviour.GOOGLE).mail_sign_ins == {"wrong_user": 1}


async def test_given_a_wrong_client_secret_when_acquired_then_the_remedy_is_a_new_one(
    sandbox: Sandbox, web_url: str
) -> None:
    authentication = an_authentication(sandbox, web_url, Behaviour.MICROSOFT, APP, secret="its-id-instead")

    refusal = refusal_of(await acquire(authentication))

    assert (refusal.error, refusal.failure.kind) == ("invalid_client", FailureKind.MISCONFIGURED)
    assert "enter its Value" in refusal.failure.remedy


async def test_given_another_accounts_key_when_acquired_then_google_does_not_take_it(
    sandbox: Sandbox, web_url: str
) -> None:
    authentication = an_authentication(sandbox, web_url, Behaviour.GOOGLE, ACCOUNT, secret=json_key())

    refusal = refusal_of(await acquire(authentication))

    assert (refusal.error, refusal.failure.kind) == ("invalid_grant", FailureKind.MISCONFIGURED)
    assert "key" in refusal.failure.remedy
