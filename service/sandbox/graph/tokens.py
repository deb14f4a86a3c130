"""Who asks: the access tokens of the sandbox's identity provider, as Graph checks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from service.sandbox.graph.errors import token_revoked, token_unusable
from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.grants import AccessToken, Recent
from service.sandbox.identity.scopes import Resource

_NOT_A_JWT: Final = (
    "IDX14100: JWT is not well formed, there are no dots (.).\nThe token needs to be in JWS or JWE Compact "
    "Serialization Format. (JWS): 'EncodedHeader.EndcodedPayload.EncodedSignature'."  # Microsoft's own spelling
)
EVERYTHING: Final = ".default"
"""A token for all that was ever consented to."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token speaks for."""

    account: str
    """Who consented; empty for an application on its own behalf."""
    permissions: frozenset[str]
    """Of a user's token, in lower case; an application's roles are kept by `access.Access`."""

    @property
    def is_app(self) -> bool:
        """Tells whether no user is behind it (the roles claim instead of scp)."""
        return not self.account

    def may(self, *permissions: str) -> bool:
        """Tells whether a user's token has one of *permissions*."""
        return EVERYTHING in self.permissions or not self.permissions.isdisjoint(permissions)


class GraphTokens:
    """Checks access tokens: there, known, alive, and for Graph."""

    def __init__(self, *, access_tokens: Recent[AccessToken], now: Callable[[], datetime]) -> None:
        self._access_tokens = access_tokens
        self._now = now

    def check(self, authorization: str) -> Caller:
        """Returns whom the Authorization header speaks for. Raises GraphError (401)."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise token_unusable("Access token is empty.")
        found = self._access_tokens.get(token)
        if found is None:
            is_jwt = token.count(".") == 2
            raise token_unusable("CompactToken parsing failed with error code: 80049217" if is_jwt else _NOT_A_JWT)
        if found.grant.behaviour is not Behaviour.MICROSOFT:
            raise token_unusable(_NOT_A_JWT)
        resources = {scope.resource for scope in found.scopes}
        if Resource.GRAPH not in resources:
            raise token_unusable("Access token validation failure. Invalid audience.")
        if found.is_withdrawn or not found.grant.is_alive:
            raise token_revoked()
        if not found.is_active(self._now()):
            raise token_unusable("Lifetime validation failed, the token is expired.")
        permissions = frozenset(scope.permission for scope in found.scopes if scope.resource is Resource.GRAPH)
        return Caller(found.grant.account, permissions)
