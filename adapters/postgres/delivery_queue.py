"""The queue in the table of deliveries: claimed with SKIP LOCKED, held under leases, put right by the reaper."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from adapters.postgres.catching_up import CatchingUp
from adapters.postgres.claim_around import CLAIM_AROUND, IS_BEYOND, MAY_GO, SITE, WITHIN_REACH
from adapters.postgres.codec import failure_to
from adapters.postgres.delivery_rows import COLUMNS, attempt_to, delivery_from, delivery_to, records_of
from adapters.postgres.session import Session
from adapters.postgres.signals import CHANGED_CHANNEL, DUE_CHANNEL, MOST_NOTIFIED
from domain.account import Account
from domain.data_center import Reach
from domain.delivery import Attempt, Claimed, Delivery, DeliveryState, advance
from domain.errors import LeaseLost
from domain.failures.failure import Failure
from domain.pause import Pause
from domain.ports.delivery_queue import Abandoned, Admit, Claim, Lease, Outcome
from domain.settings.model import DataCenterPolicy

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
CLAIM: Final = sql.SQL(
    """
    with recursive {site}
    select {columns}, now() as claim_time, (
        select c.version from configuration c
        where c.tenant = d.tenant and c.configuration_id = d.configuration_id) as version
    from delivery d
    where {within_reach} and d.next_attempt_time <= now() and d.expire_time > now() and {may_go}
    order by d.next_attempt_time, d.delivery_id limit %(limit)s
    for update of d skip locked
    """
).format(columns=COLUMNS, site=SITE, within_reach=WITHIN_REACH, may_go=MAY_GO.format(of=sql.Identifier("d")))
CLAIM_ONLY: Final = sql.SQL(
    """
    select {columns}, now() as claim_time, (
        select c.version from configuration c
        where c.tenant = d.tenant and c.configuration_id = d.configuration_id) as version
    from delivery d
    where d.tenant = %(tenant)s and d.configuration_id = %(id)s
      and d.next_attempt_time <= now() and d.expire_time > now()
      and (%(sites)s::text[] is null or d.data_center = '' or d.data_center = any(%(sites)s)
        or (d.data_center_policy = 'PREFERRED' and d.data_center <> all(%(others)s::text[])))
      and not exists (
        select from account_at_rest r where r.tenant = %(tenant)s and r.configuration_id = %(id)s)
    order by d.next_attempt_time, d.delivery_id limit %(limit)s
    for update of d skip locked
    """
).format(columns=COLUMNS)
# Whoever locks the pause record alone may probe. A worker that comes after its commit sees the pause go on (_PROBED),
# and once that is over too, that a delivery is still under way.
PROBE: Final = sql.SQL(
    """
    select {columns}, now() as claim_time, (
        select c.version from configuration c
        where c.tenant = d.tenant and c.configuration_id = d.configuration_id) as version
    from configuration_pause p
    cross join lateral (
        select * from delivery w
        where w.tenant = p.tenant and w.configuration_id = p.configuration_id
          and w.next_attempt_time <= now() and w.expire_time > now()
          and (%(sites)s::text[] is null or w.data_center = '' or w.data_center = any(%(sites)s)
            or (w.data_center_policy = 'PREFERRED' and w.data_center <> all(%(others)s::text[])))
        order by w.next_attempt_time, w.delivery_id limit 1
        for update skip locked) d
    where p.pause_until <= now()
      and (p.tenant, p.configuration_id) not in (select * from unnest(%(tenants)s::text[], %(ids)s::text[]))
      and p.tenant <> all (%(tenants_passed_over)s::text[])
      and not exists (
        select from allowance a
        where a.tenant = p.tenant and a.configuration_id = p.configuration_id and a.wait_until > now())
      and not exists (
        select from delivery s
        where s.tenant = p.tenant and s.configuration_id = p.configuration_id and s.state = 'SENDING')
    order by d.next_attempt_time, d.delivery_id limit %(limit)s
    for update of p skip locked
    """
).format(columns=COLUMNS)
_PROBED: Final = """
    update configuration_pause set pause_until = now() + %(lease)s
    where tenant = %(tenant)s and configuration_id = %(configuration_id)s
    """
_TAKE_ALL: Final = """
    with i as (
        select * from json_to_recordset(%(rows)s::json)
            as i (tenant text, delivery_id uuid, token text, attempt_count integer, update_time timestamptz)),
    taken as (
        update delivery d
        set state = 'SENDING', attempt_count = i.attempt_count, update_time = i.update_time, next_attempt_time = null,
            no_return_time = null, attempted_from = %(here)s, worker = %(worker)s, lease_token = i.token,
            lease_until = now() + %(lease)s
        from i where d.tenant = i.tenant and d.delivery_id = i.delivery_id)
    insert into attempt (tenant, delivery_id, number, worker, start_time, data_center)
    select tenant, delivery_id, attempt_count, %(worker)s, update_time, %(here)s from i
    """
# What somebody else has locked is left alone, so that two statements never wait for each other's rows.
_RENEW_ALL: Final = """
    with held as (
        select d.tenant, d.delivery_id from delivery d
        join unnest(%(tenants)s::text[], %(ids)s::uuid[], %(tokens)s::text[]) as i (tenant, delivery_id, token)
            using (tenant, delivery_id)
        where d.state = 'SENDING' and d.lease_token = i.token and d.lease_until > clock_timestamp()
        for update of d skip locked)
    update delivery d set lease_until = now() + %(lease)s
    from held h where d.tenant = h.tenant and d.delivery_id = h.delivery_id
    returning d.delivery_id
    """
_PUT_BACK: Final = """
    with i as (
        select *
        from unnest(%(tenants)s::text[], %(ids)s::uuid[], %(tokens)s::text[]) as i (tenant, delivery_id, token)),
    back as (
        update delivery d
        set state = 'QUEUED', attempt_count = d.attempt_count - 1, update_time = now(), next_attempt_time = now(),
            worker = null, lease_token = null, lease_until = null
        from i
        where d.tenant = i.tenant and d.delivery_id = i.delivery_id and d.state = 'SENDING'
          and d.lease_token = i.token and d.lease_until > clock_timestamp() and d.no_return_time is null
        returning d.tenant, d.delivery_id, d.attempt_count + 1 as number),
    unmade as (
        delete from attempt a using back b
        where a.tenant = b.tenant and a.delivery_id = b.delivery_id and a.number = b.number)
    select delivery_id from back
    """
_MARK_ALL: Final = """
    update delivery d set no_return_time = now()
    from unnest(%(tenants)s::text[], %(ids)s::uuid[], %(tokens)s::text[]) as i (tenant, delivery_id, token)
    where d.tenant = i.tenant and d.delivery_id = i.delivery_id and d.state = 'SENDING'
      and d.lease_token = i.token and d.lease_until > clock_timestamp()
    returning d.delivery_id
    """
_RECORDED: Final = (
    "tenant delivery_id token recipients state attempt_count doubt_count update_time expire_time next_attempt_time "
    "final_time failure number start_time end_time attempt_failure trace in_doubt configuration_id usable_revision"
)
_RECORD_ALL: Final = """
    with i as (
        select * from json_to_recordset(%(rows)s::json)
            as i (tenant text, delivery_id uuid, token text, recipients jsonb, state text, attempt_count integer,
                doubt_count integer, update_time timestamptz, expire_time timestamptz, next_attempt_time timestamptz,
                final_time timestamptz, failure jsonb, number integer, start_time timestamptz, end_time timestamptz,
                attempt_failure jsonb, trace jsonb, in_doubt boolean, configuration_id text,
                usable_revision integer)),
    recorded as (
        update delivery d
        set recipients = i.recipients, state = i.state, attempt_count = i.attempt_count, doubt_count = i.doubt_count,
            update_time = i.update_time, expire_time = i.expire_time, next_attempt_time = i.next_attempt_time,
            final_time = i.final_time, failure = i.failure, no_return_time = null, worker = null, lease_token = null,
            lease_until = null
        from i
        where d.tenant = i.tenant and d.delivery_id = i.delivery_id and d.state = 'SENDING'
          and d.lease_token = i.token and d.lease_until > clock_timestamp()
        returning d.tenant, d.delivery_id),
    ended as (
        update attempt a
        set start_time = i.start_time, end_time = i.end_time, failure = i.attempt_failure, trace = i.trace,
            in_doubt = i.in_doubt
        from i join recorded r using (tenant, delivery_id)
        where a.tenant = i.tenant and a.delivery_id = i.delivery_id and a.number = i.number),
    usable as (
        delete from configuration_pause p using (
            select i.tenant, i.configuration_id, max(i.usable_revision) as revision
            from i join recorded using (tenant, delivery_id) where i.usable_revision is not null
            group by i.tenant, i.configuration_id) as u
        where p.tenant = u.tenant and p.configuration_id = u.configuration_id and p.revision <= u.revision
        returning p.tenant),
    told as (
        select pg_notify(%(changed)s, string_agg(delivery_id::text, ' ')) from (
            select delivery_id, (row_number() over () - 1) / %(most)s as part from recorded) as each group by part),
    due as (
        select pg_notify(%(due)s, '') where exists (select from usable) or exists (
            select from i join recorded using (tenant, delivery_id) where i.state = 'QUEUED'))
    select delivery_id, (select count(*) from told), (select count(*) from due) -- so that they are done
    from recorded
    """
# Both in one statement, which is one commit and one round trip. No delivery is in both parts.
_MARK_AND_RECORD_ALL: Final = f"""
    with marked as ({_MARK_ALL}),
    {_RECORD_ALL.strip().removeprefix("with")}
    union all select delivery_id, 0, 0 from marked
    """
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
_PARK: Final = sql.SQL(
    """
    update delivery set next_attempt_time = now() + interval '1 hour'
    where tenant = %(tenant)s and delivery_id = %(delivery_id)s
    """
)
DELIVERY_UNREADABLE: Final = "delivery_unreadable"

_logger = logging.getLogger(__name__)


class PostgresDeliveryQueue:
    """A `domain.ports.delivery_queue.DeliveryQueue` within one transaction; claims come without their content."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

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
        where = {
            "sites": [reach.data_center] if reach is not None else None,
            "others": list(reach.stands_in_except) if reach and reach.stands_in_except is not None else None,
            "tenants": [account.tenant for account in passing_over],
            "ids": [account.configuration_id for account in passing_over],
            "tenants_passed_over": list(tenants_passed_over),
        }
        probes: list[DictRow] = []
        if only is not None:
            names = {"tenant": only.tenant, "id": only.configuration_id}
            rows = await self._session.rows(CLAIM_ONLY, {**where, **names, "limit": limit})
        else:
            probes = await self._session.rows(PROBE, {**where, "limit": limit})
            rows = await self._due(where, limit - len(probes))
        here = reach.data_center if reach is not None else ""
        claims = tuple(_claimed(row, here) for row in (*probes, *rows) if _is_readable(row))
        if admit is not None and claims:
            claims = tuple(await admit(claims))
        taken = {claim.delivery.delivery_id for claim in claims}
        await self._session.execute_each(
            _PROBED, [{**row, "lease": lease} for row in probes if str(row["delivery_id"]) in taken]
        )
        await self._session.execute_each(_PARK, [row for row in (*probes, *rows) if not _is_readable(row)])
        if claims:
            await self._session.execute(
                _TAKE_ALL,
                {
                    "rows": records_of(
                        [{**delivery_to(claim.delivery), "token": claim.lease.token} for claim in claims],
                        "tenant delivery_id token attempt_count update_time",
                    ),
                    "worker": worker,
                    "lease": lease,
                    "here": here,
                },
            )
        return claims

    async def _due(self, where: dict[str, Any], limit: int) -> list[DictRow]:
        """Returns the oldest that may go; what is hidden behind many that may not is looked for in another way."""
        rows = await self._session.rows(CLAIM, {**where, "limit": limit})
        if len(rows) < limit and await self._session.row(IS_BEYOND, where) is not None:
            return await self._session.rows(CLAIM_AROUND, {**where, "limit": limit}) or rows
        return rows

    async def renew(self, claim: Claim, *, lease: timedelta) -> None:
        """See the port."""
        await self._under_lease(claim, sql.SQL("lease_until = now() + %(lease)s"), {"lease": lease})

    async def renew_all(self, claims: Sequence[Claim], *, lease: timedelta) -> Sequence[bool]:
        """See the port."""
        return await self._changed_under_leases(_RENEW_ALL, claims, {"lease": lease})

    async def put_back(self, claims: Sequence[Claim]) -> Sequence[bool]:
        """See the port."""
        done = await self._changed_under_leases(_PUT_BACK, claims, {})
        if any(done):
            await self._signal_due()
        return done

    async def progress_all(self, steps: Sequence[Claim | Outcome]) -> Sequence[bool]:
        """See the port."""
        if any(isinstance(step, Outcome) and step.pause is not None for step in steps):
            async with self._session.together():
                done = await self._progress_all(steps)
                await self._pause_all([step for step in steps if isinstance(step, Outcome) and _id(step) in done])
        else:
            done = await self._progress_all(steps)
        return [_id(step) in done for step in steps]

    async def _progress_all(self, steps: Sequence[Claim | Outcome]) -> set[str]:
        """Returns the ids of those whose lease holds."""
        marks = [step for step in steps if isinstance(step, Claim)]
        ends = [step for step in steps if isinstance(step, Outcome)]
        query = _RECORD_ALL if not marks else _MARK_AND_RECORD_ALL if ends else _MARK_ALL
        values: dict[str, Any] = _leases(marks)
        if ends:
            values |= {
                "rows": records_of([_outcome_row(each) for each in ends], _RECORDED),
                "changed": CHANGED_CHANNEL,
                "due": DUE_CHANNEL,
                "most": MOST_NOTIFIED,
            }
        return {str(row["delivery_id"]) for row in await self._session.rows(query, values)}

    async def _pause_all(self, recorded: Sequence[Outcome]) -> None:
        usable = {(each.claim.account, each.usable_revision) for each in recorded}
        for each in recorded:
            # What was refused beside what was taken shows nothing about the configuration.
            if each.pause is not None and (each.claim.account, each.pause.revision) not in usable:
                await self._pause(each.claim.account, each.pause)

    async def record(
        self,
        claim: Claim,
        delivery: Delivery,
        attempt: Attempt,
        *,
        pause: Pause | None = None,
        usable_revision: int | None = None,
    ) -> None:
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
        if pause is not None:
            await self._pause(claim.account, pause)
        if usable_revision is not None and await self._end_pause(claim.account, up_to=usable_revision):
            await self._signal_due()
        await self._signal_change(delivery)

    async def abandoned(self, limit: int) -> tuple[Abandoned, ...]:
        """See the port."""
        rows = await self._session.rows(_ABANDONED, {"limit": limit})
        return tuple(
            Abandoned(delivery_from(row), row["no_return_time"] is not None) for row in rows if _is_readable(row)
        )

    async def end_leases(self) -> int:
        """See the port."""
        return await self._session.execute("update delivery set lease_until = now() where state = 'SENDING'", {})

    async def overdue(self, limit: int) -> tuple[Delivery, ...]:
        """See the port."""
        rows = await self._session.rows(_OVERDUE, {"limit": limit})
        return tuple(delivery_from(row) for row in rows if _is_readable(row))

    async def save(self, delivery: Delivery) -> None:
        """See the port."""
        await self._session.execute(_SAVE, delivery_to(delivery))
        await self._signal_change(delivery)

    async def close_attempt(
        self, delivery: Delivery, *, at: datetime, in_doubt: bool, failure: Failure | None = None
    ) -> None:
        """See the port."""
        ended = Attempt(number=delivery.attempt_count, start_time=at, end_time=at, failure=failure, in_doubt=in_doubt)
        await self._session.execute(
            """
            update attempt set end_time = %(end_time)s, in_doubt = %(in_doubt)s, failure = %(attempt_failure)s
            where tenant = %(tenant)s and delivery_id = %(delivery_id)s and number = %(number)s and end_time is null
            """,
            {**_key(delivery), "number": ended.number, **attempt_to(ended)},
        )

    async def release(self, tenant: str, configuration_id: str) -> int:
        """See the port."""
        released = await CatchingUp(session=self._session).release(Account(tenant, configuration_id))
        was_paused = await self._end_pause(Account(tenant, configuration_id))
        # After the deliveries, as a claim locks them. Changed settings may allow more at once.
        waited = await self._session.execute(
            """
            update allowance set wait_until = null
            where tenant = %(tenant)s and configuration_id = %(id)s and wait_until is not null
            """,
            {"tenant": tenant, "id": configuration_id},
        )
        if released or was_paused or waited:
            await self._signal_due()
        return released

    async def move(self, tenant: str, configuration_id: str, data_center: str, policy: DataCenterPolicy) -> int:
        """See the port."""
        moved = await CatchingUp(session=self._session).move(Account(tenant, configuration_id), data_center, policy)
        if moved:
            await self._signal_due()
        return moved

    async def catch_up(self) -> int:
        """See the port."""
        changed = await CatchingUp(session=self._session).go_on()
        if changed:
            await self._signal_due()
        return changed

    async def _pause(self, account: Account, pause: Pause) -> None:
        names = {"tenant": account.tenant, "id": account.configuration_id}
        # In a statement of its own, so that the next one sees the active revision of whoever was waited for.
        await self._session.execute(
            "select from configuration where tenant = %(tenant)s and configuration_id = %(id)s for share", names
        )
        await self._session.execute(
            """
            insert into configuration_pause (tenant, configuration_id, revision, pause_until, failure)
            select tenant, configuration_id, number, %(until)s, %(failure)s from revision
            where tenant = %(tenant)s and configuration_id = %(id)s and role = 'active' and number = %(revision)s
            on conflict (tenant, configuration_id) do update
            set revision = excluded.revision, pause_until = excluded.pause_until, failure = excluded.failure
            """,
            {**names, "revision": pause.revision, "until": pause.until, "failure": Jsonb(failure_to(pause.failure))},
        )

    async def _end_pause(self, account: Account, *, up_to: int | None = None) -> bool:
        ended = await self._session.execute(
            """
            delete from configuration_pause
            where tenant = %(tenant)s and configuration_id = %(id)s and revision <= coalesce(%(up_to)s, revision)
            """,
            {"tenant": account.tenant, "id": account.configuration_id, "up_to": up_to},
        )
        return ended > 0

    async def _changed_under_leases(self, query: str, claims: Sequence[Claim], values: dict[str, Any]) -> list[bool]:
        if not claims:
            return []
        rows = await self._session.rows(
            query,
            {**values, **_leases(claims)},
        )
        changed = {str(row["delivery_id"]) for row in rows}
        return [claim.delivery.delivery_id in changed for claim in claims]

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
        await self._tell_of_changes([delivery.delivery_id])

    async def _tell_of_changes(self, delivery_ids: Sequence[str]) -> None:
        """Notifies once for all, as each notification costs every listening process a turn."""
        for start in range(0, len(delivery_ids), MOST_NOTIFIED):
            ids = " ".join(delivery_ids[start : start + MOST_NOTIFIED])
            await self._session.row("select pg_notify(%(channel)s, %(ids)s)", {"channel": CHANGED_CHANNEL, "ids": ids})


