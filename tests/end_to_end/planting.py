"""Secrets that are told from anything else, an authorization server that hands them out and repeats them, settings."""

from __future__ import annotations

import base64
import html
import json
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mailport.v1 import configuration_pb2
from tests.integration.oauth.token_endpoint import Asked, answer
from tests.peers.echoing_smtp import disguises

ACCOUNT: Final = "robot@example.test"
SCOPE: Final = "https://mail.example.test/"
_ASKED: Final = ("client_secret", "code", "code_verifier", "refresh_token", "assertion", "token")
"""What a request to the endpoint holds in secret."""


class Planted:
    """All secrets so far by name: those that the test makes, and those that mailport made and only its peers saw."""

    def __init__(self) -> None:
        self.canaries: dict[str, str] = {}

    def new(self, kind: str, form: str = "{}") -> str:
        """Returns a new secret of *kind*, with characters that change in most encodings."""
        # Both signs of base64 that URLs and forms encode; random enough that nothing is found by chance.
        return self.saw(kind, form.format(f"{secrets.token_hex(9)}/+{secrets.token_hex(9)}~"))

    def saw(self, kind: str, secret: str) -> str:
        """Keeps *secret*, which may be known already."""
        if secret not in self.canaries.values():
            self.canaries[f"{kind} {sum(name.startswith(f'{kind} ') for name in self.canaries) + 1}"] = secret
        return secret

    @property
    def kinds(self) -> set[str]:
        return {name.rpartition(" ")[0] for name in self.canaries}

    def grants(self, asked: Asked, **fields: object) -> bytes:
        """Answers new tokens, whose access token is used up at once, so that each use refreshes."""
        self._learn(asked)
        tokens = {
            "access_token": self.new("access token", "ya29.{}"),
            "token_type": "Bearer",
            "expires_in": 0,
            "refresh_token": self.new("refresh token", "1//{}"),
            "scope": SCOPE,
        }
        return answer({**tokens, **fields})

    def refuses(self, asked: Asked, *, error: str = "invalid_grant", status: int = 400) -> bytes:
        """Answers *error* and repeats all that was told in secret."""
        told = " ".join(self._told(asked))
        return answer(
            {"error": error, "error_description": told, "error_uri": f"https://id.example/?{told}", "told": told},
            status=status,
            headers={"WWW-Authenticate": f'Bearer realm="{asked.body.decode()}"', "X-Told": asked.body.decode()},
        )

    def misses(self, asked: Asked) -> bytes:
        """Answers tokens for less than was asked for, and repeats."""
        return self.grants(asked, scope="openid", error_description=" ".join(self._told(asked)))

    def mocks(self, asked: Asked) -> bytes:
        """Answers an error beside tokens, which are in its words too."""
        tokens = {
            "access_token": self.new("access token", "ya29.{}"),
            "refresh_token": self.new("refresh token", "1//{}"),
        }
        told = [*self._told(asked), *(each for token in tokens.values() for each in disguises(token))]
        error = f"no {tokens['refresh_token']}"
        return answer({**tokens, "error": error, "error_description": " ".join(told)})

    def raves(self, asked: Asked) -> bytes:
        """Answers a page instead, with all of it."""
        told = " ".join([*self._told(asked), self.new("access token", "ya29.{}")])
        return answer(body=f"<html>{html.escape(told)} {told}</html>".encode(), status=502, content_type="text/html")

    def babbles(self, asked: Asked) -> bytes:
        """Answers JSON that is cut off within a token."""
        self._learn(asked)
        return answer(body=f'{{"access_token": "{self.new("access token")}", "refresh_token": "1//'.encode())

    def _learn(self, asked: Asked) -> None:
        for name, value in asked.form.items():
            if name in _ASKED:
                self.saw("private key" if name == "client_secret" and "PRIVATE KEY" in value else name, value)

    def _told(self, asked: Asked) -> list[str]:
        self._learn(asked)
        values = [value for name, value in asked.form.items() if name in _ASKED]
        basic = base64.b64encode(f"mailport:{asked.form.get('client_secret', '')}".encode()).decode()
        return [asked.body.decode(), basic, *(each for value in values for each in disguises(value))]

    def service_account(self) -> str:
        """Returns a service account's key as Google gives it."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        # Its beginning is the same in all RSA keys, and its end may be half empty: lines amid it are the secret.
        for line in pem.splitlines()[2:-3]:
            self.saw("private key", line)
        return json.dumps(
            {"type": "service_account", "private_key_id": "k1", "private_key": pem, "client_email": "sa@example.test"}
        )


def settings(
    smtp: Mapping[str, object],
    *,
    oauth: configuration_pb2.OAuthAuthentication | None = None,
    password: str = "",
) -> configuration_pb2.Settings:
    """Returns settings for the mail server *smtp* with either kind of sign-in."""
    written = configuration_pb2.Settings(
        from_address=ACCOUNT,
        smtp=configuration_pb2.SmtpTransport(**smtp),  # type: ignore[arg-type]
    )
    if oauth is not None:
        written.oauth.CopyFrom(oauth)
    else:
        written.basic.CopyFrom(configuration_pb2.BasicAuthentication(username=ACCOUNT, password=password))
    return written


def client(secret: str, endpoint: str) -> configuration_pb2.OAuthAuthentication:
    """Returns a client that needs a person, with *endpoint* for all that it asks."""
    return configuration_pb2.OAuthAuthentication(
        provider=configuration_pb2.OAUTH_PROVIDER_CUSTOM,
        client_id="mailport",
        client_secret=secret,
        authorization_endpoint="https://id.example.test/authorize",
        token_endpoint=endpoint,
        revocation_endpoint=endpoint,
        scopes=[SCOPE],
        username=ACCOUNT,
    )


def without_person(
    secret: str, endpoint: str, grant_type: configuration_pb2.OauthGrantType.ValueType
) -> configuration_pb2.OAuthAuthentication:
    """Returns a client that needs none."""
    return configuration_pb2.OAuthAuthentication(
        provider=configuration_pb2.OAUTH_PROVIDER_CUSTOM,
        grant_type=grant_type,
        client_id="" if grant_type == configuration_pb2.OAUTH_GRANT_TYPE_JWT_BEARER else "mailport",
        client_secret=secret,
        token_endpoint=endpoint,
        scopes=[SCOPE],
        username=ACCOUNT,
    )
