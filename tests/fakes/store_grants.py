"""`domain.ports.storage.Grants` in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from domain.errors import ConcurrentChange, SecretUnreadable
from domain.grant import Grant, GrantState
from domain.ports.storage import Account, RefreshLease
from domain.ports.vault import Place
from domain.secret import Secret, UnreadableSecret
from domain.token_life import keep_time
from tests.fakes.store import Name, StoredGrant, StoredRefreshLease

if TYPE_CHECKING:
    from tests.fakes.storage import FakeUnitOfWork


class FakeGrants:
    """Tokens are sealed by the store's vault, leases are judged by the store's clock."""

    def __init__(self, unit: FakeUnitOfWork) -> None:
        self._unit = unit

    async def find(self, tenant: str, configuration_id: str) -> Grant | None:
        await self._unit.begin("grants.find")
        stored = self._unit.grant_rows.get((tenant, configuration_id))
        return self._opened(stored) if stored else None

    async def save(self, grant: Grant, *, expected_generation: int) -> None:
        await self._unit.begin("grants.save")
        name = grant.tenant, grant.configuration_id
        sealed = self._sealed(grant)
        await self._unit.lock(("grant", *name))
        stored = self._unit.grant_rows.get(name)
        if name not in self._unit.configuration_rows or expected_generation != (
            stored.grant.generation if stored else 0
        ):
            raise ConcurrentChange("The grant was changed.", metadata={"configuration_id": name[1]})
        nothing = Secret("")
        tokens = tuple(
            replace(token, token=nothing) for token in sorted(grant.access_tokens, key=lambda token: token.resource)
        )
        blank = replace(grant, refresh_token=nothing, access_tokens=tokens)
        self._unit.grant_rows[name] = StoredGrant(blank, sealed)

    async def delete(self, tenant: str, configuration_id: str) -> bool:
        await self._unit.begin("grants.delete")
        await self._unit.lock(("grant", tenant, configuration_id))
        return self._unit.grant_rows.pop((tenant, configuration_id), None) is not None

    async def lease_refresh(
        self, tenant: str, configuration_id: str, *, generation: int, lease: timedelta
    ) -> RefreshLease | None:
        await self._unit.begin("grants.lease_refresh")
        name = tenant, configuration_id
        await self._unit.lock(("grant", *name))
        stored = self._unit.grant_rows.get(name)
        if stored is None or stored.grant.generation != generation or stored.grant.is_dead or self._is_leased(stored):
            return None
        self._unit.store.leases_given += 1
        token = f"refresh-lease-{self._unit.store.leases_given}"
        state = stored.grant.state if stored.lease is None else GrantState.REFRESH_IN_DOUBT
        self._unit.grant_rows[name] = replace(
            stored,
            grant=replace(stored.grant, state=state),
            lease=StoredRefreshLease(token, self._unit.store.clock.now() + lease),
        )
        return RefreshLease(token, in_doubt=state is GrantState.REFRESH_IN_DOUBT)

    async def end_lease(self, tenant: str, configuration_id: str, lease: RefreshLease) -> None:
        await self._unit.begin("grants.end_lease")
        name = tenant, configuration_id
        await self._unit.lock(("grant", *name))
        stored = self._unit.grant_rows.get(name)
        if stored is not None and stored.lease is not None and stored.lease.token == lease.token:
            self._unit.grant_rows[name] = replace(stored, lease=None)

    async def due_for_keeping(self, before: datetime, limit: int) -> tuple[Account, ...]:
        await self._unit.begin("grants.due_for_keeping")
        due: list[tuple[datetime, Name]] = []
        for name, stored in self._unit.grant_rows.items():
            at = keep_time(stored.grant)
            if at is not None and at < before and not self._is_leased(stored):
                due.append((at, name))
        return tuple(Account(*name) for _, name in sorted(due)[:limit])

    async def page(self, *, after: Account | None, limit: int) -> tuple[Account, ...]:
        await self._unit.begin("grants.page")
        beginning = (after.tenant, after.configuration_id) if after else ("", "")
        return tuple(Account(*name) for name in sorted(self._unit.grant_rows) if name > beginning)[:limit]

    def forget(self, tenant: str, configuration_id: str) -> None:
        """Lets the grant go with its configuration."""
        self._unit.grant_rows.pop((tenant, configuration_id), None)

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
        return replace(
            grant,
            refresh_token=self._open(stored, "refresh_token") or UnreadableSecret(),
            access_tokens=tuple(replace(each, token=token) for each, token in tokens if token is not None),
        )

    def _open(self, stored: StoredGrant, field: str) -> Secret | None:
        try:
            return Secret(self._unit.store.vault.open(stored.sealed[field], place=_place(stored.grant, field)).decode())
        except SecretUnreadable:
            return None


def _place(grant: Grant, field: str) -> Place:
    return Place(tenant=grant.tenant, record=f"grant/{grant.configuration_id}", field=field)
