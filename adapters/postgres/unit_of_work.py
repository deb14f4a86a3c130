"""One transaction over all repositories."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from psycopg_pool import AsyncConnectionPool

from adapters.postgres.configurations import PostgresConfigurations
from adapters.postgres.connection import BoundedConnection
from adapters.postgres.deliveries import PostgresDeliveries
from adapters.postgres.failures import translated
from domain.ports.vault import Vault


class PostgresUnitOfWork:
    """A `domain.ports.storage.UnitOfWork`; holds one connection of the pool while it is entered, and none otherwise."""

    def __init__(self, *, pool: AsyncConnectionPool[BoundedConnection], vault: Vault) -> None:
        self._pool = pool
        self._vault = vault

    @property
    def configurations(self) -> PostgresConfigurations:
        """The configurations as this transaction sees them."""
        return self._configurations

    @property
    def deliveries(self) -> PostgresDeliveries:
        """The deliveries as this transaction sees them."""
        return self._deliveries

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(translated())
            self._connection = await stack.enter_async_context(self._pool.connection())
            self._configurations = PostgresConfigurations(connection=self._connection, vault=self._vault)
            self._deliveries = PostgresDeliveries(connection=self._connection, vault=self._vault)
            stack.push_async_callback(
                self._connection.rollback
            )  # the pool would commit; after a commit it does nothing
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    async def commit(self) -> None:
        """Makes everything durable; PostgreSQL lets the notifications out with it."""
        await self._connection.commit()
