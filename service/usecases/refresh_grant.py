"""The step that asks a token endpoint for new tokens: one request a generation across all processes, none lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from domain.account import Account
from domain.errors import ConcurrentChange, ProviderRefused, SecretUnreadable, Unavailable
from domain.grant import Grant, GrantKey, issuer_of
from domain.ports.authorization import AuthorizationServer
from domain.ports.environment import Clock, Entropy
from domain.ports.grants import RefreshLease
from domain.ports.storage import UnitOfWork
from domain.resource import Resource, refresh_scopes, scopes_for
from domain.secret import UnreadableSecret
from domain.settings.model import OAuthAuthentication
from domain.token import TokenAnswer, TokenRefusal
from domain.token_life import refreshed, refused
from service.usecases.events import Events

LEASE: Final = timedelta(seconds=60)
"""Longer than a request may take, and than a database is usually away after it."""
_SHARE_FOR_ASKING: Final = 0.25
"""Of the lease: what has to be left of it when the request goes out."""
_STORE_AGAIN: Final = timedelta(milliseconds=250)
_FORMER_HOLDER: Final = timedelta(seconds=4)
"""
How long whoever takes over a refresh waits for the one before: should that one live after all, and only have waited for
the database, which it looks for every few seconds at most, its answer is stored by then (P11).
"""

_T = TypeVar("_T")


class Refresh(StrEnum):
    """What came of it."""

    STORED = "STORED"
    """What the endpoint answered is stored, tokens or why there are none."""
    NOT_OURS = "NOT_OURS"
    """Somebody else refreshes this generation, or has done so; nothing was asked."""


class RefreshGrant:
    """Refreshes a grant, once for each of its generations."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        server: AuthorizationServer,
        clock: Clock,
        entropy: Entropy,
        events: Events,
        lease: timedelta = LEASE,
        store_again: timedelta = _STORE_AGAIN,
        former_holder: timedelta = _FORMER_HOLDER,
    ) -> None:
        self._uow = uow
        self._server = server
        self._clock = clock
        self._entropy = entropy
        self._events = events
        self._lease = lease
        self._store_again = store_again
        self._former_holder = former_holder

    async def __call__(
        self, grant: Grant, client: OAuthAuthentication, resource: Resource, *, is_trial: bool = False
    ) -> Refresh:
        """
        Asks for new tokens for *resource* and stores what came, before anybody uses it (P10, P11).

        *grant* is as it was just read. The lease is committed first, which also proves that the store takes writes. An
        answer is kept and stored again and again until the store has it, so never cancel this where that can be
        helped: a refresh that was sent and not stored leaves the grant in doubt (P12).
        *is_trial*: *client* is not in use yet, so a refusal that is its own fault is raised as ProviderRefused and
        leaves no trace on the grant.
        Raises SecretUnreadable when a secret does not open, Unavailable when the store is away before the request.
        """
        if isinstance(grant.refresh_token, UnreadableSecret):
            raise _unreadable("the refresh token", "Call Authorize and let the owner of the account consent again")
        begun = self._clock.monotonic()
        lease = await self._take(grant)
        if lease is None:
            return Refresh.NOT_OURS
        if lease.in_doubt and not await self._is_ours_after_waiting(grant, lease):
            return Refresh.NOT_OURS
        if self._clock.monotonic() - begun > self._lease * (1 - _SHARE_FOR_ASKING):
            # This process stood still, and somebody else may have the lease by now or soon: nothing was sent yet.
            await self._while_away(lambda: self._give_back(grant.key, lease))
            return Refresh.NOT_OURS
        asked_time = self._clock.now()
        try:
            told = await self._ask(grant, client, resource)
        except SecretUnreadable:
            await self._while_away(lambda: self._give_back(grant.key, lease))
            raise
        self._events.token_refreshed(_account(grant), told.failure if isinstance(told, TokenRefusal) else None)
        if isinstance(told, TokenAnswer):
            await self._keep(grant, told, client, resource, asked_time)
        elif is_trial and told.is_answer and not (told.ends_grant and grant.takes_person):
            await self._while_away(lambda: self._give_back(grant.key, lease))
            raise ProviderRefused(told.failure)
        else:
            await self._record(grant, told, client, lease)
        return Refresh.STORED

    async def _take(self, grant: Grant) -> RefreshLease | None:
        async with self._uow() as work:
            lease = await work.grants.lease_refresh(grant.key, generation=grant.generation, lease=self._lease)
            await work.commit()
        return lease

    async def _is_ours_after_waiting(self, grant: Grant, lease: RefreshLease) -> bool:
        """Waits for a former holder; False when that one has stored tokens, or somebody has the lease by now."""
        await asyncio.sleep(self._former_holder.total_seconds())
        return await self._while_away(lambda: self._is_ours(grant, lease))

    async def _is_ours(self, grant: Grant, lease: RefreshLease) -> bool:
        async with self._uow() as work:
            stored = await work.grants.find(grant.key)
            is_ours = await work.grants.holds(grant.key, lease)
        return is_ours and stored is not None and stored.generation == grant.generation and not stored.is_dead

    async def _ask(self, grant: Grant, client: OAuthAuthentication, resource: Resource) -> TokenAnswer | TokenRefusal:
        issuer = issuer_of(client)
        if not grant.takes_person:
            return await self._server.acquire(client, scopes=scopes_for(resource, client.scopes, issuer=issuer))
        scopes = refresh_scopes(resource, client.scopes, issuer=issuer)
        return await self._server.refresh(client, refresh_token=grant.refresh_token, scopes=scopes)

    async def _keep(
        self, grant: Grant, answer: TokenAnswer, client: OAuthAuthentication, resource: Resource, asked_time: datetime
    ) -> None:
        new = refreshed(grant, answer, resource=resource, issuer=issuer_of(client), asked_time=asked_time)

        async def store() -> None:
            try:
                await self._save(new, grant.generation)
            except ConcurrentChange:
                # Either our own commit went through and only its answer was lost, or somebody has stored a newer pair,
                # or the grant was given up: in each case what is stored stands.
                return

        await self._while_away(store)

    async def _record(
        self, grant: Grant, refusal: TokenRefusal, client: OAuthAuthentication, lease: RefreshLease
    ) -> None:
        issuer = issuer_of(client)
        uncertain: Grant | None = None

        async def store() -> Grant | None:
            nonlocal uncertain
            while True:
                stored = await self._find(grant.key)
                if stored is None:
                    return None
                after = refused(
                    stored,
                    refusal,
                    posted=grant.refresh_token,
                    issuer=issuer,
                    now=self._clock.now(),
                    jitter=self._entropy.fraction(),
                )
                if after is stored:  # it says nothing of what is stored by now (F26)
                    await self._give_back(grant.key, lease)
                    # Unless the commit went through before, and only its answer was lost: nobody else tells of it.
                    return stored if stored.is_dead and uncertain is not None and uncertain.is_dead else None
                try:
                    await self._save(after, stored.generation, lease)
                except ConcurrentChange:
                    if await self._is_ours(grant, lease):
                        continue
                    return None  # who has the lease by now will hear for itself
                except Unavailable:
                    uncertain = after
                    raise
                return after if after.is_dead and not stored.is_dead else None

        died = await self._while_away(store)
        if died is not None and died.failure is not None:
            self._events.grant_died(_account(died), died.failure)

    async def _find(self, key: GrantKey) -> Grant | None:
        async with self._uow() as work:
            return await work.grants.find(key)

    async def _save(self, grant: Grant, expected_generation: int, lease: RefreshLease | None = None) -> None:
        async with self._uow() as work:
            await work.grants.save(grant, expected_generation=expected_generation, lease=lease)
            await work.commit()

    async def _give_back(self, key: GrantKey, lease: RefreshLease) -> None:
        async with self._uow() as work:
            await work.grants.end_lease(key, lease)
            await work.commit()

    async def _while_away(self, use: Callable[[], Awaitable[_T]]) -> _T:
        """Repeats *use* until the store is there for it: what was answered exists nowhere else (P11)."""
        while True:
            try:
                return await use()
            except Unavailable:
                await asyncio.sleep(self._store_again.total_seconds())


def _account(grant: Grant) -> Account:
    return Account(grant.tenant, grant.configuration_id)


def _unreadable(what: str, remedy: str) -> SecretUnreadable:
    return SecretUnreadable(
        f"The stored secret {what} cannot be opened with the keys that mailport has.",
        remedy=f"{remedy}, or bring back the key that it was sealed with.",
        metadata={"field": what},
    )
