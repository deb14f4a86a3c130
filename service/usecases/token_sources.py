"""Where a sign-in gets its tokens from: a stored grant, or a client that asks for one token and stores nothing."""

from __future__ import annotations

import asyncio
from typing import Protocol

from domain.errors import ProviderRefused
from domain.grant import Grant, issuer_of
from domain.ports.authorization import AuthorizationServer
from domain.ports.transport import TokenSource
from domain.resource import Resource, reading_resource, scopes_for, sending_resource
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.token import TokenRefusal
from domain.token_life import Freshness
from service.usecases.fresh_tokens import FreshTokens
from service.usecases.refresh_grant import Refresh


class ProvableTokens(TokenSource, Protocol):
    """A source whose means of refreshing can be proven before they are saved."""

    async def check(self) -> None:
        """Raises AuthorizationRequired when nobody has consented, ProviderRefused when the consent is dead."""
        ...

    async def prove(self) -> None:
        """
        Asks the token endpoint once, whatever token there is: proves the client's secret and the refresh token.

        Raises what `token` does.
        """
        ...


class TokenSources:
    """Makes sources for settings."""

    def __init__(self, *, tokens: FreshTokens, server: AuthorizationServer) -> None:
        self._tokens = tokens
        self._server = server

    def stored(
        self, tenant: str, configuration_id: str, settings: MailSettings, *, is_trial: bool = False
    ) -> ProvableTokens | None:
        """
        Returns what gives tokens for sending with *settings*; None when they do not sign in with OAuth.

        *is_trial*: they are not in use yet, so what is their own fault leaves no trace on the grant.
        """
        client = settings.authentication
        if not isinstance(client, OAuthAuthentication):
            return None
        resource = _sending(settings, client)
        return _Stored(self._tokens, tenant, configuration_id, settings, client, resource, is_trial=is_trial)

    def reading(
        self, tenant: str, configuration_id: str, settings: MailSettings, *, is_trial: bool = False
    ) -> ProvableTokens | None:
        """Returns what gives tokens for the mailbox of *settings*; None when it does not sign in with OAuth."""
        client = settings.authentication
        if not isinstance(client, OAuthAuthentication) or not _reads_with_oauth(settings):
            return None
        resource = _reading(client)
        return _Stored(self._tokens, tenant, configuration_id, settings, client, resource, is_trial=is_trial)

    def unsaved(self, tenant: str, configuration_id: str, settings: MailSettings) -> ProvableTokens | None:
        """Returns the same for settings that are stored nowhere: a client that takes no person leaves no grant."""
        client = settings.authentication
        if isinstance(client, OAuthAuthentication) and not client.grant_type.needs_person:
            return _OneTime(self._server, client, _sending(settings, client))
        return self.stored(tenant, configuration_id, settings, is_trial=True)

    def unsaved_reading(self, tenant: str, configuration_id: str, settings: MailSettings) -> ProvableTokens | None:
        """Returns for the mailbox what `unsaved` returns for sending."""
        client = settings.authentication
        if (
            isinstance(client, OAuthAuthentication)
            and not client.grant_type.needs_person
            and _reads_with_oauth(settings)
        ):
            return _OneTime(self._server, client, _reading(client))
        return self.reading(tenant, configuration_id, settings, is_trial=True)


class _Stored:
    """Gives the tokens of the grant that covers the settings, refreshed when due."""

    def __init__(
        self,
        tokens: FreshTokens,
        tenant: str,
        configuration_id: str,
        settings: MailSettings,
        client: OAuthAuthentication,
        resource: Resource,
        *,
        is_trial: bool,
    ) -> None:
        self._tokens = tokens
        self._tenant = tenant
        self._configuration_id = configuration_id
        self._settings = settings
        self._client = client
        self._resource = resource
        self._is_trial = is_trial

    async def token(self, *, rejected: Secret | None) -> Secret:
        """See the port."""
        newer_than: int | None = None
        while True:
            grant = await self._held()
            held = grant.access_token(self._resource)
            if held is not None and newer_than is not None and held.generation > newer_than:
                return held.token  # just made, whatever it says of its own end (F28)
            how = self._tokens.freshness(grant, self._resource)
            if held is not None and how is not Freshness.EXPIRED and held.token != rejected:
                if how is Freshness.STALE:
                    self._ahead(grant)
                return held.token
            self._tokens.check_may_ask(grant)
            newer_than = grant.generation if newer_than is None else newer_than
            await self._refresh(grant)

    async def check(self) -> None:
        """See `ProvableTokens`."""
        await self._held()

    async def prove(self) -> None:
        """See `ProvableTokens`."""
        while True:
            grant = await self._held()
            self._tokens.check_may_ask(grant)
            if await self._refresh(grant) is Refresh.STORED:
                break
        after = await self._held()
        if after.generation == grant.generation:
            self._tokens.check_may_ask(after)

    async def _held(self) -> Grant:
        return await self._tokens.held(self._tenant, self._configuration_id, self._settings)

    async def _refresh(self, grant: Grant) -> Refresh:
        return await asyncio.shield(self._begun(grant))

    def _ahead(self, grant: Grant) -> None:
        try:
            self._tokens.check_may_ask(grant)
        except ProviderRefused:
            return
        _ = self._begun(grant)  # nobody waits for it

    def _begun(self, grant: Grant) -> asyncio.Task[Refresh]:
        return self._tokens.begin(grant, self._client, self._resource, is_trial=self._is_trial)


class _OneTime:
    """Asks for a token each time."""

    def __init__(self, server: AuthorizationServer, client: OAuthAuthentication, resource: Resource) -> None:
        self._server = server
        self._client = client
        self._resource = resource

    async def token(self, *, rejected: Secret | None) -> Secret:
        """See the port; *rejected* makes no difference."""
        scopes = scopes_for(self._resource, self._client.scopes, issuer=issuer_of(self._client))
        told = await self._server.acquire(self._client, scopes=scopes)
        if isinstance(told, TokenRefusal):
            raise ProviderRefused(told.failure)
        return told.access_token

    async def check(self) -> None:
        """See `ProvableTokens`; nobody has to consent."""

    async def prove(self) -> None:
        """See `ProvableTokens`."""
        await self.token(rejected=None)


def _sending(settings: MailSettings, client: OAuthAuthentication) -> Resource:
    return sending_resource(settings, issuer=issuer_of(client))


def _reading(client: OAuthAuthentication) -> Resource:
    return reading_resource(issuer=issuer_of(client))


def _reads_with_oauth(settings: MailSettings) -> bool:
    return settings.mailbox is not None and settings.mailbox.use_oauth
