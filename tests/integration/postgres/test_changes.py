"""The log of changes in PostgreSQL: what transactions that overlap, and a version before, must not spoil."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.connection import BoundedConnection
from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from domain.delivery import Delivery, DeliveryState
from domain.ports.changes import ChangeFilter, ChangePage
from tests.builders import TENANT, a_delivery
from tests.fakes.vault import FakeVault
from tests.storing import accept_one

Pool = AsyncConnectionPool[BoundedConnection]


@asynccontextmanager
async def a_pool(dsn: str) -> AsyncIterator[Pool]:
    async with make_pool(dsn) as pool:
        yield pool


def uow(pool: Pool) -> PostgresUnitOfWork:
    return PostgresUnitOfWork(pool=pool, vault=FakeVault())


async def accept(pool: Pool, delivery: Delivery) -> None:
    async with uow(pool) as work:
        await accept_one(work, delivery)
        await work.commit()


async def after(pool: Pool, number: int) -> ChangePage:
    async with uow(pool) as work:
        return await work.changes.after(TENANT, ChangeFilter(), number, limit=100)


async def newest(pool: Pool) -> int:
    async with uow(pool) as work:
        return await work.changes.newest()


async def locks(dsn: str) -> int:
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        cursor = await connection.execute("select count(*) from pg_locks where locktype = 'advisory'")
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


async def test_given_a_lower_number_that_commits_later_when_read_meanwhile_then_the_higher_one_waits_for_it(
    database_url: str,
) -> None:
    slow_one, quick_one = a_delivery(), a_delivery()
    async with a_pool(database_url) as pool:
        start = await newest(pool)
        async with uow(pool) as slow:
            await accept_one(slow, slow_one)
            await accept(pool, quick_one)
            meanwhile = await after(pool, start)
            begun_meanwhile = await newest(pool)
            await slow.commit()
        afterwards = await after(pool, meanwhile.reached)
        from_then = await after(pool, begun_meanwhile)

    assert meanwhile.changes == ()
    assert meanwhile.waiting_since == quick_one.update_time
    assert [each.delivery for each in afterwards.changes] == [slow_one, quick_one]
    assert [each.delivery for each in from_then.changes] == [slow_one, quick_one]


async def test_given_a_lower_number_that_is_given_up_when_read_then_the_higher_one_comes(database_url: str) -> None:
    quick_one = a_delivery()
    async with a_pool(database_url) as pool:
        start = await newest(pool)
        async with uow(pool) as lost:
            await accept_one(lost, a_delivery())
            await accept(pool, quick_one)
        page = await after(pool, start)

    assert [each.delivery for each in page.changes] == [quick_one]
    assert page.waiting_since is None


async def test_given_an_older_transaction_that_changes_a_delivery_later_when_read_then_the_order_is_that_of_the_changes(
    database_url: str,
) -> None:
    """By transaction ids the two would be swapped."""
    delivery = a_delivery()
    async with a_pool(database_url) as pool:
        await accept(pool, delivery)
        start = await newest(pool)
        async with uow(pool) as older:
            await accept_one(older, a_delivery())  # it has its id from here on
            async with uow(pool) as younger:
                await younger.deliveries.save(replace(delivery, state=DeliveryState.RETRYING))
                await younger.commit()
            await older.deliveries.save(replace(delivery, state=DeliveryState.HELD))
            await older.commit()
        page = await after(pool, start)

    states = [each.delivery.state for each in page.changes if each.delivery.delivery_id == delivery.delivery_id]
    assert states == [DeliveryState.RETRYING, DeliveryState.HELD]


async def test_given_many_changes_in_one_transaction_when_made_then_it_holds_one_lock_and_none_afterwards(
    database_url: str,
) -> None:
    async with a_pool(database_url) as pool:
        async with uow(pool) as work:
            for _ in range(50):
                await accept_one(work, a_delivery())
            during = await locks(database_url)
            await work.commit()
        afterwards = await locks(database_url)
        async with uow(pool) as work:  # the same session again
            await accept_one(work, a_delivery())
            again = await locks(database_url)

    assert (during, afterwards, again) == (1, 0, 1)


async def test_given_numbers_above_thirty_two_bits_when_read_then_nothing_is_cut_off(database_url: str) -> None:
    large = 5 * 2**32 + 17
    slow_one, quick_one = a_delivery(), a_delivery()
    async with a_pool(database_url) as pool:
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            await connection.execute("select setval('delivery_change_number', %s)", (large,))
        await accept(pool, a_delivery())
        start = await newest(pool)
        async with uow(pool) as slow:
            await accept_one(slow, slow_one)
            await accept(pool, quick_one)
            meanwhile = await after(pool, start)
            await slow.commit()
        page = await after(pool, meanwhile.reached)

    assert start == large + 1
    assert meanwhile.changes == ()
    assert [each.number for each in page.changes] == [large + 2, large + 3]


async def test_given_a_database_whose_transactions_keep_their_snapshot_when_read_then_each_statement_sees_the_newest(
    database_url: str,
) -> None:
    name = conninfo_to_dict(database_url)["dbname"]
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(
            sql.SQL("alter database {} set default_transaction_isolation = 'repeatable read'").format(
                sql.Identifier(str(name))
            )
        )
    delivery = a_delivery()
    async with a_pool(database_url) as pool, uow(pool) as work:
        before = await work.changes.newest()
        await accept(pool, delivery)
        page = await work.changes.after(TENANT, ChangeFilter(), before, limit=10)

    assert [each.delivery for each in page.changes] == [delivery]


async def test_given_a_delivery_that_is_no_longer_stored_when_read_then_its_changes_are_left_out(
    database_url: str,
) -> None:
    gone, kept = a_delivery(), a_delivery()
    async with a_pool(database_url) as pool:
        start = await newest(pool)
        await accept(pool, gone)
        await accept(pool, kept)
        async with await psycopg.AsyncConnection.connect(database_url) as connection:
            await connection.execute("delete from delivery where delivery_id = %s", (gone.delivery_id,))
        page = await after(pool, start)

    assert [each.delivery for each in page.changes] == [kept]


@pytest.mark.parametrize("age", [timedelta(days=8), timedelta(days=6)])
async def test_given_the_reaper_s_step_when_changes_are_old_then_they_go_and_younger_ones_stay(
    database_url: str, age: timedelta
) -> None:
    delivery = a_delivery()
    async with a_pool(database_url) as pool:
        start = await newest(pool)
        await accept(pool, delivery)
        async with uow(pool) as work:
            purged = await work.changes.purge(delivery.update_time + age - timedelta(days=7), limit=10)
            await work.commit()
        is_kept = start == await newest(pool) - 1 and not purged

    assert is_kept is (age < timedelta(days=7))
