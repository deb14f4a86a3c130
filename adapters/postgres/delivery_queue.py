"""The queue in the table of deliveries: claimed with SKIP LOCKED, held under leases, put right by the reaper."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import sql
from psycopg.rows import DictRow

from adapters.postgres.delivery_rows import COLUMNS, attempt_to, delivery_from, delivery_to
from adapters.postgres.session import Session
from adapters.postgres.signals import CHANGED_CHANNEL, DUE_CHANNEL
from domain.delivery import Attempt, Claimed, Delivery, DeliveryState, advance
from domain.errors import LeaseLost
from domain.ports.storage import Abandoned, Account, Claim, Lease

_PROGRESS: Final = sql.SQL(
    """
    recipients = %(recipients)s, state = %(state)s, attempt_count = %(attempt_count)s, doubt_count = %(doubt_count)s,
    update_time = %(update_time)s, expire_time = %(expire_time)s, next_attempt_time = %(next_attempt_time)s,
    final_time = %(final_time)s, failure = %(failure)s, no_return_time = null
    """
)
_NO_LEASE: Final = sql.SQL("worker = null, lease_token = null, lease_until = null")
# Not now(), which stands still within a transaction: what slept between its beginning and here has no lease any more.
_UNDER_LEASE: Final = sql.SQL(
    """
    update delivery set {assignments}
    where tenant = %(tenant)s and delivery_id = %(delivery_id)s and state = 'SENDING'
      and lease_token = %(token)s and lease_until > clock_timestamp()
    """
)
_CLAIM: Final = sql.SQL(
    """
    select {columns}, now() as claim_time from delivery d
    where d.next_attempt_time <= now() and d.expire_time > now()
      and (%(sites)s::text[] is null or d.data_center = '' or d.data_center = any(%(sites)s))
      and (d.tenant, d.configuration_id) not in (select * from unnest(%(tenants)s::text[], %(ids)s::text[]))
    order by d.next_attempt_time, d.delivery_id limit %(limit)s
    for update of d skip locked
    """
).format(columns=COLUMNS)
_TAKE: Final = sql.SQL(
    """
    with taken as (
        update delivery
        set {progress}, worker = %(worker)s, lease_token = %(token)s, lease_until = now() + %(lease)s
        where tenant = %(tenant)s and delivery_id = %(delivery_id)s)
    insert into attempt (tenant, delivery_id, number, worker, start_time)
    values (%(tenant)s, %(delivery_id)s, %(attempt_count)s, %(worker)s, %(update_time)s)
    """
).format(progress=_PROGRESS)
_ABANDONED: Final = sql.SQL(
    """
    select {columns}, d.no_return_time from delivery d
    where d.state = 'SENDING' and d.lease_until <= now()
    order by d.lease_until limit %(limit)s for update of d skip locked
    """
).format(columns=COLUMNS)
_OVERDUE: Final = sql.SQL(
    """
    select {columns} from delivery d
    where d.expire_time <= now()
      and (d.state in ('QUEUED', 'RETRYING', 'HELD') or (d.state = 'IN_DOUBT' and d.next_attempt_time is not null))
    order by d.expire_time limit %(limit)s for update of d skip locked
    """
).format(columns=COLUMNS)
_SAVE: Final = sql.SQL(
    "update delivery set {progress}, {no_lease} where tenant = %(tenant)s and delivery_id = %(delivery_id)s"
).format(progress=_PROGRESS, no_lease=_NO_LEASE)


class DeliveryQueue:
    """The part of `domain.ports.storage.Deliveries` that workers and the reaper use."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

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
        rows = await self._session.rows(
            _CLAIM,
            {
                "sites": list(data_centers) or None,
                "tenants": [account.tenant for account in passing_over],
                "ids": [account.configuration_id for account in passing_over],
                "limit": limit,
            },
        )
        claims = tuple(_claimed(row) for row in rows)
        await self._session.execute_each(
            _TAKE,
            [
                {**delivery_to(claim.delivery), "worker": worker, "token": claim.lease.token, "lease": lease}
                for claim in claims
            ],
        )
        return claims

    async def renew(self, claim: Claim, *, lease: timedelta) -> None:
        """See the port."""
        await self._under_lease(claim, sql.SQL("lease_until = now() + %(lease)s"), {"lease": lease})

    async def pass_no_return(self, claim: Claim) -> None:
        """See the port."""
        await self._under_lease(claim, sql.SQL("no_return_time = now()"), {})

    async def record(self, claim: Claim, delivery: Delivery, attempt: Attempt) -> None:
        """See the port."""
        ended = sql.SQL("{}, {}").format(_PROGRESS, _NO_LEASE)
        await self._under_lease(claim, ended, delivery_to(delivery))
        await self._session.execute(
            """
            update attempt
            set start_time = %(start_time)s, end_time = %(end_time)s, failure = %(attempt_failure)s, trace = %(trace)s,
                in_doubt = %(in_doubt)s
            where tenant = %(tenant)s and delivery_id = %(delivery_id)s and number = %(number)s
            """,
            {**_key(claim.delivery), "number": claim.lease.attempt, **attempt_to(attempt)},
        )
        await self._signal_change(delivery)

    async def abandoned(self, limit: int) -> tuple[Abandoned, ...]:
        """See the port."""
        rows = await self._session.rows(_ABANDONED, {"limit": limit})
        return tuple(Abandoned(delivery_from(row), row["no_return_time"] is not None) for row in rows)

    async def end_leases(self) -> int:
        """See the port."""
        return await self._session.execute("update delivery set lease_until = now() where state = 'SENDING'", {})

    async def overdue(self, limit: int) -> tuple[Delivery, ...]:
        """See the port."""
        return tuple(delivery_from(row) for row in await self._session.rows(_OVERDUE, {"limit": limit}))

    async def save(self, delivery: Delivery) -> None:
        """See the port."""
        await self._session.execute(_SAVE, delivery_to(delivery))
        await self._signal_change(delivery)

    async def close_attempt(self, delivery: Delivery, *, at: datetime, in_doubt: bool) -> None:
        """See the port."""
        await self._session.execute(
            """
            update attempt set end_time = %(at)s, in_doubt = %(in_doubt)s
            where tenant = %(tenant)s and delivery_id = %(delivery_id)s and number = %(number)s and end_time is null
            """,
            {**_key(delivery), "number": delivery.attempt_count, "at": at, "in_doubt": in_doubt},
        )

    async def release(self, tenant: str, configuration_id: str) -> int:
        """See the port."""
        released = await self._session.execute(
            """
            update delivery
            set state = 'QUEUED', update_time = now(),
                next_attempt_time = least(now(), create_time) -- due at once, the oldest message first
            where tenant = %(tenant)s and configuration_id = %(id)s and state in ('HELD', 'RETRYING')
            """,
            {"tenant": tenant, "id": configuration_id},
        )
        if released:
            await self._signal_due()
        return released

    async def _under_lease(self, claim: Claim, assignments: sql.Composable, values: dict[str, Any]) -> None:
        changed = await self._session.execute(
            _UNDER_LEASE.format(assignments=assignments),
            {**values, **_key(claim.delivery), "token": claim.lease.token},
        )
        if changed != 1:
            raise LeaseLost

    async def _signal_due(self) -> None:
        await self._session.row("select pg_notify(%(channel)s, '')", {"channel": DUE_CHANNEL})

    async def _signal_change(self, delivery: Delivery) -> None:
        if delivery.state is DeliveryState.QUEUED:
            await self._signal_due()
        await self._session.row(
            "select pg_notify(%(channel)s, %(id)s)", {"channel": CHANGED_CHANNEL, "id": delivery.delivery_id}
        )


def _key(delivery: Delivery) -> dict[str, Any]:
    return {"tenant": delivery.tenant, "delivery_id": UUID(delivery.delivery_id)}


def _claimed(row: DictRow) -> Claim:
    delivery = advance(delivery_from(row), Claimed(), at=row["claim_time"])
    return Claim(delivery, Lease(token=secrets.token_hex(16), attempt=delivery.attempt_count))
