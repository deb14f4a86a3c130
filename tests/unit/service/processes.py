"""Further processes over the store of a `World`, and an authorization server that takes its time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

from domain.grant import Grant, basis_of
from domain.providers.preset import OAuthProvider
from domain.settings.model import MailSettings, OAuthAuthentication
from service.usecases.announce_ends import AnnounceEnds
from service.usecases.fresh_tokens import FreshTokens
from service.usecases.keep_grants import KeepGrants
from service.usecases.refresh_grant import RefreshGrant
from service.usecases.token_sources import ProvableTokens, TokenSources
from tests.builders import CONFIGURATION_ID, TENANT, a_configuration, an_oauth_authentication, some_settings
from tests.consent_builders import a_grant
from tests.fakes.authorization import FakeAuthorizationServer
from tests.fakes.environment import FakeEntropy
from tests.fakes.storage import FakeStore, FakeUnitOfWork
from tests.unit.service.world import World, until

TICK = timedelta(milliseconds=1)
OUTLOOK_SCOPE, GRAPH_SCOPE = "https://outlook.office.com/SMTP.Send", "https://graph.microsoft.com/Mail.Send"


class Process:
    """Another process of the same mailport; while `away` is true the store is away for it alone."""

    def __init__(self, world: World, *, seed: int = 8, former_holder: timedelta = TICK) -> None:
        self.away = False
        self._store = world.store
        self._away = FakeStore(clock=world.clock)
        self._away.away = True
        entropy = FakeEntropy(seed, clock=world.clock)
        self.refresh_grant = RefreshGrant(
            uow=self.uow,
            server=world.server,
            clock=world.clock,
            entropy=entropy,
            events=world.events,
            store_again=TICK,
            former_holder=former_holder,
        )
        self.fresh_tokens = FreshTokens(
            uow=self.uow, refresh=self.refresh_grant, clock=world.clock, entropy=entropy, look_again=TICK
        )
        self.sources = TokenSources(tokens=self.fresh_tokens, server=world.server)
        self.keep_grants = KeepGrants(
            uow=self.uow,
            tokens=self.fresh_tokens,
            announce_ends=AnnounceEnds(uow=self.uow, clock=world.clock, events=world.events),
            clock=world.clock,
            events=world.events,
        )

    def uow(self) -> FakeUnitOfWork:
        """Returns a fresh unit of work."""
        return FakeUnitOfWork(self._away if self.away else self._store)


class Gate:
    """Holds every request to *server* up until `open` is called."""

    def __init__(self, server: FakeAuthorizationServer) -> None:
        self._server = server
        self._opened = asyncio.Event()
        server.while_asked = self._pass

    async def reached(self, requests: int = 1) -> None:
        """Waits until so many requests have come in all."""
        await until(lambda: len(self._server.asked) >= requests)

    def open(self) -> None:
        """Lets everything through, now and later."""
        self._opened.set()

    async def _pass(self) -> None:
        await self._opened.wait()


def oauth_settings(**changes: Any) -> MailSettings:
    """Returns settings that sign in with OAuth."""
    return some_settings(authentication=an_oauth_authentication(**changes))


def microsoft_client(**changes: Any) -> OAuthAuthentication:
    """Returns a client at Microsoft with scopes of two resources."""
    valid = an_oauth_authentication(
        provider=OAuthProvider.MICROSOFT, scopes=("offline_access", OUTLOOK_SCOPE, GRAPH_SCOPE)
    )
    return replace(valid, **changes)


def client_of(settings: MailSettings) -> OAuthAuthentication:
    """Returns the settings' OAuth client."""
    assert isinstance(settings.authentication, OAuthAuthentication)
    return settings.authentication


def a_grant_for(settings: MailSettings, **changes: Any) -> Grant:
    """Returns a grant that covers *settings*."""
    return a_grant(basis=basis_of(client_of(settings)), **changes)


async def given_consent(world: World, settings: MailSettings | None = None, **changes: Any) -> Grant:
    """Stores an active configuration and the grant that covers it."""
    used = settings or oauth_settings()
    await world.given(a_configuration(settings=used))
    return await world.given_grant(a_grant_for(used, **changes))


def source(process: World | Process, settings: MailSettings | None = None, *, is_trial: bool = False) -> ProvableTokens:
    """Returns the configuration's source of tokens in *process*."""
    found = process.sources.stored(TENANT, CONFIGURATION_ID, settings or oauth_settings(), is_trial=is_trial)
    assert found is not None
    return found
