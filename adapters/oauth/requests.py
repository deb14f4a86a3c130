"""What is asked of an authorization server: forms, built by authlib, encoded once (RFC 6749 appendix B)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]
from authlib.oauth2.rfc7009 import prepare_revoke_token_request  # type: ignore[import-untyped]

from domain.grant import issuer_of
from domain.host import Host
from domain.providers import oauth_provider_of
from domain.providers.preset import OAuthProvider
from domain.secret import Secret
from domain.service_account import ServiceAccountKey
from domain.settings.model import OAuthAuthentication
from domain.settings.urls import Url, parse_url

_IN_THE_BODY: Final = "client_secret_post"
"""How the client proves itself first (RFC 6749 section 2.3.1): what Google and Microsoft document for all clients."""

_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True, repr=False)
class FormRequest:
    """One POST to an endpoint of the client's; secret, so without repr."""

    endpoint: str
    body: bytes
    secrets: tuple[str, ...]
    """What an answer must not repeat."""
    authorization: str = ""
    """The header of that name; empty: none is sent."""
    in_header: FormRequest | None = None
    """The same with the client proven by HTTP Basic; None where no server would want it."""


def exchange_request(
    client: OAuthAuthentication, *, code: Secret, verifier: Secret, redirect_url: str, scopes: tuple[str, ...]
) -> FormRequest:
    """Returns the request for RFC 6749 section 4.1.3; *scopes* go along where one token is for one resource."""
    body = prepare_token_request(
        "authorization_code",
        redirect_uri=redirect_url,
        code=code.reveal(),
        code_verifier=verifier.reveal(),
        **_scope(scopes if is_microsoft(client) else ()),
    )
    return _form(client, client.token_endpoint, body, code, verifier)


def refresh_request(client: OAuthAuthentication, *, refresh_token: Secret, scopes: tuple[str, ...]) -> FormRequest:
    """Returns the request for RFC 6749 section 6, for *scopes*; empty: as granted."""
    body = prepare_token_request("refresh_token", refresh_token=refresh_token.reveal(), **_scope(scopes))
    return _form(client, client.token_endpoint, body, refresh_token)


def client_credentials_request(client: OAuthAuthentication, *, scopes: tuple[str, ...]) -> FormRequest:
    """Returns the request for RFC 6749 section 4.4.2."""
    return _form(client, client.token_endpoint, prepare_token_request("client_credentials", **_scope(scopes)))


def assertion_request(client: OAuthAuthentication, *, assertion: Secret, key: ServiceAccountKey) -> FormRequest:
    """Returns the request for RFC 7523 section 2.1; *assertion*, which *key* signed, says who asks and for what."""
    body = prepare_token_request(_JWT_BEARER, assertion=assertion.reveal())
    private_key = key.private_key.reveal()
    secrets = (assertion.reveal(), client.client_secret.reveal(), private_key, *_lines_of(private_key))
    return FormRequest(client.token_endpoint, _encoded(body), secrets)


def revoke_request(client: OAuthAuthentication, *, token: Secret) -> FormRequest:
    """Returns the request for RFC 7009 section 2.1; Google's endpoint wants the token alone."""
    if _provider(client.revocation_endpoint) is OAuthProvider.GOOGLE:
        body, _ = prepare_revoke_token_request(token.reveal())
        return FormRequest(client.revocation_endpoint, _encoded(body), (token.reveal(),))
    body, _ = prepare_revoke_token_request(token.reveal(), "refresh_token")
    return _form(client, client.revocation_endpoint, body, token)


def is_microsoft(client: OAuthAuthentication) -> bool:
    """Tells whether Microsoft issues the tokens, also when the settings write its endpoint as a custom one."""
    return OAuthProvider.MICROSOFT in (client.provider, _provider(client.token_endpoint))


def _provider(endpoint: str) -> OAuthProvider | None:
    url = parse_url(endpoint, field="")
    host: Host | None = url.host if isinstance(url, Url) else None
    return oauth_provider_of(host) if host is not None else None


def _scope(scopes: tuple[str, ...]) -> dict[str, str]:
    return {"scope": " ".join(scopes)} if scopes else {}


def _form(client: OAuthAuthentication, endpoint: str, body: str, *tokens: Secret) -> FormRequest:
    secret = client.client_secret.reveal()
    sign: Any = ClientAuth(client.client_id, secret, _IN_THE_BODY)
    _, _, signed = sign.prepare("POST", endpoint, {}, body)
    secrets = (secret, *(one.reveal() for one in tokens))
    if not secret or issuer_of(client) is not OAuthProvider.CUSTOM:
        return FormRequest(endpoint, _encoded(signed), secrets)
    # Servers must take Basic and may take the body (RFC 6749 section 2.3.1). authlib does not encode the two as forms
    # before it joins them, as that section has it, so that an ID with a colon would be cut there.
    encoded = quote_plus(secret)
    credentials = b64encode(f"{quote_plus(client.client_id)}:{encoded}".encode()).decode()
    secrets = (*secrets, encoded, credentials)
    in_header = FormRequest(endpoint, _encoded(body), secrets, authorization=f"Basic {credentials}")
    return FormRequest(endpoint, _encoded(signed), secrets, in_header=in_header)


def _lines_of(pem: str) -> list[str]:
    """Returns the private key's own text, joined and line by line, as a careless answer might hold it."""
    lines = [line for line in pem.splitlines() if line and not line.startswith("-----")]
    return ["".join(lines), *lines]


def _encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body).encode("ascii")
