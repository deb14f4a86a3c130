"""Which workers live, and where: a row each, that holds until a time of the database's own clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import psycopg

from adapters.postgres.failures import translated
from adapters.postgres.session import Session
from domain.data_center import Presence

_PRESENT: Final = """
    select data_center, count(*) filter (where seen_until > now()) as live,
        greatest(now() - max(seen_until), interval '0') as away
    from worker where seen_until > now() - interval '1 day' group by data_center order by data_center
    """
_CONNECT_SECONDS: Final = 5


def present_workers(dsn: str) -> tuple[Presence, ...]:
    """Does as `PostgresWorkers.present` over a connection of its own; blocks. Raises Unavailable."""
    with translated(), psycopg.connect(dsn, connect_timeout=_CONNECT_SECONDS) as connection:
        return tuple(Presence(*row) for row in connection.execute(_PRESENT))


class PostgresWorkers:
    """A `domain.ports.workers.Workers` within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def seen(self, name: str, data_center: str, *, lives_for: timedelta) -> None:
        """See the port."""
        await self._session.execute(
            """
            with gone as (
                delete from worker where name in (
                    select name from worker where seen_until < now() - interval '1 day' and name <> %(name)s
                    for update skip locked))
            insert into worker (name, data_center, seen_until)
            values (%(name)s, %(data_center)s, now() + %(lives_for)s)
            on conflict (name) do update
            set data_center = excluded.data_center, seen_until = excluded.seen_until
            """,
            {"name": name, "data_center": data_center, "lives_for": lives_for},
        )

    async def leave(self, name: str) -> None:
        """See the port."""
        await self._session.execute(
            "update worker set seen_until = least(seen_until, now()) where name = %(name)s", {"name": name}
        )

    async def present(self) -> tuple[Presence, ...]:
        """See the port."""
        rows = await self._session.rows(
            _PRESENT,
            {},
        )
        return tuple(Presence(row["data_center"], row["live"], row["away"]) for row in rows)
