"""A database of the tests' own that goes away in every way in which databases do, and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrate import migrate
from adapters.postgres.postmaster import read_postmaster
from tests.faults.cuttable import CuttableDatabase, Way, cuttable_database

_NAME: Final = "storm"
_LOOK_EVERY_SECONDS: Final = 0.01


class Outage(StrEnum):
    """How the database goes away."""

    STOPPED = "STOPPED"
    """As by a crash (immediate shutdown); it recovers when it is started again."""
    FROZEN = "FROZEN"
    """All its processes stand still (SIGSTOP), as on a machine that hangs; connections are taken, nothing answers."""
    READ_ONLY = "READ_ONLY"
    """It answers, and takes no changes, as a primary does that was demoted."""
    COMMIT_CUT = "COMMIT_CUT"
    """The answer to a COMMIT is lost, and then the whole way to it."""
    KILLED = "KILLED"
    """Every connection is ended (pg_terminate_backend); new ones are taken at once."""


class StormyDatabase:
    """See `stormy_database`."""

    def __init__(self, server: EmbeddedPostgres, data: Path, direct: str, way: CuttableDatabase) -> None:
        self.url: Final = way.url
        """For replicas: leads to the database wherever it runs at the moment."""
        self.direct = direct
        """For the tests: past what cuts the way."""
        self._server = server
        self._data = data
        self._way = way

    async def go(self, how: Outage) -> None:
        """Goes away; returns when nothing more can be stored. For `KILLED` it is back by then."""
        match how:
            case Outage.STOPPED:
                os.kill(self._postmaster, signal.SIGQUIT)
                await asyncio.to_thread(self._server.stop)
            case Outage.FROZEN:
                self._signal_all(signal.SIGSTOP)
            case Outage.READ_ONLY:
                await self._become_read_only(is_so=True)
            case Outage.COMMIT_CUT:
                self._way.become(Way.CUT_AFTER_COMMIT)
                while self._way.is_now is not Way.CUT:  # noqa: ASYNC110 - cut by traffic, which raises no event
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
            case Outage.KILLED:
                await self._as_administrator(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    f" where datname = '{_NAME}' and pid <> pg_backend_pid()"
                )

    async def come_back(self, how: Outage) -> None:
        """Comes back from `go`; returns when it takes changes again."""
        match how:
            case Outage.STOPPED:
                self.direct = make_conninfo(await asyncio.to_thread(self._server.start), dbname=_NAME)
                self._way.lead_to(self.direct)
            case Outage.FROZEN:
                self._signal_all(signal.SIGCONT)
            case Outage.READ_ONLY:
                await self._become_read_only(is_so=False)
            case Outage.COMMIT_CUT:
                self._way.become(Way.OPEN)
            case Outage.KILLED:
                pass

    async def _become_read_only(self, *, is_so: bool) -> None:
        await self._as_administrator(f"alter system set default_transaction_read_only = {'on' if is_so else 'off'}")
        await self._as_administrator("select pg_reload_conf()")
        # Running transactions end as they were begun; new ones are of the new kind once their session has heard of it.
        while await self._is_read_only() is not is_so:  # noqa: ASYNC110 - of a server
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _is_read_only(self) -> bool:
        async with await psycopg.AsyncConnection.connect(self.direct) as fresh:
            found = await (await fresh.execute("show default_transaction_read_only")).fetchone()
        return found == ("on",)

    async def _as_administrator(self, statement: str) -> None:
        async with await psycopg.AsyncConnection.connect(self.direct, autocommit=True) as connection:
            await connection.execute(statement.encode())

    @property
    def _postmaster(self) -> int:
        found = read_postmaster(self._data)
        assert found is not None
        return found.pid

    def thaw(self) -> None:
        """Lets it go on if it stands, so that it can be ended."""
        if read_postmaster(self._data) is not None:
            self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        # The postmaster first: standing, it starts no more children; going on, it finds those that ended meanwhile.
        for pid in (self._postmaster, *_children(self._postmaster)):
            os.kill(pid, number)


def _children(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (thread / "children").read_text().split())


@asynccontextmanager
async def stormy_database(folder: Path) -> AsyncIterator[StormyDatabase]:
    """Gives a new database in a server of its own, every commit on the disk."""
    server = EmbeddedPostgres(folder)
    administrator = await asyncio.to_thread(server.start)
    try:
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(_NAME)))
        direct = make_conninfo(administrator, dbname=_NAME)
        await asyncio.to_thread(migrate, direct)
        async with cuttable_database(direct) as way:
            made = StormyDatabase(server, folder / "pg", direct, way)
            try:
                yield made
            finally:
                made.thaw()
    finally:
        await asyncio.to_thread(server.stop)
