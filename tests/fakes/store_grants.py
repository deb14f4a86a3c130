"""`domain.ports.grants.Grants` in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from domain.account import Account
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.grant import Grant, GrantKey, GrantState
from domain.ports.grants import RefreshLease
from domain.ports.vault import Place
from domain.secret import Secret, UnreadableSecret
from domain.token_life import keep_time
from tests.fakes.store import StoredGrant, StoredRefreshLease

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeGrants:
    """Tokens are sealed by the store's vault, leases are judged by the store's clock."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def of(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, tuple[Grant, ...]]:
        await self._unit.begin("grants.of")
        rows = [stored.grant for stored in self._unit.grant_rows.values() if stored.grant.tenant == tenant]
        rows.sort(key=lambda grant: (-grant.authorize_time.timestamp(), grant.grant_id))
        found = {
            name: tuple(
                self._opened(self._unit.grant_rows[grant.key]) for grant in rows if grant.configuration_id == name
            )
            for name in configuration_ids
        }
        return {name: grants for name, grants in found.items() if grants}

    async def find(self, key: GrantKey) -> Grant | None:
        await self._unit.begin("grants.find")
        stored = self._unit.grant_rows.get(key)
        return self._opened(stored) if stored else None

    async def save(self, grant: Grant, *, expected_generation: int, lease: RefreshLease | None = None) -> None:
        await self._unit.begin("grants.save")
        key, name = grant.key, (grant.tenant, grant.configuration_id)
        sealed = self._sealed(grant)
        await self._unit.lock(("grant", key))
        stored = self._unit.grant_rows.get(key)
        if name not in self._unit.configuration_rows or expected_generation != (
            stored.grant.generation if stored else 0
        ):
            raise ConcurrentChange("The grant was changed.", metadata={"configuration_id": name[1]})
        if lease is not None and not self._is_held(stored, lease):
            raise ConcurrentChange("Somebody else has the lease.", metadata={"configuration_id": name[1]})
        nothing = Secret("")
        tokens = tuple(
            replace(token, token=nothing) for token in sorted(grant.access_tokens, key=lambda token: token.resource)
        )
        blank = replace(grant, refresh_token=nothing, access_tokens=tokens)
        self._unit.grant_rows[key] = StoredGrant(blank, sealed)
        if grant.is_dead:
            self._unit.accounts.append(Account(*name))

    async def delete(self, key: GrantKey) -> bool:
        await self._unit.begin("grants.delete")
        await self._unit.lock(("grant", key))
        was_there = self._unit.grant_rows.pop(key, None) is not None
        if was_there:
            self._unit.accounts.append(Account(key.tenant, key.configuration_id))
        return was_there

    async def lease_refresh(self, key: GrantKey, *, generation: int, lease: timedelta) -> RefreshLease | None:
        await self._unit.begin("grants.lease_refresh")
        await self._unit.lock(("grant", key))
        stored = self._unit.grant_rows.get(key)
        if stored is None or stored.grant.generation != generation or stored.grant.is_dead or self._is_leased(stored):
            return None
        self._unit.store.leases_given += 1
        token = f"refresh-lease-{self._unit.store.leases_given}"
        state = stored.grant.state if stored.lease is None else GrantState.REFRESH_IN_DOUBT
        self._unit.grant_rows[key] = replace(
            stored,
            grant=replace(stored.grant, state=state),
            lease=StoredRefreshLease(token, self._unit.store.clock.now() + lease),
        )
        return RefreshLease(token, in_doubt=state is GrantState.REFRESH_IN_DOUBT)

    async def holds(self, key: GrantKey, lease: RefreshLease) -> bool:
        await self._unit.begin("grants.holds")
        return self._is_held(self._unit.grant_rows.get(key), lease)

    async def is_shared(self, grant: Grant) -> bool:
        await self._unit.begin("grants.is_shared")
        return any(
            stored.grant.key != grant.key and not stored.grant.is_dead and _rests_on_the_same(stored.grant, grant)
            for stored in self._unit.grant_rows.values()
        )

    async def end_lease(self, key: GrantKey, lease: RefreshLease) -> None:
        await self._unit.begin("grants.end_lease")
        await self._unit.lock(("grant", key))
        stored = self._unit.grant_rows.get(key)
        if stored is not None and stored.lease is not None and stored.lease.token == lease.token:
            self._unit.grant_rows[key] = replace(stored, lease=None)

    async def end_leases(self) -> int:
        await self._unit.begin("grants.end_leases")
        leased = [(key, stored) for key, stored in self._unit.grant_rows.items() if self._is_leased(stored)]
        for key, stored in leased:
            assert stored.lease is not None
            over = replace(stored.lease, until=self._unit.store.clock.now())
            self._unit.grant_rows[key] = replace(stored, lease=over)
        return len(leased)

    async def due_for_keeping(self, before: datetime, limit: int) -> tuple[GrantKey, ...]:
        await self._unit.begin("grants.due_for_keeping")
        due: list[tuple[datetime, GrantKey]] = []
        for key, stored in self._unit.grant_rows.items():
            at = keep_time(stored.grant)
            if at is not None and at < before and not self._is_leased(stored):
                due.append((at, key))
        return tuple(key for _, key in sorted(due, key=lambda one: (one[0], _order(one[1])))[:limit])

    async def page(self, *, after: GrantKey | None, limit: int) -> tuple[GrantKey, ...]:
        await self._unit.begin("grants.page")
        keys = sorted(self._unit.grant_rows, key=_order)
        return tuple(key for key in keys if after is None or _order(key) > _order(after))[:limit]

    def forget(self, tenant: str, configuration_id: str) -> None:
        """Lets the grants go with their configuration."""
        for key in list(self._unit.grant_rows):
            if (key.tenant, key.configuration_id) == (tenant, configuration_id):
                del self._unit.grant_rows[key]

    @staticmethod
    def _is_held(stored: StoredGrant | None, lease: RefreshLease) -> bool:
        return stored is not None and stored.lease is not None and stored.lease.token == lease.token

    def _is_leased(self, stored: StoredGrant) -> bool:
        return stored.lease is not None and stored.lease.until > self._unit.store.clock.now()

    def _sealed(self, grant: Grant) -> dict[str, bytes]:
        secrets = {"refresh_token": grant.refresh_token}
        secrets |= {f"access_token/{each.resource}": each.token for each in grant.access_tokens}
        seal = self._unit.store.vault.seal
        return {field: seal(secret.reveal().encode(), place=_place(grant, field)) for field, secret in secrets.items()}

    def _opened(self, stored: StoredGrant) -> Grant:
        grant = stored.grant
        tokens = ((each, self._open(stored, f"access_token/{each.resource}")) for each in grant.access_tokens)
        refresh_token = self._open(stored, "refresh_token")
        return replace(
            grant,
            refresh_token=UnreadableSecret() if refresh_token is None else refresh_token,
            access_tokens=tuple(replace(each, token=token) for each, token in tokens if token is not None),
        )

    def _open(self, stored: StoredGrant, field: str) -> Secret | None:
        try:
            return Secret(self._unit.store.vault.open(stored.sealed[field], place=_place(stored.grant, field)).decode())
        except SecretUnreadable:
            return None


def _place(grant: Grant, field: str) -> Place:
    return Place(tenant=grant.tenant, record=f"grant/{grant.configuration_id}/{grant.grant_id}", field=field)


def _rests_on_the_same(one: Grant, other: Grant) -> bool:
    first, second = one.basis, other.basis
    return (first.client_id, first.token_endpoint, first.username.lower()) == (
        second.client_id,
        second.token_endpoint,
        second.username.lower(),
    )


def _order(key: GrantKey) -> tuple[str, str, str]:
    return key.tenant, key.configuration_id, key.grant_id
