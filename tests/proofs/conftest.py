"""Real replicas, a real database and a mail server of our own, each a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrate import migrate
from tests.proofs.replicas import Replicas
from tests.proofs.replicas import replicas as started_replicas
from tests.proofs.sink import Sink, a_sink

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def durable_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a server as mailport starts it itself, every commit on the disk; do not stop it."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("durable-server"))
    yield server.start()
    server.stop()


@pytest.fixture
def durable_url(durable_server: str) -> Iterator[str]:
    """The DSN of a fresh database in it, with the newest schema."""
    name = f"proof_{next(_NUMBERS)}"
    with psycopg.connect(durable_server, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        url = make_conninfo(durable_server, dbname=name)
        migrate(url)
        yield url
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
async def replicas(tmp_path: Path, durable_url: str) -> AsyncIterator[Replicas]:
    """What makes replicas, all on that database; their logs are in the test's folder."""
    async with started_replicas(tmp_path, durable_url) as made:
        yield made


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A mail server that takes everything until its script says otherwise."""
    async with a_sink() as running:
        yield running
