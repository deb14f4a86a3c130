"""Accepted messages: stored once under their key, found, listed, opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import sql
from psycopg.rows import DictRow

from adapters.postgres.codec import is_storable
from adapters.postgres.delivery_queue import PostgresDeliveryQueue
from adapters.postgres.delivery_rows import COLUMNS, attempt_from, delivery_from, delivery_to, parse_id, records_of
from adapters.postgres.session import Session
from adapters.postgres.signals import DUE_CHANNEL
from domain.account import Account
from domain.data_center import Reach
from domain.delivery import Attempt, Delivery
from domain.errors import NotFound, SecretUnreadable
from domain.ports.acceptance import Accepted, NewDelivery, claim_at_once
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from domain.ports.delivery_queue import LARGEST_AT_HAND, Admit, Claim
from domain.ports.vault import Place, Vault

_ATTEMPTS_SHOWN: Final = 50
_FIND: Final = sql.SQL(
    "select {columns} from delivery d where d.tenant = %(tenant)s and d.delivery_id = %(id)s"
).format(columns=COLUMNS)
_LOCK: Final = sql.SQL("{} for update").format(_FIND)
_STANDING: Final = sql.SQL(
    """
    select {columns}, k.content_digest
    from idempotency_key k join delivery d using (tenant, delivery_id)
    where k.tenant = %(tenant)s and k.key = %(key)s and k.expire_time > now()
    """
).format(columns=COLUMNS)
_PAGE: Final = sql.SQL(
    """
    select {columns} from delivery d where {conditions}
    order by d.create_time desc, d.delivery_id desc limit %(limit)s
    """
)
_CONDITIONS: Final = {
    "tenant": sql.SQL("d.tenant = %(tenant)s"),
    "configuration_id": sql.SQL("d.configuration_id = %(configuration_id)s"),
    "states": sql.SQL("d.state = any(%(states)s)"),
    "created_from": sql.SQL("d.create_time >= %(created_from)s"),
    "created_before": sql.SQL("d.create_time < %(created_before)s"),
    "at": sql.SQL("(d.create_time, d.delivery_id) < (%(at)s, %(below)s)"),
}


_ADDED: Final = (
    "tenant delivery_id configuration_id message_id sender recipients state in_doubt_policy attempt_count doubt_count "
    "create_time update_time expire_time next_attempt_time final_time failure data_center data_center_policy version "
    "key content_digest key_expire_time token worker lease site is_awaited place"
)
# One statement, so that a group of messages costs one round trip. A key that another transaction is about to take is
# waited for. Of equal keys within the statement the callers see to it that there is one.
_ADD_ALL: Final = """
    with i as (
        select i.*, i.token is not null and i.next_attempt_time <= now() and not exists (
                select from configuration_pause p
                where p.tenant = i.tenant and p.configuration_id = i.configuration_id) as is_taken
        from json_to_recordset(%(rows)s::json)
            as i (tenant text, delivery_id uuid, configuration_id text, message_id text, sender text,
                recipients jsonb, state text, in_doubt_policy text, attempt_count integer, doubt_count integer,
                create_time timestamptz, update_time timestamptz, expire_time timestamptz,
                next_attempt_time timestamptz, final_time timestamptz, failure jsonb, data_center text,
                data_center_policy text, version bigint, key text, content_digest bytea, key_expire_time timestamptz,
                token text, worker text, lease interval, site text, is_awaited boolean, place bigint)
        where i.version is null or exists (
            select from configuration c
            where c.tenant = i.tenant and c.configuration_id = i.configuration_id and c.version = i.version)),
    kept as (
        insert into idempotency_key as k (tenant, key, content_digest, delivery_id, expire_time)
        select tenant, key, content_digest, delivery_id, key_expire_time from i
        where key is not null order by tenant, key -- one order everywhere: two of these never wait for each other
        on conflict (tenant, key) do update
        set content_digest = excluded.content_digest, delivery_id = excluded.delivery_id,
            expire_time = excluded.expire_time
        where k.expire_time <= now()
        returning k.delivery_id),
    added as (
        insert into delivery (
            tenant, delivery_id, configuration_id, message_id, sender, recipients, state, in_doubt_policy,
            attempt_count, doubt_count, create_time, update_time, expire_time, next_attempt_time, final_time, failure,
            data_center, data_center_policy, attempted_from, worker, lease_token, lease_until)
        select i.tenant, i.delivery_id, i.configuration_id, i.message_id, i.sender, i.recipients,
            case when i.is_taken then 'SENDING' else i.state end, i.in_doubt_policy,
            i.attempt_count + i.is_taken::integer, i.doubt_count, i.create_time, i.update_time, i.expire_time,
            case when not i.is_taken then i.next_attempt_time end, i.final_time, i.failure, i.data_center,
            i.data_center_policy, case when i.is_taken then i.site else '' end,
            case when i.is_taken then i.worker end, case when i.is_taken then i.token end,
            case when i.is_taken then now() + i.lease end
        from i where i.key is null or i.delivery_id in (select delivery_id from kept)
        returning tenant, delivery_id, attempt_count, worker, update_time, attempted_from),
    begun as (
        insert into attempt (tenant, delivery_id, number, worker, start_time, data_center)
        select tenant, delivery_id, attempt_count, worker, update_time, attempted_from
        from added where worker is not null),
    stored as (
        insert into delivery_content (tenant, delivery_id, sealed)
        select i.tenant, i.delivery_id, c.sealed
        from unnest(%(sealed)b::bytea[]) with ordinality as c (sealed, place)
        join i using (place) join added using (tenant, delivery_id)),
    told as (
        select pg_notify(%(channel)s, '') from (
            select from added join i using (tenant, delivery_id)
            where added.worker is null and not i.is_awaited and i.next_attempt_time <= clock_timestamp()
            limit 1) as due)
    select i.delivery_id, a.delivery_id is not null as is_added, a.worker is not null as is_taken,
        (select count(*) from told) -- so that it is done
    from i left join added a using (tenant, delivery_id)
    """
_LARGEST: Final = 32 * 1024 * 1024
"""Octets of a sealed message, which may be as large as a call."""


class PostgresDeliveries(PostgresDeliveryQueue):
    """A `domain.ports.deliveries.Deliveries` within one transaction."""

    def __init__(self, *, session: Session, vault: Vault) -> None:
        super().__init__(session=session)
        self._vault = vault

    async def accept_all(self, batch: Sequence[NewDelivery]) -> Sequence[Accepted | None]:
        """See the port."""
        if not batch:
            return []
        firsts: dict[tuple[str, str], NewDelivery] = {}
        for each in batch:
            if each.key is not None:
                firsts.setdefault((each.delivery.tenant, each.key.key), each)
        adding = [each for each in batch if each.key is None or firsts[each.delivery.tenant, each.key.key] is each]
        found = await self._add(adding)
        results: list[Accepted | None] = []
        for each in batch:
            row = found.get(each.delivery.delivery_id)
            if row is not None and row["is_added"]:
                results.append(_accepted(each, is_taken=row["is_taken"]))
            elif each.key is None:
                results.append(None)
            else:  # somebody else's key, of this batch or of before; or, not even looked at, another configuration
                results.append(await self._standing_or_new(each, is_other=row is None and each in adding))
        return results

    async def _standing_or_new(self, new: NewDelivery, *, is_other: bool) -> Accepted | None:
        assert new.key is not None
        standing = await self.accepted(new.delivery.tenant, new.key.key)
        if standing is not None or is_other:
            return standing
        (accepted,) = await self.accept_all([new])  # it was deleted in between, or never stored: the key is free
        return accepted

    async def _add(self, batch: Sequence[NewDelivery]) -> dict[str, DictRow]:
        """Stores what is due to be stored; returns what became of those whose configuration is as they think."""
        new = records_of([_new_row(each, place) for place, each in enumerate(batch, start=1)], _ADDED)
        sealed = [self._vault.seal(each.content, place=_content_place(each.delivery)) for each in batch]
        await self._session.allow_for(sum(len(each) for each in sealed))
        rows = await self._session.rows(_ADD_ALL, {"rows": new, "sealed": sealed, "channel": DUE_CHANNEL})
        return {str(row["delivery_id"]): row for row in rows}

    async def accepted(self, tenant: str, key: str) -> Accepted | None:
        """See the port."""
        row = await self._session.row(_STANDING, {"tenant": tenant, "key": key})
        if row is None:
            return None
        return Accepted(delivery=delivery_from(row), content_digest=row["content_digest"], is_replay=True)

    async def claim(
        self,
        *,
        worker: str,
        lease: timedelta,
        limit: int,
        passing_over: frozenset[Account] = frozenset(),
        only: Account | None = None,
        reach: Reach | None = None,
        tenants_passed_over: frozenset[str] = frozenset(),
        admit: Admit | None = None,
    ) -> tuple[Claim, ...]:
        """See the port."""
        claims = await super().claim(
            worker=worker,
            lease=lease,
            limit=limit,
            passing_over=passing_over,
            only=only,
            reach=reach,
            tenants_passed_over=tenants_passed_over,
            admit=admit,
        )
        if not claims:
            return ()
        rows = await self._session.rows(
            """
            select c.delivery_id, c.sealed from delivery_content c
            join unnest(%(tenants)s::text[], %(ids)s::uuid[]) as i (tenant, delivery_id) using (tenant, delivery_id)
            where octet_length(c.sealed) <= %(most)s
            """,
            {
                "tenants": [claim.delivery.tenant for claim in claims],
                "ids": [UUID(claim.delivery.delivery_id) for claim in claims],
                "most": LARGEST_AT_HAND,
            },
            binary=True,
        )
        sealed = {str(row["delivery_id"]): row["sealed"] for row in rows}
        return tuple(
            replace(claim, content=self._opened(claim.delivery, sealed.get(claim.delivery.delivery_id)))
            for claim in claims
        )

    def _opened(self, delivery: Delivery, sealed: bytes | None) -> bytes | None:
        try:
            return None if sealed is None else self._vault.open(sealed, place=_content_place(delivery))
        except SecretUnreadable:
            return None

    async def find(self, tenant: str, delivery_id: str) -> Delivery | None:
        """See the port."""
        return await self._one(_FIND, tenant, delivery_id)

    async def lock(self, tenant: str, delivery_id: str) -> Delivery | None:
        """See the port."""
        return await self._one(_LOCK, tenant, delivery_id)

    async def attempts(self, tenant: str, delivery_id: str) -> tuple[Attempt, ...]:
        """See the port."""
        if (identity := parse_id(delivery_id)) is None:
            return ()
        rows = await self._session.rows(
            """
            select number, start_time, end_time, failure, trace, in_doubt, data_center from attempt
            where tenant = %(tenant)s and delivery_id = %(id)s order by number desc limit %(limit)s
            """,
            {"tenant": tenant, "id": identity, "limit": _ATTEMPTS_SHOWN},
        )
        return tuple(attempt_from(row) for row in reversed(rows))

    async def page(
        self, tenant: str, where: DeliveryFilter, *, after: DeliveryPosition | None, limit: int
    ) -> tuple[Delivery, ...]:
        """See the port."""
        if not is_storable(where.configuration_id):
            return ()
        wanted: dict[str, Any] = {
            "tenant": tenant,
            "configuration_id": where.configuration_id or None,
            "states": [state.value for state in where.states] or None,
            "created_from": where.created_from,
            "created_before": where.created_before,
            "at": after.create_time if after else None,
        }
        # Only what is asked for, so that the server can plan each kind of list by the index that fits.
        conditions = sql.SQL(" and ").join(_CONDITIONS[name] for name, value in wanted.items() if value is not None)
        rows = await self._session.rows(
            _PAGE.format(columns=COLUMNS, conditions=conditions),
            {**wanted, "below": UUID(after.delivery_id) if after else None, "limit": limit},
        )
        return tuple(delivery_from(row) for row in rows)

    async def content(self, delivery: Delivery) -> bytes:
        """See the port."""
        await self._session.allow_for(_LARGEST)
        row = await self._session.row(
            "select sealed from delivery_content where tenant = %(tenant)s and delivery_id = %(id)s",
            {"tenant": delivery.tenant, "id": UUID(delivery.delivery_id)},
            binary=True,
        )
        if row is None:
            raise NotFound("The message's content is no longer stored.", metadata={"delivery_id": delivery.delivery_id})
        return self._vault.open(row["sealed"], place=_content_place(delivery))

    async def has_content(self, delivery: Delivery) -> bool:
        """See the port."""
        row = await self._session.row(
            "select 1 from delivery_content where tenant = %(tenant)s and delivery_id = %(id)s for key share",
            {"tenant": delivery.tenant, "id": UUID(delivery.delivery_id)},
        )
        return row is not None

    async def keep_key(self, delivery: Delivery, until: datetime) -> None:
        """See the port."""
        await self._session.execute(
            """
            update idempotency_key set expire_time = %(until)s
            where tenant = %(tenant)s and delivery_id = %(id)s and expire_time > now() and expire_time < %(until)s
            """,
            {"tenant": delivery.tenant, "id": UUID(delivery.delivery_id), "until": until},
        )

    async def _one(self, query: sql.Composed, tenant: str, delivery_id: str) -> Delivery | None:
        if (identity := parse_id(delivery_id)) is None:
            return None
        row = await self._session.row(query, {"tenant": tenant, "id": identity})
        return delivery_from(row) if row else None


def _new_row(new: NewDelivery, place: int) -> dict[str, Any]:
    key, take = new.key, new.take
    return {
        **delivery_to(new.delivery),
        "version": new.version,
        "key": key.key if key else None,
        "content_digest": key.content_digest if key else None,
        "key_expire_time": key.expire_time if key else None,
        "token": take.token if take else None,
        "worker": take.worker if take else None,
        "lease": take.lease if take else None,
        "site": take.data_center if take else None,
        "is_awaited": new.is_awaited,
        "place": place,
    }


def _accepted(new: NewDelivery, *, is_taken: bool) -> Accepted:
    digest = new.key.content_digest if new.key else b""
    if not is_taken or new.take is None:
        return Accepted(delivery=new.delivery, content_digest=digest, is_replay=False)
    claim = claim_at_once(new)
    return Accepted(delivery=claim.delivery, content_digest=digest, is_replay=False, claim=claim)


def _content_place(delivery: Delivery) -> Place:
    return Place(tenant=delivery.tenant, record=f"delivery/{delivery.delivery_id}", field="content")
