"""`mailport check` tells which workers live on the operator's database; that there are none is no failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from adapters.system.keyfile import KeyFile
from domain.secret import Secret
from service.options import Address, Options
from service.server import check


@pytest.fixture
def options(tmp_path: Path, database_url: str) -> Options:
    keys = tmp_path / "keys.json"
    KeyFile(keys).create(now=datetime.now(UTC))
    return Options(
        data_dir=tmp_path,
        grpc_address=Address("127.0.0.1", 0),
        database_url=Secret(database_url),
        keys_file=keys,
        data_centers=("eu-1", "us-1"),
    )


def told(options: Options, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Returns what is said of workers; nothing fails."""
    assert check(options) == 0
    return [line for line in capsys.readouterr().out.splitlines() if "workers:" in line]


def test_given_no_worker_when_checked_then_a_warning_says_what_that_means(
    options: Options, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = told(options, capsys)

    assert line.startswith("warn  workers: none lives; mail is accepted and waits")


def test_given_workers_at_one_of_two_sites_when_checked_then_they_are_counted_and_the_other_is_named(
    options: Options, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            insert into worker values ('w1', 'eu-1', now() + interval '1 minute'),
                ('w2', 'eu-1', now() + interval '1 minute'), ('w3', 'us-1', now() - interval '1 second')
            """
        )

    lines = told(options, capsys)

    assert lines == ["ok    workers: 2 at eu-1", "warn  workers: none lives at the data center us-1"]


def test_given_a_schema_that_is_behind_when_checked_then_nothing_is_said_of_workers(
    options: Options, capsys: pytest.CaptureFixture[str], fresh_dsn: str
) -> None:
    assert told(replace(options, database_url=Secret(fresh_dsn)), capsys) == []
