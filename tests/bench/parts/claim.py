"""What it costs to find the next mail, with few and with very many waiting."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
from psycopg.sql import SQL, Composable, Identifier

from adapters.postgres.migrate import migrate
from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from domain.ports.vault import Vault
from tests.bench.mailports import Database
from tests.bench.measure import number, percentile
from tests.bench.plan import Plan
from tests.bench.table import Section
from tests.builders import a_delivery
from tests.fakes.vault import FakeVault
from tests.storing import accept_one

_FEW: Final = 1_000
_CLAIMS_A_ROUND: Final = 100
_LIMITS: Final = (5, 50)
_LEASE: Final = timedelta(minutes=1)
_CONFIGURATIONS: Final = 1_000
_CHANGED: Final[Mapping[str, str]] = {
    "delivery_id": "gen_random_uuid()",
    "configuration_id": f"'configuration-' || mod(n, {_CONFIGURATIONS})",
    "message_id": "'<' || n || '@bench.example>'",
    # The new ones come last, and all are due.
    "next_attempt_time": "clock_timestamp() - interval '1 hour' + n * interval '1 microsecond'",
    "expire_time": "clock_timestamp() + interval '1 day'",
}


@dataclass
class Queue:
    """A database with so many waiting deliveries, and how long claims took there, by their limit."""

    waiting: int
    dsn: str
    vault: Vault
    took: dict[int, list[float]] = field(default_factory=lambda: {limit: [] for limit in _LIMITS})


async def measure(plan: Plan) -> Section:
    """Measures claims in both queues in turn, so that both have the machine as it is."""
    async with AsyncExitStack() as stack:
        database = stack.enter_context(plan.database())
        queues = [await _filled(database, waiting) for waiting in sorted({_FEW, plan.queued})]
        for turn in range(plan.rounds):
            for queue in queues if turn % 2 == 0 else reversed(queues):
                for limit in _LIMITS:
                    queue.took[limit] += await _claims(queue, limit)
    return Section(
        "Claiming from a long queue",
        f"Milliseconds for a claim without its commit, {_CLAIMS_A_ROUND * plan.rounds} of each kind; what is claimed is"
        f" committed and replaced, so that the queue stays as long. Deliveries of {_CONFIGURATIONS:,} configurations."
        f" Wanted: p99 with {plan.queued:,} waiting below 2 times that with {_FEW:,}.",
        ("waiting", "claimed at once", "p50", "p99", "p99 ÷ few"),
        [
            [
                f"{queue.waiting:,}",
                str(limit),
                *(number(percentile(queue.took[limit], percent) * 1000) for percent in (50, 99)),
                number(percentile(queue.took[limit], 99) / percentile(queues[0].took[limit], 99)),
            ]
            for limit in _LIMITS
            for queue in queues
        ],
    )


async def _filled(database: Database, waiting: int) -> Queue:
    sys.stderr.write(f"filling a queue with {waiting:,} deliveries\n")
    queue = Queue(waiting, database.create(f"queue_{waiting}"), FakeVault())
    await asyncio.to_thread(migrate, queue.dsn)
    pattern = a_delivery(now=datetime.now(UTC))
    async with _units(queue) as unit, unit as work:
        await accept_one(work, pattern)
        await work.commit()
    async with await psycopg.AsyncConnection.connect(queue.dsn, autocommit=True) as connection:
        # Kept apart, and never due: what all others are copied from, whatever columns there are.
        await connection.execute("create table pattern as select * from delivery")
        await connection.execute("delete from delivery")
        await _add(connection, 1, waiting)
        await connection.execute("vacuum analyze delivery")
        await connection.execute("checkpoint")
    return queue


async def _claims(queue: Queue, limit: int) -> list[float]:
    took = []
    async with AsyncExitStack() as stack:
        unit = await stack.enter_async_context(_units(queue))
        connection = await stack.enter_async_context(await psycopg.AsyncConnection.connect(queue.dsn, autocommit=True))
        next_number = queue.waiting * 10
        for _ in range(_CLAIMS_A_ROUND):
            async with unit as work:
                begun = time.perf_counter()
                claims = await work.deliveries.claim(worker="bench", lease=_LEASE, limit=limit)
                took.append(time.perf_counter() - begun)
                await work.commit()
            if len(claims) != limit:
                raise RuntimeError(f"{len(claims)} deliveries were claimed, and {limit} were due")
            await _add(connection, next_number, limit)
            next_number += limit
    return took


async def _add(connection: psycopg.AsyncConnection[tuple[object, ...]], first: int, count: int) -> None:
    columns = await (
        await connection.execute(
            "select column_name from information_schema.columns where table_name = 'delivery'"
            " and is_generated = 'NEVER' order by ordinal_position"
        )
    ).fetchall()
    names = [str(name) for (name,) in columns]
    values: list[Composable] = [SQL(_CHANGED[name]) if name in _CHANGED else Identifier(name) for name in names]
    await connection.execute(
        SQL(
            "insert into delivery ({}) select {} from pattern,"
            " generate_series(%(first)s::bigint, %(last)s::bigint) as n"
        ).format(SQL(", ").join(map(Identifier, names)), SQL(", ").join(values)),
        {"first": first, "last": first + count - 1},
    )


@asynccontextmanager
async def _units(queue: Queue) -> AsyncIterator[PostgresUnitOfWork]:
    async with make_pool(queue.dsn, max_size=1) as pool:
        await pool.open(wait=True)
        yield PostgresUnitOfWork(pool=pool, vault=queue.vault)
