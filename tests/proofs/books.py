"""What mailport's database says at the end of a run, and the passing of time for those who are dead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from tests.proofs.history import Fate

_LOOK_EVERY_SECONDS: Final = 0.02
_FATES: Final = """
    select k.key, d.delivery_id::text, d.state, d.attempt_count, d.doubt_count,
        (select count(*) from attempt a
         where a.tenant = d.tenant and a.delivery_id = d.delivery_id and a.in_doubt) as attempts_in_doubt
    from delivery d left join idempotency_key k on k.tenant = d.tenant and k.delivery_id = d.delivery_id
    """
_ROW: Final = """
    select state, attempt_count, doubt_count, update_time, next_attempt_time, no_return_time, lease_until, worker
    from delivery where delivery_id = %s
    """


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as it is stored."""

    state: str
    attempt_count: int
    doubt_count: int
    update_time: datetime
    next_attempt_time: datetime | None
    no_return_time: datetime | None
    lease_until: datetime | None
    worker: str | None


class Books:
    """Reads the database as its administrator; one connection, kept."""

    def __init__(self, connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, database_url: str) -> Books:
        return cls(await psycopg.AsyncConnection.connect(database_url, autocommit=True, row_factory=dict_row))

    async def close(self) -> None:
        await self._connection.close()

    async def fates(self) -> list[Fate]:
        """Returns every delivery. Raises AssertionError if a delivery's count of doubts is not that of its attempts."""
        rows = await self._rows(_FATES)
        uneven = [row for row in rows if row["doubt_count"] != row["attempts_in_doubt"]]
        assert not uneven, f"doubts that no attempt shows, or the other way round: {uneven}"
        return [
            Fate(
                key=row["key"] or "",
                delivery_id=row["delivery_id"],
                state=row["state"],
                doubts=row["doubt_count"],
                attempts=row["attempt_count"],
            )
            for row in rows
        ]

    async def row(self, delivery_id: str) -> Row:
        """Returns one delivery as it is stored."""
        (row,) = await self._rows(_ROW, (delivery_id,))
        return Row(**row)

    async def end_leases(self, workers: Iterable[str]) -> dict[str, bool]:
        """
        Lets the leases of *workers*, who are dead or frozen, run out: as a minute of waiting does.

        Returns of each delivery that they held whether it was past its point of no return.
        """
        rows = await self._rows(
            """
            update delivery set lease_until = clock_timestamp() where state = 'SENDING' and worker = any(%s)
            returning delivery_id::text, no_return_time is not null as is_past
            """,
            (list(workers),),
        )
        return {row["delivery_id"]: row["is_past"] for row in rows}

    async def end_turns(self, workers: Iterable[str]) -> None:
        """Lets turns at mailboxes and shares of connections of *workers*, who are dead, run out: as a minute does."""
        await self._rows("delete from allowance_connection where worker = any(%s) returning 1", (list(workers),))
        await self._rows(
            "delete from turn where split_part(ticket, ' ', 1) = any(%s) returning 1",
            (list(workers),),
        )

    async def end_transactions(self, replica: str) -> None:
        """Ends what a frozen replica has begun in the database, as its sessions' timeout does after 10 seconds."""
        await self._rows(
            """
            select pg_terminate_backend(pid, 5000) from pg_stat_activity
            where application_name = %s and state <> 'idle' and datname = current_database()
            """,
            (replica,),
        )

    async def pictures(self) -> dict[str, Any]:
        """Returns every delivery with its attempts, column for column, by its id."""
        rows = await self._rows(
            """
            select d.delivery_id::text as id, to_jsonb(d) as delivery, (
                select jsonb_agg(to_jsonb(a) order by a.number) from attempt a
                where a.tenant = d.tenant and a.delivery_id = d.delivery_id) as attempts
            from delivery d
            """
        )
        return {row["id"]: (row["delivery"], row["attempts"]) for row in rows}

    async def until_claimed(self, delivery_id: str, *, within: timedelta) -> str:
        """Waits until a worker holds the delivery, and returns which."""
        end = time.monotonic() + within.total_seconds()
        while (found := await self.row(delivery_id)).worker is None:
            assert time.monotonic() < end, f"after {within} nobody has claimed it: {found}"
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return found.worker

    async def until_somebody_waits_for_a_lock(self, *, within: timedelta) -> None:
        """Waits until a statement waits for a row that another transaction has locked."""
        end = time.monotonic() + within.total_seconds()
        while not await self._rows(
            "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        ):
            assert time.monotonic() < end, f"after {within} nobody waits for a lock"
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def next_attempts_come(self) -> None:
        """Makes due what waits for its next attempt: as hours of waiting do."""
        await self._rows(
            "update delivery set next_attempt_time = now() where next_attempt_time > now() returning 1",
        )
        await self._connection.execute("select pg_notify('mailport_due', '')")

    async def early_retries(self, pause: timedelta) -> list[str]:
        """Names the deliveries that are in doubt and would be tried again less than *pause* after that was recorded."""
        rows = await self._rows(
            """
            select delivery_id::text from delivery
            where state = 'IN_DOUBT' and next_attempt_time < update_time + %s
            """,
            (pause,),
        )
        return [row["delivery_id"] for row in rows]

    async def until_settled(self, *, within: timedelta, dead: Sequence[str] = ()) -> None:
        """
        Waits until nothing is due or under way; raises AssertionError with what is left when that does not come.

        The leases of the workers *dead* run out meanwhile: what one sent to the database last may come after its end.
        """
        end = time.monotonic() + within.total_seconds()
        while left := await self._rows(
            """
            select state, worker, lease_until - now() as lease, no_return_time is not null as is_past,
                now() - next_attempt_time as due_since, attempt_count, failure::text
            from delivery where state = 'SENDING' or next_attempt_time <= now() limit 10
            """
        ):
            assert time.monotonic() < end, f"after {within} there is still {left}"
            await self.end_leases(dead)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        found = await self._connection.execute(statement.encode(), values or None)
        return await found.fetchall()
