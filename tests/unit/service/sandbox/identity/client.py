"""An OAuth client of the identity provider, without a browser and without a network."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.provider import IDENTITY_PATH, IdentityProvider
from service.sandbox.identity.site import identity_routes

WEB = "http://127.0.0.1"
REDIRECT = f"{WEB}/oauth/callback"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ACCOUNT = "robot@sandbox.example"
SCOPES = {
    Behaviour.GOOGLE: "openid email https://mail.google.com/",
    Behaviour.MICROSOFT: "offline_access openid profile email https://outlook.office.com/SMTP.Send "
    "https://graph.microsoft.com/Mail.Send",
    Behaviour.STRICT: "openid email https://mail.sandbox.example/",
}


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 25, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def move(self, **span: float) -> None:
        self.time += timedelta(**span)


class OAuthClient:
    """Asks for consents and tokens at one behaviour of a provider of its own."""

    def __init__(self, behaviour: Behaviour, **options: Any) -> None:
        self.behaviour = behaviour
        self.clock = Clock()
        self.provider = IdentityProvider(now=self.clock.now, **options)
        self.endpoints = self.provider.endpoints(WEB, behaviour)
        site = Starlette(routes=[Mount(IDENTITY_PATH, routes=identity_routes(self.provider))])
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=site), base_url=WEB)

    def url(self, **changes: str | None) -> str:
        """An authorization URL; None leaves a parameter out."""
        values = {
            "response_type": "code",
            "client_id": self.provider.client_id(self.behaviour),
            "redirect_uri": REDIRECT,
            "scope": SCOPES[self.behaviour],
            "state": "s" * 43,
            "nonce": "n1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",
            **changes,
        }
        kept = {name: value for name, value in values.items() if value is not None}
        return f"{self.endpoints.authorization}?{urlencode(kept)}"

    def consent(self, *, account: str = ACCOUNT, ticked: frozenset[str] | None = None, **changes: str | None) -> str:
        """Consents and returns the code."""
        return callback(self.provider.consent(self.url(**changes), account=account, ticked=ticked))["code"]

    async def token(self, grant_type: str, **fields: str) -> httpx2.Response:
        """Asks for a token with the client's credentials in the body."""
        own = {
            "client_id": self.provider.client_id(self.behaviour),
            "client_secret": self.provider.client_secret(self.behaviour),
        }
        return await self.http.post(self.endpoints.token, data={"grant_type": grant_type, **own, **fields})

    async def exchange(self, code: str, /, **changes: str) -> httpx2.Response:
        """Exchanges a code; Microsoft's for Outlook."""
        fields = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
        if self.behaviour is Behaviour.MICROSOFT:
            fields["scope"] = "https://outlook.office.com/SMTP.Send offline_access"
        return await self.token("authorization_code", **{**fields, **changes})

    async def refresh(self, refresh_token: str, **changes: str) -> httpx2.Response:
        """Refreshes."""
        return await self.token("refresh_token", refresh_token=refresh_token, **changes)

    async def tokens(self, **options: Any) -> dict[str, Any]:
        """Consents and returns the answer of the exchange."""
        answer = await self.exchange(self.consent(**options))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def callback(url: str) -> dict[str, str]:
    """The fields of a callback URL, decoded once."""
    assert url.startswith(REDIRECT + "?")
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
