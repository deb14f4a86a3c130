"""Whether a consent that was given still serves the settings: rule 6."""

from __future__ import annotations

from dataclasses import dataclass

from domain.host import Host
from domain.providers import oauth_provider_of
from domain.providers.preset import OAuthProvider
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.settings.scopes import comparable
from domain.settings.urls import Url, parse_url


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantBasis:
    """What a user was asked to consent to; stored with the grant, so that settings change without touching it."""

    client_id: str
    authorization_endpoint: str
    token_endpoint: str
    username: str
    scopes: frozenset[str]
    """As they were asked for."""


def basis_of(authentication: OAuthAuthentication) -> GrantBasis:
    """Returns what a consent for these settings rests on."""
    return GrantBasis(
        client_id=authentication.client_id,
        authorization_endpoint=authentication.authorization_endpoint,
        token_endpoint=authentication.token_endpoint,
        username=authentication.username,
        scopes=frozenset(authentication.scopes),
    )


def covers(basis: GrantBasis, settings: MailSettings) -> bool:
    """
    Tells whether a consent on *basis* serves *settings*, so that nobody need be asked again.

    Client ID, endpoints and user name agree (the latter with case aside), and every scope of the settings was asked for
    then. Scopes are compared as sets, for Microsoft with case aside, without ``offline_access``, ``openid``,
    ``profile`` and ``email`` (F30). From address, servers, client secret and redirect URL do not matter.
    False without OAuth.
    """
    wanted = settings.authentication
    if not isinstance(wanted, OAuthAuthentication):
        return False
    issuer = _issuer(wanted)
    return (
        basis.client_id == wanted.client_id
        and basis.authorization_endpoint == wanted.authorization_endpoint
        and basis.token_endpoint == wanted.token_endpoint
        and basis.username.lower() == wanted.username.lower()
        and comparable(wanted.scopes, provider=issuer) <= comparable(basis.scopes, provider=issuer)
    )


def _issuer(authentication: OAuthAuthentication) -> OAuthProvider:
    if authentication.provider is not OAuthProvider.CUSTOM:
        return authentication.provider
    host = _host(authentication.token_endpoint)
    return (oauth_provider_of(host) if host is not None else None) or OAuthProvider.CUSTOM


def _host(endpoint: str) -> Host | None:
    url = parse_url(endpoint, field="")
    return url.host if isinstance(url, Url) else None
