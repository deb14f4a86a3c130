"""Grants as they are stored, and their refreshes: one under way for each in this process, whoever waits (P10)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from zlib import crc32

from domain.configuration import needs_consent
from domain.errors import AuthorizationRequired, ConcurrentChange, MailportError, ProviderRefused
from domain.grant import Grant, GrantKey, grant_for, own_grant, uncovered_scopes
from domain.ports.environment import Clock, Entropy
from domain.ports.storage import UnitOfWork
from domain.resource import Resource
from domain.settings.model import MailSettings, OAuthAuthentication
from domain.token_life import Freshness, freshness, may_ask
from service.logs import CONFIGURATION_ID, REFRESH_FAILED, TENANT
from service.usecases.lookup import no_configuration
from service.usecases.refresh_grant import Refresh, RefreshGrant

_LOOK_AGAIN: Final = timedelta(milliseconds=50)
"""How often a process looks whether another one has refreshed."""

_LONGEST_LISTED: Final = 1000

_Name = tuple[GrantKey, object]
"""Of a refresh under way: None for the one that all share, something unique for a trial."""

_logger = logging.getLogger(__name__)


class FreshTokens:
    """What `service.usecases.token_sources` are made of; one object a process."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        refresh: RefreshGrant,
        clock: Clock,
        entropy: Entropy,
        look_again: timedelta = _LOOK_AGAIN,
    ) -> None:
        self._uow = uow
        self._refresh = refresh
        self._clock = clock
        self._look_again = look_again
        self._jitter = entropy.fraction()
        self._running: dict[_Name, asyncio.Task[Refresh]] = {}

    async def held(self, tenant: str, configuration_id: str, settings: MailSettings) -> Grant:
        """
        Returns the living grant that covers *settings*; one that takes no person is made where it is missing.

        Raises AuthorizationRequired when nobody has consented, ProviderRefused REAUTH_REQUIRED when the grant is dead,
        NotFound when the configuration of a client that takes no person is gone.
        """
        for _ in range(2):
            async with self._uow() as work:
                grants = await work.grants.of(tenant, [configuration_id])
                found = grant_for(settings, grants.get(configuration_id, ()))
                if found is not None:
                    return living(found)
                client = settings.authentication
                if needs_consent(settings) or not isinstance(client, OAuthAuthentication):
                    raise nobody_consented(uncovered_scopes(settings, grants.get(configuration_id, ())))
                own = own_grant(tenant, configuration_id, client, at=self._clock.now())
                try:
                    await work.grants.save(own, expected_generation=0)
                    await work.commit()
                except ConcurrentChange:
                    continue  # another process was first, or the configuration is gone
                return own
        raise no_configuration(configuration_id)

    def freshness(self, grant: Grant, resource: Resource) -> Freshness:
        """Tells how good the grant's access token is now; processes and grants come due at different moments."""
        jitter = (self._jitter + crc32(grant.grant_id.encode()) / 2**32) % 1
        return freshness(grant, resource, now=self._clock.now(), jitter=jitter)

    def check_may_ask(self, grant: Grant) -> None:
        """Raises ProviderRefused with what the token endpoint last said, while it is not to be asked again."""
        if grant.failure is not None and not may_ask(grant, now=self._clock.now()):
            raise ProviderRefused(replace(grant.failure, retry_time=grant.retry_time))

    def begin(
        self, grant: Grant, client: OAuthAuthentication, resource: Resource, *, is_trial: bool = False
    ) -> asyncio.Task[Refresh]:
        """
        Returns the refresh of *grant* that this process has under way, started if there is none; a trial is its own.

        It ends when new tokens or a refusal are stored, by this process or another one: NOT_OURS then. It goes on
        whatever becomes of those who wait, who shield it: what was sent must be stored.
        """
        # Two trials may be of two client secrets, of which each has to be proven by itself.
        name = grant.key, object() if is_trial else None
        task = self._running.get(name)
        if task is None:
            work = self._until_stored(grant, client, resource, is_trial=is_trial)
            task = asyncio.create_task(work, name=f"refresh {grant.configuration_id}")
            self._running[name] = task
            task.add_done_callback(lambda done: self._ended(name, done))
        return task

    async def drain(self, within: timedelta) -> None:
        """Waits for the refreshes under way, so that no answer is lost; cancels what is not done *within*."""
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=within.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _until_stored(
        self, grant: Grant, client: OAuthAuthentication, resource: Resource, *, is_trial: bool
    ) -> Refresh:
        while True:
            outcome = await self._refresh(grant, client, resource, is_trial=is_trial)
            if outcome is Refresh.STORED:
                return outcome
            await asyncio.sleep(self._look_again.total_seconds())
            async with self._uow() as work:
                stored = await work.grants.find(grant.key)
            if stored is None or stored.generation != grant.generation or not may_ask(stored, now=self._clock.now()):
                return outcome
            grant = stored

    def _ended(self, name: _Name, task: asyncio.Task[Refresh]) -> None:
        del self._running[name]
        if task.cancelled():
            return
        error = (
            task.exception()
        )  # also when nobody waits: a refresh ahead of time may fail in silence, for it comes again
        if error is not None and not isinstance(error, MailportError):
            key, _ = name
            fields = {TENANT: key.tenant, CONFIGURATION_ID: key.configuration_id}
            _logger.error(REFRESH_FAILED, extra=fields, exc_info=error)


def living(grant: Grant) -> Grant:
    """Returns *grant*. Raises ProviderRefused with why it is dead, when only a new consent helps."""
    if grant.is_dead and grant.failure is not None:
        raise ProviderRefused(grant.failure)
    return grant


def nobody_consented(missing_scopes: Sequence[str] = ()) -> AuthorizationRequired:
    """Returns the error for settings that no consent covers; *missing_scopes*: all that the one there is lacks."""
    if missing_scopes:
        listed = " ".join(missing_scopes)
        return AuthorizationRequired(
            f"The account has consented, but not to {listed}, which these settings need.",
            remedy="Call Authorize and let the owner of the account consent again; or name scopes of several resources "
            "in the settings of one consent, so that a later switch needs none.",
            metadata={"missing_scopes": listed[:_LONGEST_LISTED]},
        )
    return AuthorizationRequired(
        "These settings sign in with OAuth, and nobody has consented to them yet.",
        remedy="Call Authorize and let the owner of the account consent in a browser.",
    )
