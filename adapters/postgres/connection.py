"""A connection that never waits without end and that drops itself when it is of no more use."""

from __future__ import annotations

import asyncio
import os
import select
import socket
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, IsolationLevel
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

from adapters.postgres.failures import spoils_connection

_Result = TypeVar("_Result")
_SERVER_FIRST: Final = timedelta(milliseconds=250)
_CANCEL_SECONDS: Final = 0.25
_LATELY: Final = timedelta(seconds=1)
_LARGE: Final = 1024 * 1024
"""Octets that any disk takes within the usual bound."""
_SLOWEST: Final = 4 * 1024 * 1024
"""Octets a second that a busy disk still takes or gives."""

# Weaker levels are raised to "on"; stronger ones (remote_apply) stay.
_SESSION: Final = """
    select set_config('timezone', 'UTC', false),
           set_config('statement_timeout', %(statement)s, false),
           set_config('idle_in_transaction_session_timeout', '10s', false),
           set_config('synchronous_commit', case when level in ('off', 'local') then 'on' else level end, false)
    from current_setting('synchronous_commit') as level
"""
_BOUND: Final = "select set_config('statement_timeout', %(statement)s, false)"


class BoundedConnection(AsyncConnection[TupleRow]):
    """
    Waits at most `answer_within` for each answer, then drops the line: the caller gets an OperationalError.

    Without this a server that is frozen, or a line that is dead, holds its caller for ever. For LISTEN, which waits on
    purpose, use a connection of another class.
    """

    answer_within: timedelta = timedelta(seconds=2)
    _answered: float = 0.0
    _for_size: timedelta = timedelta(0)

    async def wait(self, gen: PQGen[_Result], *args: Any, **kwargs: Any) -> _Result:
        """Waits as the base class does, within the bound; the server's own timeout comes first when it is alive."""
        limit = (self.answer_within + self._for_size + _SERVER_FIRST).total_seconds()
        watchdog = asyncio.get_running_loop().call_later(limit, self._drop_line)
        try:
            answer = await super().wait(gen, *args, **kwargs)
            self._answered = asyncio.get_running_loop().time()
            return answer
        except psycopg.Error as error:
            if spoils_connection(error):
                self.pgconn.finish()
            raise
        finally:
            watchdog.cancel()

    async def allow_for(self, size: int) -> None:
        """
        Lets what follows, the commit included, take the time that *size* octets need on a slow disk.

        Until `usual_bound`. A bound that fits a row would refuse a large message whenever the disk is busy, however
        often it came.
        """
        if size > _LARGE:
            for_size = timedelta(seconds=size / _SLOWEST)
            # Within the usual bound, so that a server that is frozen already shows soon.
            await self.execute(_BOUND, {"statement": _milliseconds(self.answer_within + for_size)})
            self._for_size = for_size

    async def usual_bound(self) -> None:
        """Ends what `allow_for` began, if it did; outside of transactions. A connection that cannot is closed."""
        if not self._for_size:
            return
        self._for_size = timedelta(0)
        if self.closed:
            return
        was = self.autocommit
        try:
            await self.set_autocommit(True)
            await self.execute(_BOUND, {"statement": _milliseconds(self.answer_within)})
            await self.set_autocommit(was)
        except psycopg.Error:
            self.pgconn.finish()
        except BaseException:
            self.pgconn.finish()
            raise

    async def cancel_safe(self, *, timeout: float = _CANCEL_SECONDS) -> None:  # noqa: ASYNC109 - psycopg's signature
        """Asks the server to stop the statement; a cancelled task waits for that only shortly."""
        await super().cancel_safe(timeout=min(timeout, _CANCEL_SECONDS))

    def _drop_line(self) -> None:
        # Whoever waits on the socket sees its end and cleans up; closing it here would pull it from under them.
        with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)

    @property
    def has_just_answered(self) -> bool:
        """
        Tells whether the server answered within the last second, so that asking again whether it lives is idle.

        Unless it has said something since that nobody asked for, as one does that ends a session.
        """
        if asyncio.get_running_loop().time() - self._answered >= _LATELY.total_seconds():
            return False
        waiting = select.poll()
        waiting.register(self.pgconn.socket, select.POLLIN)
        return not waiting.poll(0)

    @property
    def is_read_only(self) -> bool:
        """Tells whether the server said with its last answer that it takes no changes (PostgreSQL 14 and later)."""
        return any(
            self.pgconn.parameter_status(name) == b"on"
            for name in (b"in_hot_standby", b"default_transaction_read_only")
        )

    async def set_up(self) -> None:
        """Sets what every session of mailport relies on: UTC, bounded statements, commits that are durable."""
        await self.set_autocommit(True)
        await self.execute(_SESSION, {"statement": _milliseconds(self.answer_within)})
        await self.set_autocommit(False)
        # Each statement sees what was committed before it, whatever the database's default: readers rely on it.
        await self.set_isolation_level(IsolationLevel.READ_COMMITTED)


def _milliseconds(span: timedelta) -> str:
    return f"{span // timedelta(milliseconds=1)}ms"
