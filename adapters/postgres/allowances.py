"""Allowances of accounts, and who may open their connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import sql
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from adapters.postgres.codec import failure_from, failure_to, is_storable
from adapters.postgres.session import Session
from domain.account import Account
from domain.allowance import Allowance
from domain.metering import RollingDay
from domain.ports.allowances import StoredAllowance

_IS_IT: Final = sql.SQL("tenant = %(tenant)s and configuration_id = %(id)s")
# Not now(), which stands still within a transaction: whoever waited for the lock would go by an instant of before.
_LOCK: Final = sql.SQL(
    """
    select arrival_time, messages, recipients, factor, lower_time, rest_until, failure, wait_until,
        clock_timestamp() as now
    from allowance where {} for update
    """
).format(_IS_IT)
_MAKE: Final = """
    insert into allowance (tenant, configuration_id) values (%(tenant)s, %(id)s) on conflict do nothing
    """
_SAVE: Final = sql.SQL(
    """
    update allowance
    set arrival_time = %(arrival_time)s, messages = %(messages)s, recipients = %(recipients)s, factor = %(factor)s,
        lower_time = %(lower_time)s, rest_until = %(rest_until)s, failure = %(failure)s, wait_until = %(wait_until)s
    where {}
    """
).format(_IS_IT)
_FREE: Final = sql.SQL(
    "delete from allowance_connection where {} and (worker = %(worker)s or lease_until <= clock_timestamp())"
).format(_IS_IT)
_TAKEN: Final = sql.SQL("select coalesce(sum(connections), 0) as taken from allowance_connection where {}").format(
    _IS_IT
)
_SHARE: Final = """
    insert into allowance_connection (tenant, configuration_id, worker, connections, lease_until)
    values (%(tenant)s, %(id)s, %(worker)s, %(connections)s, clock_timestamp() + %(lease)s)
    """


class PostgresAllowances:
    """A `domain.ports.allowances.Allowances` within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def lock(self, account: Account) -> StoredAllowance:
        """See the port."""
        names = _names(account)
        row = await self._session.row(_LOCK, names)
        if row is None:
            # In statements of their own, so that the last one sees the row of whoever was waited for.
            await self._session.execute(_MAKE, names)
            row = await self._session.row(_LOCK, names)
        assert row is not None
        return _stored(row)

    async def save(self, account: Account, allowance: Allowance, *, wait_until: datetime | None = None) -> None:
        """See the port."""
        await self._session.execute(
            _SAVE,
            {
                **_names(account),
                "arrival_time": allowance.arrival_time,
                "messages": Jsonb(allowance.messages.hours),
                "recipients": Jsonb(allowance.recipients.hours),
                "factor": allowance.factor,
                "lower_time": allowance.lower_time,
                "rest_until": allowance.rest_until,
                "failure": Jsonb(failure_to(allowance.failure)) if allowance.failure is not None else None,
                "wait_until": wait_until,
            },
        )

    async def of(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, StoredAllowance]:
        """See the port."""
        rows = await self._session.rows(
            """
            select configuration_id, arrival_time, messages, recipients, factor, lower_time, rest_until, failure,
                wait_until, clock_timestamp() as now
            from allowance where tenant = %(tenant)s and configuration_id = any(%(ids)s)
            """,
            {"tenant": tenant, "ids": [each for each in configuration_ids if is_storable(each)]},
        )
        return {row["configuration_id"]: _stored(row) for row in rows}

    async def lowered(self) -> frozenset[Account]:
        """See the port."""
        rows = await self._session.rows(
            "select tenant, configuration_id from allowance where lower_time is not null", {}
        )
        return frozenset(Account(row["tenant"], row["configuration_id"]) for row in rows)

    async def share(self, account: Account, *, worker: str, wanted: int, most: int, lease: timedelta) -> int:
        """See the port."""
        names = {**_names(account), "worker": worker}
        await self._session.execute(_FREE, names)
        row = await self._session.row(_TAKEN, names)
        connections = max(0, min(wanted, most - (row["taken"] if row else 0)))
        if connections:
            await self._session.execute(_SHARE, {**names, "connections": connections, "lease": lease})
        return connections

    async def end_share(self, account: Account, *, worker: str) -> None:
        """See the port."""
        await self._session.execute(
            sql.SQL("delete from allowance_connection where {} and worker = %(worker)s").format(_IS_IT),
            {**_names(account), "worker": worker},
        )


def _names(account: Account) -> dict[str, Any]:
    return {"tenant": account.tenant, "id": account.configuration_id}


def _stored(row: DictRow) -> StoredAllowance:
    allowance = Allowance(
        arrival_time=row["arrival_time"],
        messages=_day(row["messages"]),
        recipients=_day(row["recipients"]),
        factor=row["factor"],
        lower_time=row["lower_time"],
        rest_until=row["rest_until"],
        failure=failure_from(row["failure"]),
    )
    return StoredAllowance(allowance, now=row["now"], wait_until=row["wait_until"])


def _day(hours: list[list[int]]) -> RollingDay:
    return RollingDay(tuple((hour, number) for hour, number in hours))
