"""Migrations on a real server."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import adapters
from adapters.postgres.failures import DatabaseUrlInvalid
from adapters.postgres.migrate import Migrated, MigrationBlocked, MigrationEdited, MigrationFailed, migrate, pending
from domain.errors import Unavailable

ROOT = Path(adapters.__file__).parents[1]
FIRST = """
create table parcel (id int primary key);
create function twice(n int) returns int language plpgsql as $$ begin return n * 2; end; $$;
insert into parcel select twice(n) from generate_series(1, 3) n;
"""
SECOND = "alter table parcel add column note text;"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_initial.sql").write_text(FIRST)
    (tmp_path / "0002_note.sql").write_text(SECOND)
    return tmp_path


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_given_an_empty_database_when_migrated_then_all_is_applied_in_order_and_once(
    fresh_dsn: str, folder: Path
) -> None:
    first = migrate(fresh_dsn, folder=folder)
    second = migrate(fresh_dsn, folder=folder)

    assert first == Migrated(("0001_initial.sql", "0002_note.sql"), ())
    assert second == Migrated((), ())
    assert rows(fresh_dsn, "select id, note from parcel order by id") == [(2, None), (4, None), (6, None)]


def test_given_files_when_asked_what_is_pending_then_tells_and_changes_nothing(fresh_dsn: str, folder: Path) -> None:
    before = pending(fresh_dsn, folder=folder)
    untouched = rows(fresh_dsn, "select count(*) from pg_tables where schemaname = 'public'")
    (folder / "0002_note.sql").rename(folder / "later")
    migrate(fresh_dsn, folder=folder)
    (folder / "later").rename(folder / "0002_note.sql")
    between = pending(fresh_dsn, folder=folder)

    assert before == ("0001_initial.sql", "0002_note.sql")
    assert untouched == [(0,)]
    assert between == ("0002_note.sql",)


def test_given_two_processes_when_they_migrate_at_once_then_one_applies(fresh_dsn: str, folder: Path) -> None:
    (folder / "0003_slow.sql").write_text("select pg_sleep(0.5); create table slow ();")
    script = (
        "import pathlib, sys; from adapters.postgres.migrate import migrate;"
        "print(len(migrate(sys.argv[1], folder=pathlib.Path(sys.argv[2])).applied))"
    )
    command = [sys.executable, "-c", script, fresh_dsn, str(folder)]

    both = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)

    assert said == ["0", "3"]
    assert rows(fresh_dsn, "select count(*) from schema_migration") == [(3,)]


def test_given_an_applied_file_that_was_edited_when_migrated_then_refused_by_name(fresh_dsn: str, folder: Path) -> None:
    migrate(fresh_dsn, folder=folder)
    (folder / "0001_initial.sql").write_text(FIRST + "-- a harmless remark")
    (folder / "0003_more.sql").write_text("create table more ();")

    with pytest.raises(MigrationEdited, match=r"0001_initial\.sql"):
        migrate(fresh_dsn, folder=folder)
    with pytest.raises(MigrationEdited, match=r"0001_initial\.sql"):
        pending(fresh_dsn, folder=folder)

    assert rows(fresh_dsn, "select to_regclass('more')") == [(None,)]


def test_given_line_ends_of_another_system_when_migrated_then_the_file_counts_as_the_same(
    fresh_dsn: str, folder: Path
) -> None:
    migrate(fresh_dsn, folder=folder)
    (folder / "0001_initial.sql").write_bytes(FIRST.replace("\n", "\r\n").encode())

    assert migrate(fresh_dsn, folder=folder).applied == ()


def test_given_a_failing_file_when_migrated_then_earlier_ones_stand_and_nothing_of_it_does(
    fresh_dsn: str, folder: Path
) -> None:
    (folder / "0003_broken.sql").write_text("create table half (); insert into parcel (id) values (2);")

    with pytest.raises(MigrationFailed, match=r"0003_broken\.sql.*SQLSTATE 23505"):
        migrate(fresh_dsn, folder=folder)

    assert rows(fresh_dsn, "select to_regclass('half'), count(*) from schema_migration") == [(None, 2)]
    (folder / "0003_broken.sql").write_text("create table whole ();")
    assert migrate(fresh_dsn, folder=folder).applied == ("0003_broken.sql",)


def test_given_a_database_newer_than_the_program_when_migrated_then_tolerated_and_told(
    fresh_dsn: str, folder: Path
) -> None:
    migrate(fresh_dsn, folder=folder)
    (folder / "0002_note.sql").unlink()

    migrated, left = migrate(fresh_dsn, folder=folder), pending(fresh_dsn, folder=folder)

    assert migrated == Migrated((), ("0002_note.sql",))
    assert left == ()


def test_given_a_role_that_may_not_create_when_nothing_is_pending_then_it_passes(fresh_dsn: str, folder: Path) -> None:
    migrate(fresh_dsn, folder=folder)
    with psycopg.connect(fresh_dsn) as connection:
        connection.execute("drop role if exists reader")
        connection.execute("create role reader login password 'reader'")
        connection.execute("grant select on schema_migration to reader")
    reader = make_conninfo(fresh_dsn, user="reader", password="reader")

    try:
        migrated = migrate(reader, folder=folder)
    finally:
        with psycopg.connect(fresh_dsn) as connection:
            connection.execute("drop owned by reader")
            connection.execute("drop role reader")

    assert migrated.applied == ()


def test_given_a_table_in_use_when_migrated_then_waits_for_it_without_blocking_its_readers(
    fresh_dsn: str, folder: Path
) -> None:
    (folder / "0002_note.sql").rename(folder / "later")
    migrate(fresh_dsn, folder=folder)
    (folder / "later").rename(folder / "0002_note.sql")
    done: list[Migrated] = []
    with psycopg.connect(fresh_dsn) as user, psycopg.connect(fresh_dsn, autocommit=True) as other:
        user.execute("select id from parcel")
        worker = threading.Thread(target=lambda: done.append(migrate(fresh_dsn, folder=folder)))
        worker.start()
        while not other.execute("select 1 from pg_locks where not granted").fetchone():
            pass

        other.execute("set statement_timeout = '4s'")
        seen = other.execute("select count(*) from parcel").fetchone()
        user.commit()
        worker.join(30)

    assert seen == (3,)
    assert done == [Migrated(("0002_note.sql",), ())]


def test_given_a_table_in_use_for_long_when_migrated_then_gives_up_with_nothing_applied(
    fresh_dsn: str, folder: Path
) -> None:
    (folder / "0002_note.sql").rename(folder / "later")
    migrate(fresh_dsn, folder=folder)
    (folder / "later").rename(folder / "0002_note.sql")

    with psycopg.connect(fresh_dsn) as user:
        user.execute("select id from parcel")
        with pytest.raises(MigrationBlocked, match=r"0002_note\.sql"):
            migrate(fresh_dsn, folder=folder, patience=timedelta(seconds=0.5))

    assert pending(fresh_dsn, folder=folder) == ("0002_note.sql",)


def test_given_another_that_never_ends_when_migrated_then_gives_up(fresh_dsn: str, folder: Path) -> None:
    with psycopg.connect(fresh_dsn, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", (0x6D61696C,))

        with pytest.raises(MigrationBlocked, match="another process"):
            migrate(fresh_dsn, folder=folder, patience=timedelta(seconds=0.3))


@pytest.mark.parametrize("name", ["initial.sql", "0001_again.sql", "12_short.sql", "0002-dash.sql"])
def test_given_a_badly_named_file_when_migrated_then_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "0001_a.sql").write_text("select 1")
    (tmp_path / name).write_text("select 1")

    with pytest.raises(MigrationFailed, match=name):
        migrate("host=127.0.0.1 port=1", folder=tmp_path)


def test_given_an_empty_folder_when_migrated_then_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationFailed, match="no migrations"):
        pending("host=127.0.0.1 port=1", folder=tmp_path)


def test_given_a_database_that_is_away_when_migrated_then_unavailable(folder: Path) -> None:
    with pytest.raises(Unavailable):
        migrate("host=127.0.0.1 port=1 password=geheim", folder=folder)


def test_given_a_dsn_that_cannot_be_read_when_migrated_then_its_password_is_not_shown(folder: Path) -> None:
    with pytest.raises(DatabaseUrlInvalid) as caught:
        migrate("postgresql://u:geheim%zz@h/d", folder=folder)

    assert "geheim" not in str(caught.value)
