"""Accepted messages on their way: the queue is one table, claimed with SKIP LOCKED under leases."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from psycopg.rows import DictRow, dict_row

from adapters.postgres.connection import BoundedConnection
from adapters.postgres.delivery_rows import (
    COLUMNS,
    attempt_from,
    attempt_to,
    delivery_from,
    delivery_to,
    parse_id,
)
from adapters.postgres.signals import CHANGED_CHANNEL, DUE_CHANNEL
from domain.delivery import Attempt, Claimed, Delivery, DeliveryState, advance
from domain.errors import LeaseLost, NotFound
from domain.ports.storage import (
    Abandoned,
    Accepted,
    Account,
    Claim,
    DeliveryFilter,
    DeliveryPosition,
    IdempotencyRecord,
    Lease,
)
from domain.ports.vault import Place, Vault

_ATTEMPTS_SHOWN: Final = 50
_HELD_LEASE: Final = """
    tenant = %(tenant)s and delivery_id = %(delivery_id)s and state = 'SENDING'
    and lease_token = %(token)s and lease_until > now()
"""
_STATE: Final = """
    recipients = %(recipients)s, state = %(state)s, attempt_count = %(attempt_count)s, doubt_count = %(doubt_count)s,
    update_time = %(update_time)s, expire_time = %(expire_time)s, next_attempt_time = %(next_attempt_time)s,
    final_time = %(final_time)s, failure = %(failure)s,
    worker = null, lease_token = null, lease_until = null, no_return_time = null
