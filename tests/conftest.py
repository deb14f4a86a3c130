"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from typing import Final

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.migrate import migrate
from tests.memory import folder_in_memory

if not os.environ.get("CI"):  # there Hypothesis chooses a profile of its own: no deadline, the same examples each time
    settings.register_profile("busy machine", deadline=None)
    settings.load_profile("busy machine")

pytest_plugins = ["tests.peers.fixtures", "tests.figures", "tests.sharing"]

_NUMBERS = count(1)
_TEMPLATE: Final = "mailport_template"
FASTER: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}
"""Nothing that a test would see; a crash of the machine is not among the tests of this server."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a server for the whole session, as its administrator; do not stop it and do not use its database."""
    with folder_in_memory(otherwise=tmp_path_factory.mktemp("postgres-server")) as folder:
        server = EmbeddedPostgres(folder, settings=FASTER)
        yield server.start()
        server.stop()


@pytest.fixture(scope="session")
def _template(postgres_server: str) -> str:
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(_TEMPLATE)))
    migrate(make_conninfo(postgres_server, dbname=_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database_url(postgres_server: str, _template: str) -> Iterator[str]:
    """The DSN of a fresh database with the newest schema, for one test."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {} strategy file_copy").format(
                sql.Identifier(name), sql.Identifier(_template)
            )
        )
        yield make_conninfo(postgres_server, dbname=name)
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
