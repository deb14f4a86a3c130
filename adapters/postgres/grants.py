"""Grants with their tokens sealed, replaced by compare-and-set, refreshed under a lease."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from psycopg import sql
from psycopg.errors import ForeignKeyViolation
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from adapters.postgres.codec import failure_from, failure_to, is_storable, storable
from adapters.postgres.consent_codec import basis_from, basis_to, scopes_to
from adapters.postgres.session import Session
from adapters.postgres.signals import tell_of_account
from domain.account import Account
from domain.errors import ConcurrentChange, SecretUnreadable
from domain.grant import AccessToken, Grant, GrantKey, GrantState
from domain.ports.grants import RefreshLease
from domain.ports.vault import Place, Vault
from domain.resource import Resource
from domain.secret import Secret, UnreadableSecret
from domain.token_life import keep_time

_REFRESH_TOKEN: Final = "refresh_token"
_INSERT: Final = sql.SQL(
    """
    insert into oauth_grant (
        tenant, configuration_id, grant_id, generation, state, basis, account, granted_scopes, refresh_token,
        authorize_time, refresh_time, refresh_token_expire_time, failure, failing_since, failure_count, retry_time,
        keep_time)
    values (
        %(tenant)s, %(id)s, %(grant_id)s, %(generation)s, %(state)s, %(basis)s, %(account)s, %(granted_scopes)s,
        %(refresh_token)s, %(authorize_time)s, %(refresh_time)s, %(refresh_token_expire_time)s, %(failure)s,
        %(failing_since)s, %(failure_count)s, %(retry_time)s, %(keep_time)s)
    on conflict do nothing
    """
)
_UPDATE: Final = sql.SQL(
    """
    update oauth_grant
    set generation = %(generation)s, state = %(state)s, basis = %(basis)s, account = %(account)s,
        granted_scopes = %(granted_scopes)s, refresh_token = %(refresh_token)s, authorize_time = %(authorize_time)s,
        refresh_time = %(refresh_time)s, refresh_token_expire_time = %(refresh_token_expire_time)s,
        failure = %(failure)s, failing_since = %(failing_since)s, failure_count = %(failure_count)s,
        retry_time = %(retry_time)s, keep_time = %(keep_time)s, lease_token = null, lease_until = null
    where tenant = %(tenant)s and configuration_id = %(id)s and grant_id = %(grant_id)s and generation = %(expected)s
        and (%(lease)s::text is null or lease_token = %(lease)s)
    """
)
_FIND: Final = sql.SQL(
    """
    select g.configuration_id, g.grant_id, g.generation, g.state, g.basis, g.account, g.granted_scopes, g.refresh_token,
        g.authorize_time, g.refresh_time, g.refresh_token_expire_time, g.failure, g.failing_since, g.failure_count,
        g.retry_time,
        t.resource, t.generation as token_generation, t.sealed, t.issue_time, t.expire_time
    from oauth_grant g left join access_token t using (tenant, configuration_id, grant_id)
    where g.tenant = %(tenant)s and g.configuration_id = any(%(ids)s)
        and (g.grant_id = %(grant_id)s or %(grant_id)s::text is null)
    order by g.configuration_id, g.authorize_time desc, g.grant_id, t.resource
    """
)
# The UPDATE itself takes the lease, which also proves that the database can be written before anything is asked for
# that must be stored. A second one that waited for the first judges the row anew, as the first left it. Not now(),
# which stands still within a transaction.
_LEASE: Final = sql.SQL(
    """
    update oauth_grant
    set state = case when lease_token is null then state else 'REFRESH_IN_DOUBT' end,
        lease_token = %(token)s, lease_until = clock_timestamp() + %(lease)s
    where tenant = %(tenant)s and configuration_id = %(id)s and grant_id = %(grant_id)s
        and generation = %(generation)s and state <> 'REAUTHORIZATION_REQUIRED'
        and (lease_until is null or lease_until <= clock_timestamp())
    returning state
    """
)


class PostgresGrants:
    """A `domain.ports.grants.Grants` within one transaction."""

    def __init__(self, *, session: Session, vault: Vault) -> None:
        self._session = session
        self._vault = vault

    async def of(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, tuple[Grant, ...]]:
        """See the port."""
        ids = [each for each in configuration_ids if is_storable(each)]
        found = await self._read(tenant, ids, None) if ids else []
        return {name: tuple(grants) for name, grants in groupby(found, key=lambda grant: grant.configuration_id)}

    async def find(self, key: GrantKey) -> Grant | None:
        """See the port."""
        if not is_storable(key.configuration_id) or not is_storable(key.grant_id):
            return None
        found = await self._read(key.tenant, [key.configuration_id], key.grant_id)
        return found[0] if found else None

    async def save(self, grant: Grant, *, expected_generation: int, lease: RefreshLease | None = None) -> None:
        """See the port."""
        parameters = {
            **self._columns(grant),
            "expected": expected_generation,
            "lease": lease.token if lease is not None else None,
        }
        try:
            done = await self._session.execute(_UPDATE if expected_generation else _INSERT, parameters)
        except ForeignKeyViolation as gone:
            raise _changed_meanwhile(grant.configuration_id) from gone
        if done != 1:
            raise _changed_meanwhile(grant.configuration_id)
        await self._write_access_tokens(grant)
        if grant.is_dead:
            await tell_of_account(self._session, Account(grant.tenant, grant.configuration_id))

    async def delete(self, key: GrantKey) -> bool:
        """See the port."""
        done = await self._session.execute(
            """
            delete from oauth_grant
            where tenant = %(tenant)s and configuration_id = %(id)s and grant_id = %(grant_id)s
            """,
            _named(key),
        )
        if done == 1:
            await tell_of_account(self._session, Account(key.tenant, key.configuration_id))
        return done == 1

    async def lease_refresh(self, key: GrantKey, *, generation: int, lease: timedelta) -> RefreshLease | None:
        """See the port."""
        token = secrets.token_urlsafe(16)
        row = await self._session.row(_LEASE, {**_named(key), "generation": generation, "token": token, "lease": lease})
        return RefreshLease(token, in_doubt=row["state"] == GrantState.REFRESH_IN_DOUBT) if row else None

    async def holds(self, key: GrantKey, lease: RefreshLease) -> bool:
        """See the port."""
        row = await self._session.row(
            """
            select from oauth_grant
            where tenant = %(tenant)s and configuration_id = %(id)s and grant_id = %(grant_id)s
                and lease_token = %(token)s
            """,
            {**_named(key), "token": lease.token},
        )
        return row is not None

    async def is_shared(self, grant: Grant) -> bool:
        """See the port."""
        row = await self._session.row(
            """
            select from oauth_grant
            where state <> 'REAUTHORIZATION_REQUIRED' and basis ->> 'client_id' = %(client_id)s
                and basis ->> 'token_endpoint' = %(token_endpoint)s
                and lower(basis ->> 'username') = lower(%(username)s)
                and (tenant, configuration_id, grant_id) <> (%(tenant)s, %(id)s, %(grant_id)s)
            limit 1
            """,
            {
                **_named(grant.key),
                "client_id": grant.basis.client_id,
                "token_endpoint": grant.basis.token_endpoint,
                "username": grant.basis.username,
            },
        )
        return row is not None

    async def end_lease(self, key: GrantKey, lease: RefreshLease) -> None:
        """See the port."""
        await self._session.execute(
            """
            update oauth_grant set lease_token = null, lease_until = null
            where tenant = %(tenant)s and configuration_id = %(id)s and grant_id = %(grant_id)s
                and lease_token = %(token)s
            """,
            {**_named(key), "token": lease.token},
        )

    async def end_leases(self) -> int:
        """See the port."""
        return await self._session.execute(
            "update oauth_grant set lease_until = clock_timestamp() where lease_until > clock_timestamp()", {}
        )

    async def due_for_keeping(self, before: datetime, limit: int) -> tuple[GrantKey, ...]:
        """See the port."""
        rows = await self._session.rows(
            """
            select tenant, configuration_id, grant_id from oauth_grant
            where keep_time < %(before)s and (lease_until is null or lease_until <= clock_timestamp())
            order by keep_time, tenant, configuration_id, grant_id limit %(limit)s
            """,
            {"before": before, "limit": limit},
        )
        return tuple(GrantKey(**row) for row in rows)

    async def page(self, *, after: GrantKey | None, limit: int) -> tuple[GrantKey, ...]:
        """See the port."""
        rows = await self._session.rows(
            """
            select tenant, configuration_id, grant_id from oauth_grant
            where (tenant, configuration_id, grant_id) > (%(tenant)s, %(id)s, %(grant_id)s)
            order by tenant, configuration_id, grant_id limit %(limit)s
            """,
            {**_named(after or GrantKey("", "", "")), "limit": limit},
        )
        return tuple(GrantKey(**row) for row in rows)

    async def _read(self, tenant: str, configuration_ids: list[str], grant_id: str | None) -> list[Grant]:
        # One statement, so that a grant and its tokens are of one generation.
        rows = await self._session.rows(_FIND, {"tenant": tenant, "ids": configuration_ids, "grant_id": grant_id})
        grouped = groupby(rows, key=lambda row: (row["configuration_id"], row["grant_id"]))
        return [self._grant(tenant, list(of_one)) for _, of_one in grouped]

    async def _write_access_tokens(self, grant: Grant) -> None:
        """Brings the stored access tokens in line: each is sealed anew, which costs less than to tell which changed."""
        names = _named(grant.key)
        await self._session.execute(
            """
            delete from access_token
            where tenant = %(tenant)s and configuration_id = %(id)s and grant_id = %(grant_id)s
            """,
            names,
        )
        if not grant.access_tokens:
            return
        await self._session.execute_each(
            """
            insert into access_token (
                tenant, configuration_id, grant_id, resource, generation, sealed, issue_time, expire_time)
            values (
                %(tenant)s, %(id)s, %(grant_id)s, %(resource)s, %(generation)s, %(sealed)s, %(issue_time)s,
                %(expire_time)s)
            """,
            [
                {
                    **names,
                    "resource": each.resource,
                    "generation": each.generation,
                    "sealed": self._sealed(each.token, _access_place(grant.key, each.resource)),
                    "issue_time": each.issue_time,
                    "expire_time": each.expire_time,
                }
                for each in grant.access_tokens
            ],
        )

    def _columns(self, grant: Grant) -> dict[str, Any]:
        place = _place(grant.key, _REFRESH_TOKEN)
        return {
            **_named(grant.key),
            "generation": grant.generation,
            "state": grant.state.value,
            "basis": Jsonb(basis_to(grant.basis)),
            "account": storable(grant.account),
            "granted_scopes": Jsonb(scopes_to(grant.granted_scopes)),
            "refresh_token": self._sealed(grant.refresh_token, place),
            "authorize_time": grant.authorize_time,
            "refresh_time": grant.refresh_time,
            "refresh_token_expire_time": grant.refresh_token_expire_time,
            "failure": Jsonb(failure_to(grant.failure)) if grant.failure else None,
            "failing_since": grant.failing_since,
            "failure_count": grant.failure_count,
            "retry_time": grant.retry_time,
            "keep_time": keep_time(grant),
        }

    def _grant(self, tenant: str, rows: list[DictRow]) -> Grant:
        row = rows[0]
        key = GrantKey(tenant, row["configuration_id"], row["grant_id"])
        refresh_token = self._opened(row["refresh_token"], _place(key, _REFRESH_TOKEN))
        return Grant(
            tenant=tenant,
            configuration_id=key.configuration_id,
            grant_id=key.grant_id,
            basis=basis_from(row["basis"]),
            account=row["account"],
            granted_scopes=tuple(row["granted_scopes"]),
            refresh_token=UnreadableSecret() if refresh_token is None else refresh_token,  # an empty one is false too
            authorize_time=row["authorize_time"],
            generation=row["generation"],
            access_tokens=tuple(token for each in rows if (token := self._access_token(key, each)) is not None),
            refresh_time=row["refresh_time"],
            refresh_token_expire_time=row["refresh_token_expire_time"],
            state=GrantState(row["state"]),
            failure=failure_from(row["failure"]),
            failing_since=row["failing_since"],
            failure_count=row["failure_count"],
            retry_time=row["retry_time"],
        )

    def _access_token(self, key: GrantKey, row: DictRow) -> AccessToken | None:
        if row["resource"] is None:
            return None
        resource = Resource(row["resource"])
        token = self._opened(row["sealed"], _access_place(key, resource))
        if token is None:
            return None
        return AccessToken(
            resource=resource,
            token=token,
            issue_time=row["issue_time"],
            expire_time=row["expire_time"],
            generation=row["token_generation"],
        )

    def _sealed(self, secret: Secret, place: Place) -> bytes:
        return self._vault.seal(secret.reveal().encode(), place=place)

    def _opened(self, sealed: bytes, place: Place) -> Secret | None:
        try:
            return Secret(self._vault.open(sealed, place=place).decode())
        except SecretUnreadable:
            return None


def _named(key: GrantKey) -> dict[str, str]:
    return {"tenant": key.tenant, "id": key.configuration_id, "grant_id": key.grant_id}


def _place(key: GrantKey, field: str) -> Place:
    return Place(tenant=key.tenant, record=f"grant/{key.configuration_id}/{key.grant_id}", field=field)


def _access_place(key: GrantKey, resource: Resource) -> Place:
    return _place(key, f"access_token/{resource}")


def _changed_meanwhile(configuration_id: str) -> ConcurrentChange:
    return ConcurrentChange(
        f"The grant of configuration {configuration_id} was changed by somebody else at the same time.",
        remedy="Read it again, and use what is stored.",
        metadata={"configuration_id": configuration_id},
    )
