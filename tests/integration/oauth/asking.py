"""What the tests of the OAuth adapter share: a client of ours, settings for an endpoint, and the three questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from adapters.oauth.client import OAuthClient
from adapters.system.clock import SystemClock
from domain.ports.authorization import AuthorizationServer
from domain.ports.environment import Clock
from domain.ports.network import ResolutionFailed
from domain.secret import Secret
from domain.settings.model import OAuthAuthentication, OAuthProvider
from domain.token import TokenAnswer, TokenRefusal
from tests.fakes.network import FakeResolver

CODE, VERIFIER = Secret("4/0AbC+dE!x*.y~_-CODE-SECRET"), Secret("VERIFIER-SECRET-0123456789-0123456789-0123456789")
REFRESH_TOKEN = Secret("1//RT-SECRET")
CLIENT_SECRET = "CS-SECRET/+=&% ü"
REDIRECT_URL = "https://mail.example.com/oauth/callback?a=b&c=d"
SCOPES = ("https://mail.example.test/", "openid")


def a_client(
    endpoint: str, *, provider: OAuthProvider = OAuthProvider.CUSTOM, revocation_endpoint: str = ""
) -> OAuthAuthentication:
    return OAuthAuthentication(
        provider=provider,
        client_id="mailport",
        client_secret=Secret(CLIENT_SECRET),
        authorization_endpoint="https://id.example.com/authorize",
        token_endpoint=endpoint,
        revocation_endpoint=revocation_endpoint,
        scopes=SCOPES,
        username="robot@example.com",
    )


def an_oauth_client(
    *,
    total: timedelta = timedelta(seconds=5),
    ca_file: Path | None = None,
    clock: Clock | None = None,
    names: Mapping[str, Sequence[str] | ResolutionFailed] | None = None,
) -> OAuthClient:
    resolver = FakeResolver(names)
    return OAuthClient(resolver=resolver, clock=clock or SystemClock(), ca_file=ca_file, total=total)


async def exchange(
    server: AuthorizationServer, client: OAuthAuthentication, *, code: Secret = CODE, scopes: tuple[str, ...] = SCOPES
) -> TokenAnswer | TokenRefusal:
    return await server.exchange(client, code=code, verifier=VERIFIER, redirect_url=REDIRECT_URL, scopes=scopes)


async def refresh(
    server: AuthorizationServer, client: OAuthAuthentication, *, scopes: tuple[str, ...] = ()
) -> TokenAnswer | TokenRefusal:
    return await server.refresh(client, refresh_token=REFRESH_TOKEN, scopes=scopes)


def refusal_of(result: TokenAnswer | TokenRefusal) -> TokenRefusal:
    assert isinstance(result, TokenRefusal), "tokens were granted"
    return result


def granted_of(result: TokenAnswer | TokenRefusal) -> TokenAnswer:
    assert isinstance(result, TokenAnswer), f"nothing was granted: {result}"
    return result
