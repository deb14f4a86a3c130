"""What was said of foreseen ends, replaced by compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from psycopg import sql

from adapters.postgres.codec import is_storable
from adapters.postgres.session import Session
from domain.announcement import Announcement
from domain.forecast import ForecastKind

_KINDS: Final = frozenset(kind.value for kind in ForecastKind)
"""A later version may have written others, and a process of this one runs beside it (P29)."""
# The lock keeps a configuration that is being deleted from failing the foreign key, which would end the transaction.
# Of two inserts the second waits for the first to commit, and then does nothing.
_INSERT: Final = sql.SQL(
    """
    insert into announcement (tenant, configuration_id, kind, expected_time, threshold, announce_time)
    select tenant, configuration_id, %(kind)s, %(expected_time)s, %(threshold)s, %(announce_time)s
    from configuration where tenant = %(tenant)s and configuration_id = %(id)s
    for key share
    on conflict do nothing
    """
)
_IS_BEFORE: Final = sql.SQL(
    """
    tenant = %(tenant)s and configuration_id = %(id)s and kind = %(kind)s and expected_time = %(before_expected_time)s
    and threshold = %(before_threshold)s and announce_time = %(before_announce_time)s
    """
)
_UPDATE: Final = sql.SQL(
    """
    update announcement
    set expected_time = %(expected_time)s, threshold = %(threshold)s, announce_time = %(announce_time)s
    where {}
    """
).format(_IS_BEFORE)
_DELETE: Final = sql.SQL("delete from announcement where {}").format(_IS_BEFORE)


class PostgresAnnouncements:
    """A `domain.ports.announcements.Announcements` within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def of(self, tenant: str, configuration_id: str) -> Mapping[ForecastKind, Announcement]:
        """See the port."""
        if not is_storable(configuration_id):
            return {}
        rows = await self._session.rows(
            """
            select kind, expected_time, threshold, announce_time from announcement
            where tenant = %(tenant)s and configuration_id = %(id)s
            """,
            {"tenant": tenant, "id": configuration_id},
        )
        return {
            ForecastKind(row["kind"]): Announcement(
                expected_time=row["expected_time"], threshold=row["threshold"], announce_time=row["announce_time"]
            )
            for row in rows
            if row["kind"] in _KINDS
        }

    async def replace(
        self,
        tenant: str,
        configuration_id: str,
        kind: ForecastKind,
        *,
        before: Announcement | None,
        after: Announcement | None,
    ) -> bool:
        """See the port."""
        parameters: dict[str, Any] = {"tenant": tenant, "id": configuration_id, "kind": kind.value}
        if before is not None:
            parameters |= {f"before_{name}": value for name, value in _columns(before).items()}
        if after is not None:
            parameters |= _columns(after)
        statement = _INSERT if before is None else _DELETE if after is None else _UPDATE
        return await self._session.execute(statement, parameters) == 1


def _columns(announcement: Announcement) -> dict[str, Any]:
    return {
        "expected_time": announcement.expected_time,
        "threshold": announcement.threshold,
        "announce_time": announcement.announce_time,
    }
