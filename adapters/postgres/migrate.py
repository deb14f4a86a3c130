"""Brings the schema to the newest version this program knows: numbered SQL files, each applied once."""

from __future__ import annotations

import hashlib
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg

from adapters.postgres.failures import checked_dsn, translated

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK: Final = 0x6D61696C  # "mail"
_CONNECT_SECONDS: Final = 5

_Connection = psycopg.Connection[tuple[Any, ...]]


class MigrationFailed(Exception):
    """The schema could not be brought up to date: `message` tells why, `remedy` what to do. Whole files only stand."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class MigrationEdited(MigrationFailed):
    """A file was changed after it had been applied, so that its text no longer tells what the schema is."""


class MigrationBlocked(MigrationFailed):
    """Others held the locks that were needed, for as long as we were ready to wait."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """Names of files, in order: those `applied` now, and the `newer` ones in the database that this program lacks."""

    applied: tuple[str, ...]
    newer: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Migration:
    version: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrate(dsn: str, *, folder: Path = MIGRATIONS, patience: timedelta = timedelta(minutes=2)) -> Migrated:
    """
    Applies the files of `folder` that the database has not seen, each in a transaction of its own; blocks.

    Any number of processes may call this at once: one applies, the others wait and find nothing to do. A lock on a
    table is awaited for 2 seconds and then tried anew, so that calls of a running version are not queued up behind
    us; `patience` bounds all waiting. A database newer than this program is fine. Needs a direct connection, not one
    through a transaction pooler.

    Raises MigrationEdited, MigrationBlocked, MigrationFailed; Unavailable when the database is away;
    DatabaseUrlInvalid.
    """
    known = _read(folder)
    deadline = time.monotonic() + patience.total_seconds()
    applied: list[str] = []
    with translated(), _connected(dsn) as connection:
        connection.execute("set lock_timeout = '2s'")
        _take_turn(connection, deadline)
        if not _has_record(connection):
            connection.execute("""
                create table schema_migration (
                    version int primary key,
                    name text not null,
                    sha256 text not null,
                    applied_at timestamptz not null default now()
                )""")
        missing, newer = _compare(connection, known)
        for migration in missing:
            _apply(connection, migration, deadline)
            applied.append(migration.name)
    return Migrated(tuple(applied), newer)


def pending(dsn: str, *, folder: Path = MIGRATIONS) -> tuple[str, ...]:
    """
    Returns the names of the files that `migrate` would apply; changes nothing.

    Raises MigrationEdited, MigrationFailed; Unavailable when the database is away; DatabaseUrlInvalid.
    """
    known = _read(folder)
    with translated(), _connected(dsn) as connection:
        if not _has_record(connection):
            return tuple(migration.name for migration in known)
        missing, _ = _compare(connection, known)
        return tuple(migration.name for migration in missing)


def _read(folder: Path) -> Sequence[_Migration]:
    found: dict[int, _Migration] = {}
    for file in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        if not match or int(match[1]) in found:
            raise MigrationFailed(
                f"The migration {file.name} has no number of its own.", "Name it like 0002_what_it_does.sql."
            )
        # Read as text: a checkout that turned line ends into CRLF has the same digest.
        found[int(match[1])] = _Migration(int(match[1]), file.name, file.read_text(encoding="utf-8"))
    if not found:
        raise MigrationFailed(f"There are no migrations in {folder}.", "Install mailport anew: files are missing.")
    return list(found.values())


@contextmanager
def _connected(dsn: str) -> Iterator[_Connection]:
    with psycopg.connect(
        checked_dsn(dsn), autocommit=True, connect_timeout=_CONNECT_SECONDS,
        fallback_application_name="mailport migrate",
    ) as connection:  # fmt: skip
        connection.execute("set statement_timeout = 0")
        yield connection


def _has_record(connection: _Connection) -> bool:
    # Asked first: "create table if not exists" needs the right to create even when there is nothing to create.
    row = connection.execute("select to_regclass('schema_migration') is not null").fetchone()
    return bool(row and row[0])


def _compare(connection: _Connection, known: Sequence[_Migration]) -> tuple[Sequence[_Migration], tuple[str, ...]]:
    rows = connection.execute("select version, name, sha256 from schema_migration order by version").fetchall()
    stored = {version: (name, digest) for version, name, digest in rows}
    for migration in known:
        name, digest = stored.get(migration.version, (migration.name, migration.digest))
        if digest != migration.digest:
            raise MigrationEdited(
                f"The migration {migration.name} is not the one that was applied as {name}.",
                "Restore that file as it was released, and put the change into a new one.",
            )
    ours = {migration.version for migration in known}
    missing = [migration for migration in known if migration.version not in stored]
    return missing, tuple(name for version, (name, _) in stored.items() if version not in ours)


def _take_turn(connection: _Connection, deadline: float) -> None:
    # Asked for again and again rather than awaited: a waiting statement would hold back vacuum and index builds.
    while True:
        row = connection.execute("select pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if row and row[0]:
            return
        _pause("another process that migrates", deadline)


def _apply(connection: _Connection, migration: _Migration, deadline: float) -> None:
    while True:
        try:
            with connection.transaction():
                # Without parameters, so that a file may hold many statements.
                connection.execute(migration.sql.encode())
                connection.execute(
                    "insert into schema_migration (version, name, sha256) values (%s, %s, %s)",
                    (migration.version, migration.name, migration.digest),
                )
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            _pause(f"locks that {migration.name} needs", deadline)
        except psycopg.errors.DatabaseError as error:
            if error.sqlstate is None or isinstance(error, psycopg.OperationalError):
                raise
            raise MigrationFailed(
                f"The migration {migration.name} failed: {error.diag.message_primary} (SQLSTATE {error.sqlstate}).",
                "Nothing of it was applied. Put right what it names, then migrate again.",
            ) from error
        else:
            return


def _pause(blocker: str, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise MigrationBlocked(
            f"Waiting for {blocker} took too long.", "Nothing is half applied. End what holds them, then migrate again."
        )
    time.sleep(random.uniform(0.05, 0.2))  # noqa: S311 - spreads processes, guards nothing
