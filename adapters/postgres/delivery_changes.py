"""The log of what happened to deliveries; the migration that makes it says why no change is lost."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from psycopg import sql
from psycopg.rows import DictRow

from adapters.postgres.delivery_rows import delivery_from, parse_id
from adapters.postgres.session import Session
from domain.delivery import DeliveryState
from domain.errors import NotReady
from domain.ports.changes import CURSOR_REMEDY, Change, ChangeFilter, ChangePage
from domain.reasons import Reason

_SETTLED: Final = "select settled_delivery_change_number() as settled"
# A number that was taken and given up may be taken again after a crash, so none but a committed one is given out.
_REACHED: Final = """
    select greatest(
        (select through from delivery_change_purge),
        (select max(number) from delivery_change where number <= %(settled)s)) as reached
    """
_WINDOW: Final = """
    select w.reached, w.seen,
        (select through from delivery_change_purge) as purged,
        (select last_value from delivery_change_number) as last,
        (select c.change_time from delivery_change c
         where c.tenant = %(tenant)s and c.number > greatest(%(settled)s, %(number)s)
         order by c.number limit 1) as waiting_since
    from (
        select max(l.number) as reached, count(*) as seen
        from (
            select c.number from delivery_change c
            where c.tenant = %(tenant)s and c.number > %(number)s and c.number <= %(settled)s
            order by c.number limit %(limit)s) l) w
    """
_ROWS: Final = sql.SQL(
    """
    select c.number, c.previous_state, c.tenant, c.delivery_id, c.configuration_id, c.state, c.recipients,
        c.attempt_count, c.doubt_count, c.change_time as update_time, c.expire_time, c.next_attempt_time, c.final_time,
        c.failure, c.data_center, c.attempted_from, d.data_center_policy, d.message_id, d.sender, d.in_doubt_policy,
        d.create_time
    from delivery_change c join delivery d using (tenant, delivery_id)
    where c.tenant = %(tenant)s and c.number > %(number)s and c.number <= %(reached)s
      and (%(configuration_id)s = '' or c.configuration_id = %(configuration_id)s)
      and (%(ids)s::uuid[] is null or c.delivery_id = any(%(ids)s))
      and (%(states)s::text[] is null or c.state = any(%(states)s))
    order by c.number
    """
)


class PostgresChanges:
    """A `domain.ports.changes.Changes` within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def newest(self) -> int:
        """See the port."""
        return await self._reached(await self._settled())

    async def after(self, tenant: str, where: ChangeFilter, number: int, *, limit: int) -> ChangePage:
        """See the port."""
        settled = await self._settled()  # in a statement of its own, so that the next ones see all that it counts
        window = await self._session.row(
            _WINDOW, {"tenant": tenant, "number": number, "settled": settled, "limit": limit}
        )
        assert window is not None
        if not window["purged"] <= number <= window["last"]:
            raise _refused()
        has_more = window["seen"] == limit
        reached = window["reached"] if has_more else max(number, await self._reached(settled))
        rows = []
        if window["seen"]:
            rows = await self._session.rows(
                _ROWS, {"tenant": tenant, "number": number, "reached": reached, **_values(where)}
            )
            # Read last: had the purge come in between, something would be missing from the rows.
            purge = await self._session.row("select through from delivery_change_purge", {})
            if purge is None or purge["through"] > number:
                raise _refused()
        changes = tuple(_change(row) for row in rows)
        return ChangePage(changes, reached, has_more=has_more, waiting_since=window["waiting_since"])

    async def purge(self, before: datetime, *, limit: int) -> int:
        """See the port."""
        oldest = await self._session.row(
            """
            select max(o.number) as through
            from (select number, change_time from delivery_change order by number limit %(limit)s) o
            where o.change_time < %(before)s
            """,
            {"before": before, "limit": limit},
        )
        if oldest is None or oldest["through"] is None:
            return 0
        await self._session.execute(
            "update delivery_change_purge set through = greatest(through, %(through)s)", {"through": oldest["through"]}
        )
        return await self._session.execute("delete from delivery_change where number <= %(through)s", oldest)

    async def _settled(self) -> int:
        row = await self._session.row(_SETTLED, {})
        assert row is not None
        return int(row["settled"])

    async def _reached(self, settled: int) -> int:
        row = await self._session.row(_REACHED, {"settled": settled})
        assert row is not None
        return int(row["reached"])


def _values(where: ChangeFilter) -> dict[str, Any]:
    ids = [identity for each in where.delivery_ids if (identity := parse_id(each)) is not None]
    return {
        "configuration_id": where.configuration_id,
        "ids": ids if where.delivery_ids else None,
        "states": [state.value for state in where.states] or None,
    }


def _change(row: DictRow) -> Change:
    previous = row["previous_state"]
    return Change(
        number=row["number"],
        delivery=delivery_from(row),
        previous_state=DeliveryState(previous) if previous is not None else None,
    )


def _refused() -> NotReady:
    return NotReady(
        "The cursor is older than the changes that are kept, or it is not one of mailport's.",
        reason=Reason.CURSOR_INVALID,
        remedy=CURSOR_REMEDY,
    )
