"""Much that waits for one configuration: changed in parts, none forgotten, none that is not meant."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest_asyncio
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.catching_up import AT_ONCE
from adapters.postgres.connection import BoundedConnection
from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from domain.settings.model import DataCenterPolicy
from tests.builders import CONFIGURATION_ID, TENANT
from tests.fakes.vault import FakeVault

Pool = AsyncConnectionPool[BoundedConnection]

_MANY = 2 * AT_ONCE + 500
_FILL = """
    insert into delivery (tenant, delivery_id, configuration_id, message_id, sender, recipients, state, in_doubt_policy,
        attempt_count, doubt_count, create_time, update_time, expire_time, data_center)
    select %(tenant)s, gen_random_uuid(), %(id)s, '<m>', 's', '[]', 'HELD', 'RETRY', 1, 0,
        now() - interval '1 hour' + n * interval '1 second', now(), now() + interval '1 day', ''
    from generate_series(1, %(many)s) n
    """
_COUNTS = """
    select count(*) filter (where state = 'QUEUED'), count(*) filter (where state = 'HELD'),
        count(*) filter (where data_center = 'eu-1') from delivery
    """


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = make_pool(database_url)
    await pool.open(wait=True, timeout=10)
    yield pool
    await pool.close()


def fill(dsn: str, many: int = _MANY) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(_FILL, {"tenant": TENANT, "id": CONFIGURATION_ID, "many": many})


def counts(dsn: str) -> tuple[int, int, int]:
    """Returns how many are queued, held, and of the site eu-1."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(_COUNTS).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


async def release(pool: Pool) -> int:
    async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
        count = await work.deliveries.release(TENANT, CONFIGURATION_ID)
        await work.commit()
    return count


async def move(pool: Pool) -> int:
    async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
        count = await work.deliveries.move(TENANT, CONFIGURATION_ID, "eu-1", DataCenterPolicy.STRICT)
        await work.commit()
    return count


async def catch_up(pool: Pool) -> int:
    async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
        count = await work.deliveries.catch_up()
        await work.commit()
    return count


async def test_given_much_held_mail_when_released_then_the_oldest_go_at_once_and_the_rest_follows(
    pool: Pool, database_url: str
) -> None:
    """A new consent must not fail because very much waits for it."""
    fill(database_url)

    first = await release(pool)
    at_once = counts(database_url)
    rest = [await catch_up(pool) for _ in range(3)]

    assert (first, at_once) == (AT_ONCE, (AT_ONCE, _MANY - AT_ONCE, 0))
    assert rest == [AT_ONCE, 500, 0]
    assert counts(database_url) == (_MANY, 0, 0)


async def test_given_mail_that_is_held_after_a_release_when_caught_up_then_it_stays_held(
    pool: Pool, database_url: str
) -> None:
    """It waits for another consent; made due with the others, it would go in circles."""
    fill(database_url)
    await release(pool)
    fill(database_url, 7)

    while await catch_up(pool):
        pass

    assert counts(database_url) == (_MANY, 7, 0)


async def test_given_much_waiting_mail_when_moved_and_released_then_all_of_it_is_both(
    pool: Pool, database_url: str
) -> None:
    fill(database_url)

    first = await move(pool)
    await release(pool)
    while await catch_up(pool):
        pass

    assert first == AT_ONCE
    assert counts(database_url) == (_MANY, 0, _MANY)


async def test_given_two_replicas_when_they_catch_up_at_once_then_nothing_waits_for_the_other(
    pool: Pool, database_url: str
) -> None:
    fill(database_url)
    await release(pool)

    async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
        mine = await work.deliveries.catch_up()
        theirs = await catch_up(pool)
        await work.commit()

    assert (mine, theirs) == (AT_ONCE, 0)
