"""The pool through outages (F46, P28)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from adapters.postgres import embedded
from adapters.postgres.connection import BoundedConnection
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.failures import DatabaseUrlInvalid, translated
from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from domain.delivery import Delivery
from domain.errors import Overloaded, Unavailable
from domain.ports.acceptance import NewDelivery
from tests.builders import a_delivery
from tests.fakes.vault import FakeVault

Pool = AsyncConnectionPool[BoundedConnection]


@asynccontextmanager
async def opened(dsn: str, **options: Any) -> AsyncIterator[Pool]:
    pool = make_pool(dsn, **options)
    await pool.open(wait=True, timeout=10)
    try:
        yield pool
    finally:
        await pool.close()


async def accept(pool: Pool, delivery: Delivery, content: bytes) -> None:
    async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
        await work.deliveries.accept_all([NewDelivery(delivery, content, None)])
        await work.commit()


async def ask(pool: Pool, query: str = "select 1") -> Any:
    async with translated(), pool.connection() as connection:
        row = await (await connection.execute(query.encode())).fetchone()
        return row and row[0]


async def fill(pool: Pool, number: int) -> list[int]:
    """Opens as many connections and returns the ids of their server processes."""
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(pool.connection()) for _ in range(number)]
        return [connection.info.backend_pid for connection in held]


async def first_success(pool: Pool, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            return bool(await ask(pool) == 1)
        except Unavailable:
            await asyncio.sleep(0)
    return False


def is_closed(admin: psycopg.Connection[tuple[Any, ...]], backend: int, within: float = 5) -> bool:
    deadline = time.monotonic() + within
    while admin.execute("select 1 from pg_stat_activity where pid = %s", (backend,)).fetchone():
        if time.monotonic() > deadline:
            return False
    return True


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def fixed_port(monkeypatch: pytest.MonkeyPatch) -> int:
    port = embedded._free_port()
    monkeypatch.setattr(embedded, "_free_port", lambda: port)
    return port


async def test_given_a_pool_when_borrowed_then_sessions_are_in_utc_named_durable_and_bounded(fresh_dsn: str) -> None:
    async with opened(fresh_dsn) as pool, pool.connection() as connection:
        query = """
            select now(), current_setting('timezone'), current_setting('application_name'),
                   current_setting('synchronous_commit'), current_setting('statement_timeout')"""
        row = await (await connection.execute(query)).fetchone()
        autocommit = connection.autocommit

    assert row
    assert row[0].tzinfo is UTC
    assert row[1:] == ("UTC", "mailport", "on", "2s")
    assert autocommit is False


@pytest.mark.parametrize(("weak", "expected"), [("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")])
async def test_given_a_database_with_another_commit_level_when_borrowed_then_never_weaker_than_on(
    fresh_dsn: str, weak: str, expected: str
) -> None:
    dsn = psycopg.conninfo.make_conninfo(fresh_dsn, options=f"-c synchronous_commit={weak}")

    async with opened(dsn) as pool:
        level = await ask(pool, "select current_setting('synchronous_commit')")

    assert level == expected


async def test_given_f46_a_stopped_database_when_asked_then_unavailable_in_time_and_back_without_a_restart(
    tmp_path: Path, fixed_port: int
) -> None:
    server = EmbeddedPostgres(tmp_path)
    dsn = await asyncio.to_thread(server.start)
    async with opened(dsn) as pool:
        await fill(pool, 8)
        await asyncio.to_thread(server.stop)

        took = []
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(Unavailable):
                await ask(pool)
            took.append(time.monotonic() - began)
        together = await asyncio.gather(*(ask(pool) for _ in range(30)), return_exceptions=True)
        await asyncio.to_thread(server.start)
        back = await first_success(pool, within=5)
        everyone = await asyncio.gather(*(ask(pool) for _ in range(30)))
    await asyncio.to_thread(server.stop)

    assert max(took) < 2.5
    assert all(isinstance(answer, Unavailable) for answer in together)
    assert back
    assert everyone == [1] * 30


async def test_given_f46_b_all_backends_killed_when_asked_then_no_caller_notices(
    own_server: str, fresh_dsn: str
) -> None:
    async with opened(fresh_dsn) as pool:
        old = await fill(pool, 10)
        with psycopg.connect(own_server, autocommit=True) as admin:
            admin.execute("select pg_terminate_backend(pid, 5000) from unnest(%s::int[]) pid", (old,))

        answers = [await ask(pool) for _ in range(12)]

    assert answers == [1] * 12


async def test_given_a_backend_ended_inside_a_transaction_when_asked_then_unavailable_and_next_call_works(
    own_server: str, fresh_dsn: str
) -> None:
    async def end_halfway(pool: Pool) -> None:
        async with translated(), pool.connection() as connection:
            await connection.execute("create table half ()")
            with psycopg.connect(own_server, autocommit=True) as admin:
                admin.execute("select pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
            await connection.execute("select 1")

    async with opened(fresh_dsn) as pool:
        with pytest.raises(Unavailable):
            await end_halfway(pool)
        left = await ask(pool, "select to_regclass('half')")

    assert left is None


async def test_given_f46_d_a_database_that_freezes_when_asked_then_unavailable_in_bounded_time(fresh_dsn: str) -> None:
    within = timedelta(milliseconds=300)
    async with opened(fresh_dsn, answer_within=within, timeout=timedelta(seconds=1), max_size=2) as pool:
        pids = await fill(pool, 2)
        with frozen(pids):
            began = time.monotonic()
            answers = await asyncio.gather(ask(pool), ask(pool), return_exceptions=True)
            took = time.monotonic() - began
        back = await first_success(pool, within=5)

    assert took < 1.5
    assert all(answer == 1 or isinstance(answer, Unavailable) for answer in answers)
    assert back


async def test_given_a_backend_that_freezes_inside_a_transaction_when_asked_then_unavailable_in_bounded_time(
    fresh_dsn: str,
) -> None:
    async def freeze_halfway(pool: Pool) -> None:
        async with translated(), pool.connection() as connection:
            with frozen([connection.info.backend_pid]):
                await connection.execute("select 1")

    async with opened(fresh_dsn, answer_within=timedelta(milliseconds=300)) as pool:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            await freeze_halfway(pool)
        took = time.monotonic() - began
        back = await first_success(pool, within=5)

    assert took < 1
    assert back


async def test_given_a_frozen_backend_when_the_caller_is_cancelled_then_it_ends_soon_and_the_pool_is_whole(
    fresh_dsn: str,
) -> None:
    async with opened(fresh_dsn, max_size=1, answer_within=timedelta(milliseconds=500)) as pool:
        (pid,) = await fill(pool, 1)
        with frozen([pid]):
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await ask(pool)
            took = time.monotonic() - began
        back = await first_success(pool, within=5)

    assert took < 1.5
    assert back


async def test_given_a_statement_that_is_too_slow_when_asked_then_overloaded_and_the_connection_is_kept(
    fresh_dsn: str,
) -> None:
    async with opened(fresh_dsn, max_size=1, answer_within=timedelta(milliseconds=300)) as pool:
        before = await fill(pool, 1)
        with pytest.raises(Overloaded):
            await ask(pool, "select pg_sleep(10)")
        after = await fill(pool, 1)

    assert before == after


async def test_given_a_slow_disk_when_a_large_message_is_accepted_then_it_is_waited_for_and_a_small_one_is_not(
    database_url: str,
) -> None:
    """A bound that fits a row would refuse large mail on each busy disk, however often it came."""
    async with await psycopg.AsyncConnection.connect(database_url) as admin:
        await admin.execute(
            """
            create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(1); return new; end';
            create trigger slow before insert on delivery_content for each row execute function slow();
            """
        )

    async with opened(database_url, max_size=1, answer_within=timedelta(milliseconds=500)) as pool:
        large, small = a_delivery(), a_delivery()
        await accept(pool, large, bytes(8 * 1024 * 1024))
        with pytest.raises(Overloaded):
            await accept(pool, small, b"small")
        async with PostgresUnitOfWork(pool=pool, vault=FakeVault()) as work:
            found = [await work.deliveries.find(each.tenant, each.delivery_id) for each in (large, small)]

    assert found == [large, None]


async def test_given_a_database_turned_read_only_when_asked_then_unavailable_until_it_is_back(
    own_server: str, fresh_dsn: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(fresh_dsn)["dbname"]
    alter = psycopg.sql.SQL("alter database {} set default_transaction_read_only = {}")
    identifier = psycopg.sql.Identifier(str(name))

    async def write_when_read_only(pool: Pool, used: list[int]) -> None:
        async with translated(), pool.connection() as connection:
            used.append(connection.info.backend_pid)
            await connection.execute("set transaction read only")
            await connection.execute("create table refused ()")

    spoilt: list[int] = []
    with psycopg.connect(own_server, autocommit=True) as admin:
        async with opened(fresh_dsn, timeout=timedelta(seconds=1)) as pool:
            old = await fill(pool, 3)
            admin.execute(alter.format(identifier, psycopg.sql.SQL("on")))
            with pytest.raises(Unavailable):
                await write_when_read_only(pool, spoilt)
            closed = is_closed(admin, spoilt[0])
            await pool.drain()
            with pytest.raises(Unavailable):
                await ask(pool)
            admin.execute(alter.format(identifier, psycopg.sql.SQL("off")))
            back = await first_success(pool, within=5)

    assert spoilt[0] in old
    assert closed
    assert back


async def test_given_a_session_that_turned_read_only_when_borrowed_then_replaced_unseen(fresh_dsn: str) -> None:
    async with opened(fresh_dsn, max_size=1) as pool:
        before = await fill(pool, 1)
        async with pool.connection() as connection:
            await connection.execute("set default_transaction_read_only = on")
        async with pool.connection() as connection:
            await connection.execute("create table taken ()")
        after = await fill(pool, 1)

    assert before != after


async def test_given_more_callers_than_may_wait_when_asked_then_the_rest_is_told_overloaded(fresh_dsn: str) -> None:
    async with opened(fresh_dsn, max_size=1, max_waiting=2) as pool, pool.connection():
        waiting = [asyncio.create_task(ask(pool)) for _ in range(2)]
        while pool.get_stats()["requests_waiting"] < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)  # the pool offers no event for this

        with pytest.raises(Overloaded):
            await ask(pool)

        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_given_a_queue_of_callers_who_gave_up_when_another_asks_then_it_may_wait(fresh_dsn: str) -> None:
    brief = timedelta(milliseconds=100)
    async with opened(fresh_dsn, max_size=1, max_waiting=2, timeout=brief) as pool, pool.connection():
        for _ in range(4):
            with pytest.raises(Unavailable) as told:
                await ask(pool)

            assert type(told.value) is Unavailable  # not Overloaded: nobody else waits


async def test_given_a_silent_server_when_opened_then_fails_in_bounded_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pool = make_pool(f"host=127.0.0.1 port={silent.getsockname()[1]} user=u password=geheim sslmode=disable")
        began = time.monotonic()

        with pytest.raises(Unavailable) as caught:
            async with translated():
                await pool.open(wait=True, timeout=1)
        took = time.monotonic() - began

    assert took < 5
    assert "geheim" not in str(caught.value)


def test_given_a_dsn_that_cannot_be_read_when_made_then_its_password_is_not_shown() -> None:
    with pytest.raises(DatabaseUrlInvalid) as caught:
        make_pool("postgresql://u:geheim%zz@h/d")

    assert "geheim" not in str(caught.value)
