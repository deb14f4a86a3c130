"""What PostgreSQL's errors mean to a caller of mailport: one pure table, and the block that applies it."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from domain.errors import Overloaded, Unavailable

_UNKNOWN_OUTCOME: Final = (
    "Try again shortly, with the same idempotency key where there was one: whether the last change was stored is not"
    " known."
)
_OPERATOR: Final = "Try again later; nothing was stored. The operator of mailport has to look at its database."
_SOON: Final = timedelta(seconds=1)
_LATER: Final = timedelta(seconds=10)

_LOST: Final = ("The connection to mailport's database was lost.", _UNKNOWN_OUTCOME, _SOON)
_AWAY: Final = ("mailport's database does not answer.", "", _SOON)
_READ_ONLY: Final = ("mailport's database takes no changes at the moment.", "", _SOON)
_FULL: Final = ("mailport's database is out of disk space, memory or connections.", _OPERATOR, _LATER)
_FAULTY: Final = ("mailport's database reports a fault of its system.", _UNKNOWN_OUTCOME, _LATER)
_BUSY: Final = ("mailport's database is too busy with other work to answer in time.", "", _SOON)

# SQLSTATE or its class (PostgreSQL documentation, appendix A); the longest match counts.
_MEANINGS: Final = {
    "08": (Unavailable, _LOST),  # connection_exception
    "25006": (Unavailable, _READ_ONLY),  # read_only_sql_transaction: a standby, or a primary that was demoted
    "25P03": (Overloaded, _BUSY),  # idle_in_transaction_session_timeout
    "25P04": (Overloaded, _BUSY),  # transaction_timeout
    "40001": (Overloaded, _BUSY),  # serialization_failure
    "40P01": (Overloaded, _BUSY),  # deadlock_detected
    "53": (Unavailable, _FULL),  # insufficient_resources
    "55P03": (Overloaded, _BUSY),  # lock_not_available
    "57014": (Overloaded, _BUSY),  # query_canceled: by statement_timeout
    "57P": (Unavailable, _LOST),  # admin_shutdown, crash_shutdown, database_dropped, idle_session_timeout
    "57P03": (Unavailable, _AWAY),  # cannot_connect_now
    "58": (Unavailable, _FAULTY),  # system_error, io_error
}
_DISCARDED: Final = ("08", "25006", "57P")


class DatabaseUrlInvalid(ValueError):
    """The database URL cannot be read. Its text is quoted nowhere, since it holds a password."""


def checked_dsn(dsn: str) -> str:
    """Returns `dsn` if it is a connection string or URL of libpq; raises DatabaseUrlInvalid, without a cause."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        pass  # its text holds the part that could not be read, which may be the password
    else:
        return dsn
    raise DatabaseUrlInvalid(
        "The database URL cannot be read: write postgresql://user:password@host:port/database, with characters other"
        " than letters, digits, '-', '.', '_' and '~' in the password percent-encoded."
    )


def explain(error: psycopg.Error) -> Unavailable | None:
    """
    Returns what a caller should hear of `error`; None when it is a fault of ours, such as SQL that is wrong.

    The texts are fixed: nothing of the error, of the address or of the data is in them.
    """
    kind: type[Unavailable]
    if isinstance(error, TooManyRequests):
        kind, meaning = Overloaded, _BUSY
    elif isinstance(error, (PoolTimeout, PoolClosed)):
        kind, meaning = Unavailable, _AWAY
    elif error.sqlstate:
        found = next((m for n in (5, 3, 2) if (m := _MEANINGS.get(error.sqlstate[:n]))), None)
        if not found:
            return None
        kind, meaning = found
    elif isinstance(error, psycopg.OperationalError):
        kind, meaning = Unavailable, _LOST
    else:
        return None
    message, remedy, retry_after = meaning
    if remedy:
        return kind(message, remedy=remedy, retry_after=retry_after)
    return kind(message, retry_after=retry_after)


def spoils_connection(error: psycopg.Error) -> bool:
    """Tells whether the connection that raised `error` must not be used again, though it may look healthy."""
    return bool(error.sqlstate) and str(error.sqlstate).startswith(_DISCARDED)


def translated() -> _Translated:
    """
    Returns a block, for ``with`` and ``async with``, that turns errors of the database into domain errors.

    Raises Unavailable or Overloaded from the original; what is a fault of ours passes through as it is.
    """
    return _Translated()


class _Translated:
    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, psycopg.Error) and (meaning := explain(error)):
            raise meaning from error

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
