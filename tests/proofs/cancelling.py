"""What a cancelled call left behind: the shape of the database's rows, and the tasks of the process."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Set
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

_LOOK_EVERY_SECONDS: Final = 0.005
_DONE_SECONDS: Final = 10
_GOODBYE: Final = "SmtpMailTransport._say_goodbye"
_NOBODYS: Final = ("AioServer._request", _GOODBYE, "SMTP._handle_client")
"""The server's waiting for its next call, a mail server that is told goodbye after its last answer, and that server."""
_TELLING: Final = frozenset({"role", "generation", "attempt_count", "doubt_count"})
"""What says how far a row has come; other numbers, such as positions in a log, differ from call to call."""

_SOON: Final = timedelta(minutes=1)
"""What is due within it is due."""

Shape = Counter[tuple[Any, ...]]
"""How many rows there are of each kind: by table, state, what is set, and how far it has come."""


async def shape(database_url: str) -> Shape:
    """
    Returns the shape of everything that is stored, at one instant.

    A commit whose caller was cancelled while it was under way counts: the database is done with it first.
    """
    found: Shape = Counter()
    async with await psycopg.AsyncConnection.connect(database_url, row_factory=dict_row, autocommit=True) as connection:
        await _is_done(connection)
        await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
        async with connection.transaction():
            tables = await connection.execute(
                "select table_name from information_schema.tables where table_schema = 'public' order by 1"
            )
            for table in [each["table_name"] for each in await tables.fetchall()]:
                rows = await connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table)))
                found.update([(table, *_kind(row)) for row in await rows.fetchall()])
    return found


async def _is_done(connection: psycopg.AsyncConnection[dict[str, Any]]) -> None:
    """Waits until no statement of others runs."""
    async with asyncio.timeout(_DONE_SECONDS):
        while True:
            active = await connection.execute(
                """
                select 1 from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid() and state = 'active'
                """
            )
            if await active.fetchone() is None:
                return
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


def _kind(row: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    now = datetime.now(UTC) + _SOON
    for name, value in row.items():
        if isinstance(value, datetime):
            yield name, value > now
        elif isinstance(value, bool) or name in _TELLING or name.endswith("state"):
            yield name, value
        else:
            yield name, value is not None


class Difference:
    """What came and what went between two shapes."""

    def __init__(self, before: Shape, after: Shape) -> None:
        self._came = after - before
        self._went = before - after

    @property
    def is_empty(self) -> bool:
        return not self._came and not self._went

    def is_part_of(self, whole: Difference, parts: int) -> int | None:
        """Returns how many of the *parts* equal ones that make *whole* this is: all for the whole; None: it is none."""
        for share in range(parts + 1):
            if all(
                {kind: count * parts for kind, count in ours.items()}
                == {kind: count * share for kind, count in theirs.items() if share}
                for ours, theirs in ((self._came, whole._came), (self._went, whole._went))
            ):
                return share
        return None

    def __str__(self) -> str:
        return f"came {dict(self._came)}, went {dict(self._went)}"


class Tasks:
    """The tasks of this process that were begun since it was made."""

    def __init__(self) -> None:
        self._before: Set[asyncio.Task[Any]] = asyncio.all_tasks()

    def new(self) -> list[asyncio.Task[Any]]:
        """Returns those that still run, without what is nobody's work."""
        running = [each for each in asyncio.all_tasks() - self._before if not each.done()]
        names = {_name(each) for each in running}
        # A goodbye rests first, and waits for its event in a task of its own.
        nobodys = (*_NOBODYS, "Event.wait") if _GOODBYE in names else _NOBODYS
        return [each for each in running if not _name(each).startswith(nobodys)]

    async def until_ended(self, *, within: float) -> float:
        """Returns after how many seconds none is left. Raises AssertionError with those that are after *within*."""
        begin = time.monotonic()
        while left := self.new():
            assert time.monotonic() < begin + within, f"still running: {left}"
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return time.monotonic() - begin


def _name(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", "")
