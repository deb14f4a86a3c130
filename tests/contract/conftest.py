"""The stores that every storage contract runs on: the fake, and PostgreSQL in a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.connection import BoundedConnection
from adapters.postgres.pool import make_pool
from adapters.postgres.signals import PostgresSignals
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from domain.ports.signals import Signals
from domain.ports.storage import UnitOfWork
from tests.fakes.signals import FakeSignals
from tests.fakes.storage import FakeStore, FakeUnitOfWork
from tests.fakes.vault import FakeVault

_LONG: Final = timedelta(seconds=10)
_CONNECTIONS: Final = 80
"""Enough to have one unit of work open for each call of the port."""


class Storage(Protocol):
    """A store and what a test may do to it from outside."""

    def uow(self) -> UnitOfWork: ...

    def now(self) -> datetime:
        """Returns the instant of the store's own clock."""
        ...

    def use_keys(self, *numbers: int) -> None:
        """Gives later units of work a vault with these keys; the last one seals. At first there is key 1."""
        ...

    async def corrupt_secrets(self, configuration_id: str) -> None:
        """Flips a bit in each sealed secret."""
        ...

    async def corrupt_content(self, delivery_id: str) -> None: ...

    async def shred(self, delivery_id: str) -> None:
        """Removes the content."""
        ...

    async def go_away(self) -> None:
        """Ends every connection and takes no new one."""
        ...

    async def come_back(self) -> None: ...

    def signals(self) -> AbstractAsyncContextManager[Signals]:
        """Returns the signals of another process on the same store, running."""
        ...


class FakeStorage:
    def __init__(self) -> None:
        self.store = FakeStore()

    def uow(self) -> UnitOfWork:
        return FakeUnitOfWork(self.store)

    def now(self) -> datetime:
        return self.store.clock.now()

    def use_keys(self, *numbers: int) -> None:
        self.store.vault = FakeVault(keys=numbers)

    async def corrupt_secrets(self, configuration_id: str) -> None:
        for name, stored in self.store.configurations.items():
            if name[1] == configuration_id:
                sealed = {field: _flipped(value) for field, value in stored.sealed.items()}
                self.store.configurations[name] = replace(stored, sealed=sealed)

    async def corrupt_content(self, delivery_id: str) -> None:
        for name, stored in self.store.deliveries.items():
            if name[1] == delivery_id and stored.content is not None:
                self.store.deliveries[name] = replace(stored, content=_flipped(stored.content))

    async def shred(self, delivery_id: str) -> None:
        self.store.shred(delivery_id)

    async def go_away(self) -> None:
        self.store.away = True

    async def come_back(self) -> None:
        self.store.away = False

    @asynccontextmanager
    async def signals(self) -> AsyncIterator[Signals]:
        yield self.store.also_signals(FakeSignals())


class PostgresStorage:
    def __init__(self, *, pool: AsyncConnectionPool[BoundedConnection], dsn: str, admin: str) -> None:
        self._pool = pool
        self._dsn = dsn
        self._admin = admin
        self._vault = FakeVault()

    def uow(self) -> UnitOfWork:
        return PostgresUnitOfWork(pool=self._pool, vault=self._vault)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def use_keys(self, *numbers: int) -> None:
        self._vault = FakeVault(keys=numbers)

    async def corrupt_secrets(self, configuration_id: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
            for column in ("basic_password", "oauth_client_secret", "mailbox_password"):
                await connection.execute(
                    sql.SQL(
                        "update revision set {0} = set_byte({0}, 14, get_byte({0}, 14) # 1) where configuration_id = %s"
                    ).format(sql.Identifier(column)),
                    (configuration_id,),
                )

    async def corrupt_content(self, delivery_id: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
            await connection.execute(
                """
                update delivery_content set sealed = set_byte(sealed, 14, get_byte(sealed, 14) # 1)
                where delivery_id = %s
                """,
                (delivery_id,),
            )

    async def shred(self, delivery_id: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
            await connection.execute("delete from delivery_content where delivery_id = %s", (delivery_id,))

    async def go_away(self) -> None:
        await self._allow_connections("false")
        async with await psycopg.AsyncConnection.connect(self._admin, autocommit=True) as admin:
            await admin.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (self._name,)
            )

    async def come_back(self) -> None:
        await self._allow_connections("true")

    @asynccontextmanager
    async def signals(self) -> AsyncIterator[Signals]:
        signals = PostgresSignals(dsn=self._dsn)
        running = asyncio.create_task(signals.run())
        try:
            await signals.work_due(within=_LONG)  # everybody is woken once the connection stands
            yield signals
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    @property
    def _name(self) -> str:
        return str(conninfo_to_dict(self._dsn)["dbname"])

    async def _allow_connections(self, allowed: str) -> None:
        statement = sql.SQL("alter database {} allow_connections {}").format(
            sql.Identifier(self._name), sql.SQL(allowed)
        )
        async with await psycopg.AsyncConnection.connect(self._admin, autocommit=True) as admin:
            await admin.execute(statement)


@pytest_asyncio.fixture(params=["fake", "postgres"])
async def storage(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    """Each store in turn."""
    if request.param == "fake":
        yield FakeStorage()
        return
    dsn = request.getfixturevalue("database_url")
    pool = make_pool(dsn, max_size=_CONNECTIONS)
    await pool.open(wait=True, timeout=10)
    try:
        yield PostgresStorage(pool=pool, dsn=dsn, admin=request.getfixturevalue("postgres_server"))
    finally:
        await pool.close()


def _flipped(sealed: bytes) -> bytes:
    return sealed[:14] + bytes([sealed[14] ^ 1]) + sealed[15:]
