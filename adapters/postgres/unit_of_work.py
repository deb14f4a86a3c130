"""One transaction over all repositories."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.announcements import PostgresAnnouncements
from adapters.postgres.configurations import PostgresConfigurations
from adapters.postgres.connection import BoundedConnection
from adapters.postgres.consents import PostgresConsents
from adapters.postgres.deliveries import PostgresDeliveries
from adapters.postgres.delivery_changes import PostgresChanges
from adapters.postgres.failures import translated
from adapters.postgres.grants import PostgresGrants
from adapters.postgres.leftovers import PostgresLeftovers
from adapters.postgres.session import Session
from adapters.postgres.workers import PostgresWorkers
from domain.errors import Unavailable
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
    def consents(self) -> PostgresConsents:
        """The consent sessions as this transaction sees them."""
        return self._consents

    @property
    def grants(self) -> PostgresGrants:
        """The grants as this transaction sees them."""
        return self._grants

    @property
    def announcements(self) -> PostgresAnnouncements:
        """What was said of foreseen ends, as this transaction sees it."""
        return self._announcements

    @property
    def deliveries(self) -> PostgresDeliveries:
        """The deliveries as this transaction sees them."""
        return self._deliveries

    @property
    def changes(self) -> PostgresChanges:
        """The log of deliveries' states, as this transaction sees it."""
        return self._changes

    @property
    def leftovers(self) -> PostgresLeftovers:
        """What is left of ended deliveries, as this transaction sees it."""
        return self._leftovers

    @property
    def workers(self) -> PostgresWorkers:
        """Which workers live, as this transaction sees it."""
        return self._workers

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(translated())
            self._connection = await stack.enter_async_context(self._pool.connection())
            session = Session(self._connection)
            self._configurations = PostgresConfigurations(session=session, vault=self._vault)
            self._consents = PostgresConsents(session=session, vault=self._vault)
            self._grants = PostgresGrants(session=session, vault=self._vault)
            self._announcements = PostgresAnnouncements(session=session)
            self._deliveries = PostgresDeliveries(session=session, vault=self._vault)
            self._changes = PostgresChanges(session=session)
            self._leftovers = PostgresLeftovers(session=session)
            self._workers = PostgresWorkers(session=session)
            stack.push_async_callback(_roll_back, self._connection)  # the pool would commit
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, traceback)

    async def commit(self) -> None:
        """
        Makes everything durable; PostgreSQL lets the notifications out with it.

        Raises Unavailable, with nothing stored, also when a statement failed before and its error was passed over.
        """
        if self._connection.info.transaction_status is TransactionStatus.INERROR:
            # PostgreSQL would answer such a COMMIT with ROLLBACK, and no error.
            raise Unavailable("A statement of this transaction failed before.")
        async with translated():
            await self._connection.commit()


async def _roll_back(connection: BoundedConnection) -> None:
    """Ends the transaction; after a commit there is none, and nothing happens."""
    connection.usual_bound()
    try:
        await connection.rollback()
    except psycopg.Error:
        # The server undoes what it cannot be asked to undo. An error here would hide what the unit ended with, or tell
        # of a failure after a commit that succeeded.
        await connection.close()
