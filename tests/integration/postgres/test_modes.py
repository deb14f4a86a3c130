"""A unit of work is a transaction, or none, as it is made: whatever its connection was used for before."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.connection import BoundedConnection
from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from tests.builders import CONFIGURATION_ID, TENANT, a_configuration
from tests.fakes.vault import FakeVault

Pool = AsyncConnectionPool[BoundedConnection]


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """One connection for all."""
    pool = make_pool(database_url, max_size=1)
    await pool.open(wait=True, timeout=10)
    yield pool
    await pool.close()


async def is_stored(pool: Pool) -> bool:
    async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
        return await work.configurations.find(TENANT, CONFIGURATION_ID) is not None


@pytest.mark.parametrize("left_in_autocommit", [False, True])
async def test_given_a_connection_as_it_was_left_when_a_unit_is_given_up_then_nothing_of_it_is_stored(
    pool: Pool, left_in_autocommit: bool
) -> None:
    """The pool's check, cancelled under load, left connections in autocommit: what followed was stored by halves."""
    async with pool.connection() as connection:
        await connection.set_autocommit(left_in_autocommit)

    async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
        await work.configurations.add(a_configuration())

    assert not await is_stored(pool)


@pytest.mark.parametrize("left_in_autocommit", [False, True])
async def test_given_a_connection_as_it_was_left_when_a_unit_goes_without_a_transaction_then_each_statement_is_stored(
    pool: Pool, left_in_autocommit: bool
) -> None:
    async with pool.connection() as connection:
        await connection.set_autocommit(left_in_autocommit)

    async with PostgresUnitOfWork(pool=pool, vault=FakeVault(), at_once=True) as work:
        await work.configurations.add(a_configuration())

    assert await is_stored(pool)
