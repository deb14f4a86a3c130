"""The step that ends grants at their providers, after they were forgotten here (RFC 7009)."""

from __future__ import annotations

from collections.abc import Iterable

from domain.configuration import Configuration
from domain.errors import SecretUnreadable
from domain.grant import Grant, GrantRevocation
from domain.ports.authorization import AuthorizationServer, Revocation
from domain.secret import UnreadableSecret
from domain.settings.model import OAuthAuthentication

_WORST_FIRST = (GrantRevocation.FAILED, GrantRevocation.REVOKED, GrantRevocation.NOT_SUPPORTED)


async def revoke_grants(
    server: AuthorizationServer, configuration: Configuration, grants: Iterable[Grant]
) -> GrantRevocation:
    """
    Revokes *grants*, which are forgotten already, as the clients of *configuration* do it; of several the worst counts.

    Grants that nobody gave have nothing to revoke.
    """
    outcomes = {await _revoke(server, configuration, grant) for grant in grants if grant.takes_person}
    return next((each for each in _WORST_FIRST if each in outcomes), GrantRevocation.NO_GRANT)


async def _revoke(server: AuthorizationServer, configuration: Configuration, grant: Grant) -> GrantRevocation:
    client = _client_of(grant, configuration)
    if client is None or isinstance(grant.refresh_token, UnreadableSecret):
        return GrantRevocation.FAILED
    try:
        told = await server.revoke(client, token=grant.refresh_token)
    except SecretUnreadable:
        return GrantRevocation.FAILED
    return GrantRevocation(Revocation(told).value)


def _client_of(grant: Grant, configuration: Configuration) -> OAuthAuthentication | None:
    for settings in configuration.in_use_or_to_be:
        client = settings.authentication
        if (
            isinstance(client, OAuthAuthentication)
            and client.client_id == grant.basis.client_id
            and client.token_endpoint == grant.basis.token_endpoint
        ):
            return client
    return None
