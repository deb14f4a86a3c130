"""The provider's side of a grant: code exchange, refresh, tokens without a person, revocation."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from domain.secret import Secret
from domain.settings.model import OAuthAuthentication
from domain.token import TokenAnswer, TokenRefusal


class Revocation(StrEnum):
    """What became of a revocation (RFC 7009)."""

    REVOKED = "REVOKED"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    """The provider has no endpoint for it."""
    FAILED = "FAILED"
    """The endpoint did not say yes; the grant may live on there."""


class AuthorizationServer(Protocol):
    """
    One request a call: never repeated once it was sent, at most 15 seconds, answers of 256 KiB at most, no redirects.

    Only a client that was refused as such (``invalid_client``), which uses nothing up, may be tried within the same 15
    seconds with its other proof (RFC 6749 section 2.3.1).

    Secrets go only to the endpoints of *client*. What a server says is a result, never an exception.
    """

    async def exchange(
        self, client: OAuthAuthentication, *, code: Secret, verifier: Secret, redirect_url: str, scopes: tuple[str, ...]
    ) -> TokenAnswer | TokenRefusal:
        """Exchanges a code (RFC 6749 section 4.1.3, RFC 7636); *scopes* are of one resource and sent where needed."""
        ...

    async def refresh(
        self, client: OAuthAuthentication, *, refresh_token: Secret, scopes: tuple[str, ...]
    ) -> TokenAnswer | TokenRefusal:
        """Refreshes (RFC 6749 section 6) for *scopes*, which are of one resource; empty: as granted."""
        ...

    async def acquire(self, client: OAuthAuthentication, *, scopes: tuple[str, ...]) -> TokenAnswer | TokenRefusal:
        """
        Asks for an access token that takes no person, as the client's `grant_type` has it.

        Client credentials (RFC 6749 section 4.4), or an assertion signed with the client's key for its user name (RFC
        7523 section 2.1); *scopes* are of one resource. Nothing is used up by it, so that it may be asked again.
        """
        ...

    async def revoke(self, client: OAuthAuthentication, *, token: Secret) -> Revocation:
        """Revokes a refresh token; a token that is dead already counts as REVOKED."""
        ...
