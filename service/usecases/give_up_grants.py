"""The step that ends grants at their providers, after they were forgotten here (RFC 7009)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from domain.configuration import Configuration
from domain.errors import SecretUnreadable
from domain.grant import Grant, GrantRevocation, issuer_of
from domain.ports.authorization import AuthorizationServer, Revocation
from domain.ports.storage import UnitOfWork
from domain.providers.preset import OAuthProvider
from domain.secret import UnreadableSecret
from domain.settings.model import OAuthAuthentication

_TELLING_FIRST: Final = (
    GrantRevocation.FAILED,
    GrantRevocation.SHARED,
    GrantRevocation.REVOKED,
    GrantRevocation.NOT_SUPPORTED,
)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A grant that is forgotten here."""

    grant: Grant
    is_shared: bool
    """Whether other configurations would lose their consent with it, if it were revoked."""


async def forget_grants(work: UnitOfWork, configuration: Configuration) -> tuple[GivenUp, ...]:
    """Deletes all grants of *configuration*; returns them, and what revoking them would do to other configurations."""
    held = await work.grants.of(configuration.tenant, [configuration.configuration_id])
    grants = held.get(configuration.configuration_id, ())
    for grant in grants:
        await work.grants.delete(grant.key)
    return tuple([GivenUp(grant, await _ends_others(work, configuration, grant)) for grant in grants])


async def revoke_grants(
    server: AuthorizationServer, configuration: Configuration, given_up: Iterable[GivenUp]
) -> GrantRevocation:
    """
    Revokes grants, which are forgotten already, as the clients of *configuration* do it; of several the worst counts.

    Those that nobody gave have nothing to revoke.
    """
    outcomes = {await _revoke(server, configuration, each) for each in given_up if each.grant.takes_person}
    return next((each for each in _TELLING_FIRST if each in outcomes), GrantRevocation.NO_GRANT)


async def _ends_others(work: UnitOfWork, configuration: Configuration, grant: Grant) -> bool:
    # Google revokes whatever the account has consented to for this client ("Using OAuth 2.0 for Web Server
    # Applications", revoking a token, seen 2026-11); RFC 7009 section 2.1 leaves it to the server.
    client = _client_of(grant, configuration)
    is_google = client is not None and issuer_of(client) is OAuthProvider.GOOGLE
    return is_google and await work.grants.is_shared(grant)


async def _revoke(server: AuthorizationServer, configuration: Configuration, given_up: GivenUp) -> GrantRevocation:
    grant, client = given_up.grant, _client_of(given_up.grant, configuration)
    if given_up.is_shared:
        return GrantRevocation.SHARED
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
