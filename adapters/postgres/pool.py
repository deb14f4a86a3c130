"""The pool of database connections: bounded, and back by itself after an outage."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.connection import BoundedConnection
from adapters.postgres.failures import checked_dsn

_CONNECT_SECONDS: Final = 2
_RECONNECT: Final = timedelta(seconds=3)
_UNLESS_GIVEN: Final = {
    # Commits go to a writable primary; a standby in the list of hosts is passed over.
    "target_session_attrs": "read-write",
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class _Pool(AsyncConnectionPool[BoundedConnection]):
    """
    Lets callers in again after an outage, however many have waited in vain.

    psycopg_pool (3.3.3) keeps who gave up in its queue until a connection comes, and counts them as waiting. Once the
    attempts to reconnect have ended too, a queue full of them refuses the very caller who would start them anew.
    """

    async def getconn(self, timeout: float | None = None) -> BoundedConnection:  # noqa: ASYNC109 - psycopg's signature
        if len(self._waiting) >= self.max_waiting:
            still_waiting = [client for client in self._waiting if client.error is None]
            self._waiting.clear()
            self._waiting.extend(still_waiting)
        return await super().getconn(timeout)


def make_pool(
    dsn: str,
    *,
    max_size: int = 16,
    max_waiting: int = 64,
    timeout: timedelta = timedelta(seconds=2),
    answer_within: timedelta = timedelta(seconds=2),
) -> AsyncConnectionPool[BoundedConnection]:
    """
    Returns a pool that is still closed: open it inside the running loop, ``await pool.open(wait=True)``.

    At most `max_size` connections are open and `max_waiting` callers wait for one, each up to `timeout`; a statement
    may take `answer_within`. Beyond these, psycopg raises what ``failures.translated()`` turns into Unavailable and
    Overloaded. Raises DatabaseUrlInvalid for a `dsn` that cannot be read.
    """
    given = conninfo_to_dict(checked_dsn(dsn))
    kwargs: dict[str, Any] = {
        "autocommit": False,
        "connect_timeout": _CONNECT_SECONDS,
        "fallback_application_name": "mailport",
        **{name: value for name, value in _UNLESS_GIVEN.items() if name not in given},
    }

    async def set_up(connection: BoundedConnection) -> None:
        connection.answer_within = answer_within
        await connection.set_up()

    async def check(connection: BoundedConnection) -> None:
        try:
            if not connection.has_just_answered:
                await AsyncConnectionPool.check_connection(connection)
            if connection.is_read_only:
                raise psycopg.errors.ReadOnlySqlTransaction("the server turned read-only")
        except psycopg.Error:
            # One dead connection means that the others are, too: without this each would cost a caller its call.
            await pool.drain()
            raise

    pool = _Pool(
        dsn,
        connection_class=BoundedConnection,
        kwargs=kwargs,
        open=False,
        name="mailport",
        min_size=1,
        max_size=max_size,
        max_waiting=max_waiting,
        timeout=timeout.total_seconds(),
        # The pause between attempts doubles up to this; given up, the next caller starts them anew.
        reconnect_timeout=_RECONNECT.total_seconds(),
        configure=set_up,
        check=check,
    )
    return pool
