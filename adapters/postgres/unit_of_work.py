"""One transaction over all repositories."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.allowances import PostgresAllowances
from adapters.postgres.announcements import PostgresAnnouncements
from adapters.postgres.configurations import PostgresConfigurations
from adapters.postgres.connection import BoundedConnection
from adapters.postgres.consents import PostgresConsents
from adapters.postgres.correlation import PostgresCorrelation
from adapters.postgres.deliveries import PostgresDeliveries
from adapters.postgres.delivery_changes import PostgresChanges
from adapters.postgres.failures import translated
from adapters.postgres.grants import PostgresGrants
from adapters.postgres.leftovers import PostgresLeftovers
from adapters.postgres.session import Session
from adapters.postgres.turns import PostgresTurns
from adapters.postgres.workers import PostgresWorkers
from domain.errors import Unavailable
from domain.ports.vault import Vault


class PostgresUnitOfWork:
    """
    A `domain.ports.storage.UnitOfWork`; holds one connection of the pool while it is entered, and none otherwise.

    With *at_once*, each statement is durable by itself and `commit` has nothing to do: for groups of changes that are
    one statement each, which are spared the way to the server and back for BEGIN and for COMMIT. What needs several
    statements together makes a transaction of its own then, see `Session.together`.
    """

    def __init__(self, *, pool: AsyncConnectionPool[BoundedConnection], vault: Vault, at_once: bool = False) -> None:
        self._pool = pool
        self._vault = vault
        self._at_once = at_once

    @property
    def configurations(self) -> PostgresConfigurations:
        """The configurations as this transaction sees them."""
        return PostgresConfigurations(session=self._session, vault=self._vault)

    @property
    def consents(self) -> PostgresConsents:
        """The consent sessions as this transaction sees them."""
        return PostgresConsents(session=self._session, vault=self._vault)

    @property
    def grants(self) -> PostgresGrants:
        """The grants as this transaction sees them."""
        return PostgresGrants(session=self._session, vault=self._vault)

    @property
    def announcements(self) -> PostgresAnnouncements:
        """What was said of foreseen ends, as this transaction sees it."""
        return PostgresAnnouncements(session=self._session)

    @property
    def allowances(self) -> PostgresAllowances:
        """The accounts' allowances as this transaction sees them."""
        return PostgresAllowances(session=self._session)

    @property
    def turns(self) -> PostgresTurns:
        """The turns at mailboxes as this transaction sees them."""
        return PostgresTurns(session=self._session)

    @property
    def deliveries(self) -> PostgresDeliveries:
        """The deliveries as this transaction sees them."""
        return PostgresDeliveries(session=self._session, vault=self._vault)

    @property
    def changes(self) -> PostgresChanges:
        """The log of deliveries' states, as this transaction sees it."""
        return PostgresChanges(session=self._session)

    @property
    def correlation(self) -> PostgresCorrelation:
        """Which deliveries received mail is about, as this transaction sees it."""
        return PostgresCorrelation(session=self._session)

    @property
    def leftovers(self) -> PostgresLeftovers:
        """What is left of ended deliveries, as this transaction sees it."""
        return PostgresLeftovers(session=self._session)

    @property
    def workers(self) -> PostgresWorkers:
        """Which workers live, as this transaction sees it."""
        return PostgresWorkers(session=self._session)

    async def __aenter__(self) -> Self:
        with translated():
            self._connection = await self._pool.getconn()
        self._session = Session(self._connection)
        try:
            await self._choose_mode()
        except BaseException:
            await self._pool.putconn(self._connection)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._connection.info.transaction_status is not TransactionStatus.IDLE:
                await _roll_back(self._connection)  # the pool would commit
            await self._connection.usual_bound()
        finally:
            await self._pool.putconn(self._connection)

    async def _choose_mode(self) -> None:
        # Whatever the connection was left in: the pool's check is in autocommit itself, and when it is cancelled under
        # load it may leave it so; a transaction would then be stored statement by statement.
        if self._connection.autocommit is not self._at_once:
            async with translated():
                await self._connection.set_autocommit(self._at_once)

    async def commit(self) -> None:
        """
        Makes everything durable; PostgreSQL lets the notifications out with it.

        Raises Unavailable, with nothing stored, also when a statement failed before and its error was passed over.
        """
        if self._connection.info.transaction_status is TransactionStatus.INERROR:
            # PostgreSQL would answer such a COMMIT with ROLLBACK, and no error.
            raise Unavailable("A statement of this transaction failed before.")
        if self._at_once and self._connection.info.transaction_status is TransactionStatus.IDLE:
            return
        async with translated():
            await self._connection.commit()


async def _roll_back(connection: BoundedConnection) -> None:
    """Ends the transaction; after a commit there is none, and nothing happens."""
    try:
        await connection.rollback()
    except psycopg.Error:
        # The server undoes what it cannot be asked to undo. An error here would hide what the unit ended with, or tell
        # of a failure after a commit that succeeded.
        await connection.close()