"""


class PostgresDeliveries:
    """A `domain.ports.storage.Deliveries` within one transaction."""

    def __init__(self, *, connection: BoundedConnection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault

    async def accept(self, delivery: Delivery, content: bytes, key: IdempotencyRecord | None) -> Accepted:
        """See the port."""
        if key is not None and not await self._take_key(delivery, key):
            standing = await self.accepted(delivery.tenant, key.key)
            if standing is not None:
                return standing
            # The key lapsed between the two statements: it is free now.
            await self._take_key(delivery, key)
        await self._connection.execute(
            """
            insert into delivery (
                tenant, delivery_id, configuration_id, message_id, sender, recipients, state, in_doubt_policy,
                attempt_count, doubt_count, create_time, update_time, expire_time, next_attempt_time, final_time,
                failure, data_center)
            values (
                %(tenant)s, %(delivery_id)s, %(configuration_id)s, %(message_id)s, %(sender)s, %(recipients)s,
                %(state)s, %(in_doubt_policy)s, %(attempt_count)s, %(doubt_count)s, %(create_time)s, %(update_time)s,
                %(expire_time)s, %(next_attempt_time)s, %(final_time)s, %(failure)s, %(data_center)s)
            """,
            delivery_to(delivery),
        )
        await self._connection.execute(
            # %%b: as bytes; the text form of bytea takes twice the room
            "insert into delivery_content (tenant, delivery_id, sealed) values (%s, %s, %b)",
            (delivery.tenant, UUID(delivery.delivery_id), self._vault.seal(content, place=_content_place(delivery))),
        )
        await self._notify(DUE_CHANNEL, "")
        return Accepted(delivery=delivery, content_digest=key.content_digest if key else b"", is_replay=False)

    async def accepted(self, tenant: str, key: str) -> Accepted | None:
        """See the port."""
        row = await self._row(
            f"""
            select {COLUMNS}, k.content_digest
            from idempotency_key k join delivery d using (tenant, delivery_id)
            where k.tenant = %(tenant)s and k.key = %(key)s and k.expire_time > now()
            """,
            {"tenant": tenant, "key": key},
        )
        if row is None:
            return None
        return Accepted(delivery=delivery_from(row), content_digest=row["content_digest"], is_replay=True)

    async def find(self, tenant: str, delivery_id: str) -> Delivery | None:
        """See the port."""
        return await self._one(tenant, delivery_id, "")

    async def lock(self, tenant: str, delivery_id: str) -> Delivery | None:
        """See the port."""
        return await self._one(tenant, delivery_id, "for update")

    async def attempts(self, tenant: str, delivery_id: str) -> tuple[Attempt, ...]:
        """See the port."""
        if (identity := parse_id(delivery_id)) is None:
            return ()
        rows = await self._rows(
            """
            select number, start_time, end_time, failure, trace, in_doubt from attempt
            where tenant = %(tenant)s and delivery_id = %(id)s order by number desc limit %(limit)s
            """,
            {"tenant": tenant, "id": identity, "limit": _ATTEMPTS_SHOWN},
        )
        return tuple(attempt_from(row) for row in reversed(rows))

    async def page(
        self, tenant: str, where: DeliveryFilter, *, after: DeliveryPosition | None, limit: int
    ) -> tuple[Delivery, ...]:
        """See the port."""
        rows = await self._rows(
            f"""
            select {COLUMNS} from delivery d
            where d.tenant = %(tenant)s
              and (%(configuration_id)s = '' or d.configuration_id = %(configuration_id)s)
              and (%(states)s::text[] is null or d.state = any(%(states)s))
              and (%(created_from)s::timestamptz is null or d.create_time >= %(created_from)s)
              and (%(created_before)s::timestamptz is null or d.create_time < %(created_before)s)
              and (%(at)s::timestamptz is null or (d.create_time, d.delivery_id) < (%(at)s, %(below)s))
            order by d.create_time desc, d.delivery_id desc limit %(limit)s
            """,
            {
                "tenant": tenant,
                "configuration_id": where.configuration_id,
                "states": [state.value for state in where.states] or None,
                "created_from": where.created_from,
                "created_before": where.created_before,
                "at": after.create_time if after else None,
                "below": UUID(after.delivery_id) if after else None,
                "limit": limit,
            },
        )
        return tuple(delivery_from(row) for row in rows)

    async def content(self, delivery: Delivery) -> bytes:
        """See the port."""
        cursor = await self._connection.execute(
            "select sealed from delivery_content where tenant = %s and delivery_id = %s",
            (delivery.tenant, UUID(delivery.delivery_id)),
            binary=True,
        )
        row = await cursor.fetchone()
        if row is None:
            raise NotFound("The message's content is no longer stored.", metadata={"delivery_id": delivery.delivery_id})
        return self._vault.open(row[0], place=_content_place(delivery))

    async def claim(
        self,
        *,
        worker: str,
        lease: timedelta,
        limit: int,
        data_centers: tuple[str, ...] = (),
        passing_over: frozenset[Account] = frozenset(),
    ) -> tuple[Claim, ...]:
        """See the port."""
        rows = await self._rows(
            f"""
            select {COLUMNS}, now() as claim_time from delivery d
            where d.next_attempt_time <= now() and d.expire_time > now()
              and (%(sites)s::text[] is null or d.data_center = '' or d.data_center = any(%(sites)s))
              and (d.tenant, d.configuration_id) not in (select * from unnest(%(tenants)s::text[], %(ids)s::text[]))
            order by d.next_attempt_time limit %(limit)s
            for update of d skip locked
            """,
            {
                "sites": list(data_centers) or None,
                "tenants": [account.tenant for account in passing_over],
                "ids": [account.configuration_id for account in passing_over],
                "limit": limit,
            },
        )
        claims = [self._claimed(row) for row in rows]
        async with self._connection.cursor() as cursor:
            await cursor.executemany(
                f"""
                with taken as (
                    update delivery set {
                    _STATE.replace(
                        "worker = null, lease_token = null, lease_until = null",
                        "worker = %(worker)s, lease_token = %(token)s, lease_until = now() + %(lease)s",
                    )
                }
                    where tenant = %(tenant)s and delivery_id = %(delivery_id)s)
                insert into attempt (tenant, delivery_id, number, worker, start_time)
                values (%(tenant)s, %(delivery_id)s, %(attempt_count)s, %(worker)s, %(update_time)s)
                """,
                [
                    {**delivery_to(claim.delivery), "worker": worker, "token": claim.lease.token, "lease": lease}
                    for claim in claims
                ],
            )
        return tuple(claims)

    async def renew(self, claim: Claim, *, lease: timedelta) -> None:
        """See the port."""
        await self._under_lease(claim, "lease_until = now() + %(lease)s", {"lease": lease})

    async def pass_no_return(self, claim: Claim) -> None:
        """See the port."""
        await self._under_lease(claim, "no_return_time = now()", {})

    async def record(self, claim: Claim, delivery: Delivery, attempt: Attempt) -> None:
        """See the port."""
        await self._under_lease(claim, _STATE, delivery_to(delivery))
        await self._connection.execute(
            """
            update attempt
            set end_time = %(end_time)s, failure = %(attempt_failure)s, trace = %(trace)s, in_doubt = %(in_doubt)s
            where tenant = %(tenant)s and delivery_id = %(delivery_id)s and number = %(number)s
            """,
            {
                "tenant": delivery.tenant,
                "delivery_id": UUID(delivery.delivery_id),
                "number": claim.lease.attempt,
                **attempt_to(attempt),
            },
        )
        await self._notify_changed(delivery)

    async def abandoned(self, limit: int) -> tuple[Abandoned, ...]:
        """See the port."""
        rows = await self._rows(
            f"""
            select {COLUMNS}, d.no_return_time from delivery d
            where d.state = 'SENDING' and d.lease_until <= now()
            order by d.lease_until limit %(limit)s for update of d skip locked
            """,
            {"limit": limit},
        )
        return tuple(Abandoned(delivery_from(row), row["no_return_time"] is not None) for row in rows)

    async def end_leases(self) -> int:
        """See the port."""
        done = await self._connection.execute("update delivery set lease_until = now() where state = 'SENDING'")
        return done.rowcount

    async def overdue(self, limit: int) -> tuple[Delivery, ...]:
        """See the port."""
        rows = await self._rows(
            f"""
            select {COLUMNS} from delivery d
            where d.expire_time <= now()
              and (d.state in ('QUEUED', 'RETRYING', 'HELD')
                   or (d.state = 'IN_DOUBT' and d.next_attempt_time is not null))
            order by d.expire_time limit %(limit)s for update of d skip locked
            """,
            {"limit": limit},
        )
        return tuple(delivery_from(row) for row in rows)

    async def save(self, delivery: Delivery) -> None:
        """See the port."""
        await self._connection.execute(
            f"update delivery set {_STATE} where tenant = %(tenant)s and delivery_id = %(delivery_id)s",
            delivery_to(delivery),
        )
        await self._notify_changed(delivery)

    async def release(self, tenant: str, configuration_id: str) -> int:
        """See the port."""
        done = await self._connection.execute(
            """
            update delivery
            set state = 'QUEUED', update_time = now(),
                next_attempt_time = least(now(), create_time) -- due at once, the oldest message first
            where tenant = %(tenant)s and configuration_id = %(id)s and state in ('HELD', 'RETRYING')
            """,
            {"tenant": tenant, "id": configuration_id},
        )
        if done.rowcount:
            await self._notify(DUE_CHANNEL, "")
        return done.rowcount

    def _claimed(self, row: DictRow) -> Claim:
        delivery = advance(delivery_from(row), Claimed(), at=row["claim_time"])
        return Claim(delivery, Lease(token=secrets.token_hex(16), attempt=delivery.attempt_count))

    async def _take_key(self, delivery: Delivery, key: IdempotencyRecord) -> bool:
        """Writes the key unless a live one is there; waits for a concurrent caller's commit or end."""
        done = await self._connection.execute(
            """
            insert into idempotency_key as k (tenant, key, content_digest, delivery_id, expire_time)
            values (%(tenant)s, %(key)s, %(digest)s, %(delivery_id)s, %(expire_time)s)
            on conflict (tenant, key) do update
            set content_digest = excluded.content_digest, delivery_id = excluded.delivery_id,
                expire_time = excluded.expire_time
            where k.expire_time <= now()
            """,
            {
                "tenant": delivery.tenant,
                "key": key.key,
                "digest": key.content_digest,
                "delivery_id": UUID(delivery.delivery_id),
                "expire_time": key.expire_time,
            },
        )
        return done.rowcount == 1

    async def _under_lease(self, claim: Claim, assignments: str, values: dict[str, Any]) -> None:
        done = await self._connection.execute(
            f"update delivery set {assignments} where {_HELD_LEASE}",
            {
                **values,
                "tenant": claim.delivery.tenant,
                "delivery_id": UUID(claim.delivery.delivery_id),
                "token": claim.lease.token,
            },
        )
        if done.rowcount != 1:
            raise LeaseLost

    async def _one(self, tenant: str, delivery_id: str, locking: str) -> Delivery | None:
        if (identity := parse_id(delivery_id)) is None:
            return None
        row = await self._row(
            f"select {COLUMNS} from delivery d where d.tenant = %(tenant)s and d.delivery_id = %(id)s {locking}",
            {"tenant": tenant, "id": identity},
        )
        return delivery_from(row) if row else None

    async def _notify_changed(self, delivery: Delivery) -> None:
        if delivery.state is DeliveryState.QUEUED:
            await self._notify(DUE_CHANNEL, "")
        await self._notify(CHANGED_CHANNEL, delivery.delivery_id)

    async def _notify(self, channel: str, payload: str) -> None:
        await self._connection.execute("select pg_notify(%s, %s)", (channel, payload))

    async def _row(self, query: Any, parameters: dict[str, Any]) -> DictRow | None:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchone()

    async def _rows(self, query: Any, parameters: dict[str, Any]) -> list[DictRow]:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()


def _content_place(delivery: Delivery) -> Place:
    return Place(tenant=delivery.tenant, record=f"delivery/{delivery.delivery_id}", field="content")
