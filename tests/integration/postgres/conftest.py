"""A server and fresh databases for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from adapters.postgres.embedded import EmbeddedPostgres
from tests.memory import folder_in_memory

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a server that trades durability for speed."""
    with folder_in_memory(otherwise=tmp_path_factory.mktemp("postgres")) as folder:
        server = EmbeddedPostgres(folder, settings={"fsync": "off", "full_page_writes": "off"})
        yield server.start()
        server.stop()


@pytest.fixture
def fresh_dsn(own_server: str) -> str:
    """The DSN of an empty database."""
    name = f"fresh_{next(_NUMBERS)}"
    with psycopg.connect(own_server, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("create database {}").format(psycopg.sql.Identifier(name)))
    return make_conninfo(own_server, dbname=name)
