"""LISTEN through outages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import psycopg
import pytest

from adapters.postgres.failures import DatabaseUrlInvalid
from adapters.postgres.signals import DUE_CHANNEL, PostgresSignals

LONG = timedelta(seconds=8)
SHORT = timedelta(milliseconds=50)


@asynccontextmanager
async def running(dsn: str) -> AsyncIterator[PostgresSignals]:
    signals = PostgresSignals(dsn=dsn)
    task = asyncio.create_task(signals.run())
    try:
        yield signals
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def seconds_until_due(signals: PostgresSignals) -> float:
    began = time.monotonic()
    await signals.work_due(LONG)
    return time.monotonic() - began


def end_listeners(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as admin:
        query = """
            select pg_terminate_backend(pid, 5000) from pg_stat_activity
            where datname = current_database() and application_name = 'mailport signals'"""
        return len(admin.execute(query).fetchall())


async def test_given_a_listener_that_lost_its_connection_when_it_is_back_then_everybody_is_woken_once(
    database_url: str,
) -> None:
    async with running(database_url) as signals, signals.listen("a") as a, signals.listen("b") as b:
        await signals.work_due(LONG)
        at_first = [await a.changed(LONG), await b.changed(LONG)]
        ended = end_listeners(database_url)

        took = await seconds_until_due(signals)
        woken = [await a.changed(LONG), await b.changed(LONG)]
        again = await a.changed(SHORT)

    assert at_first == [True, True]
    assert ended == 1
    assert took < 4
    assert woken == [True, True]
    assert not again


async def test_given_a_listener_that_is_back_when_something_commits_then_it_hears(database_url: str) -> None:
    async with running(database_url) as signals:
        await signals.work_due(LONG)
        end_listeners(database_url)
        await signals.work_due(LONG)

        waiting = asyncio.create_task(seconds_until_due(signals))
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("select pg_notify(%s, '')", (DUE_CHANNEL,))
        took = await waiting

    assert took < 1


async def test_given_no_database_at_first_when_it_comes_then_the_listener_finds_it(
    postgres_server: str, database_url: str
) -> None:
    name = str(psycopg.conninfo.conninfo_to_dict(database_url)["dbname"])
    allow = psycopg.sql.SQL("alter database {} allow_connections {}")
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(allow.format(psycopg.sql.Identifier(name), psycopg.sql.SQL("false")))
        async with running(database_url) as signals:
            await signals.work_due(SHORT)

            admin.execute(allow.format(psycopg.sql.Identifier(name), psycopg.sql.SQL("true")))
            took = await seconds_until_due(signals)

    assert took < 4


async def test_given_nobody_left_when_news_comes_then_nothing_is_kept_of_those_who_listened(database_url: str) -> None:
    async with running(database_url) as signals:
        for number in range(100):
            async with signals.listen(f"d{number}"):
                pass

        kept = len(signals._listeners)

    assert kept == 0


def test_given_a_dsn_that_cannot_be_read_when_made_then_its_password_is_not_shown() -> None:
    with pytest.raises(DatabaseUrlInvalid) as caught:
        PostgresSignals(dsn="postgresql://u:geheim%zz@h/d")

    assert "geheim" not in str(caught.value)