def _outcome_row(outcome: Outcome) -> dict[str, Any]:
    return {
        **delivery_to(outcome.delivery),
        **attempt_to(outcome.attempt),
        "token": outcome.claim.lease.token,
        "number": outcome.claim.lease.attempt,
        "usable_revision": outcome.usable_revision,
    }


def _leases(claims: Sequence[Claim]) -> dict[str, Any]:
    return {
        "tenants": [claim.delivery.tenant for claim in claims],
        "ids": [UUID(claim.delivery.delivery_id) for claim in claims],
        "tokens": [claim.lease.token for claim in claims],
    }


def _id(step: Claim | Outcome) -> str:
    return step.delivery.delivery_id


def _key(delivery: Delivery) -> dict[str, Any]:
    return {"tenant": delivery.tenant, "delivery_id": UUID(delivery.delivery_id)}


def _is_readable(row: DictRow) -> bool:
    """
    Tells whether the row is a delivery to this version; a damaged one, or one of a later version, is left to others.

    It must not keep every other tenant's mail from being claimed (F04).
    """
    try:
        delivery_from(row)
    except (ValueError, KeyError, TypeError, AttributeError):
        _logger.exception(DELIVERY_UNREADABLE, extra={"delivery_id": str(row["delivery_id"])})
        return False
    return True


def _claimed(row: DictRow, here: str) -> Claim:
    delivery = advance(delivery_from(row), Claimed(here), at=row["claim_time"])
    lease = Lease(token=secrets.token_hex(16), attempt=delivery.attempt_count)
    return Claim(delivery, lease, version=row["version"])
