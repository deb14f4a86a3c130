"""The embedded database and its key ring come into being together, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

import pytest

import service.running
from adapters.postgres.embedded import EmbeddedPostgresFailed
from service.container import StartFailed
from service.examining import examine
from service.options import Options
from service.running import database


class FakeServer:
    """Stands for the embedded server: makes its folder, and then starts or not."""

    def __init__(self, home: Path, *, makes: bool, starts: bool) -> None:
        self.home = home
        self.makes = makes
        self.starts = starts
        self.is_running = False

    def start(self) -> str:
        if self.makes:
            (self.home / "pg" / "base").mkdir(parents=True, exist_ok=True)
        if not self.starts:
            raise EmbeddedPostgresFailed("PostgreSQL did not start.", "Look at its log.")
        self.is_running = True
        return "postgresql://embedded"

    def stop(self) -> None:
        self.is_running = False


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(data_dir=tmp_path / "data")


def installed(monkeypatch: pytest.MonkeyPatch, options: Options, *, makes: bool = True, starts: bool) -> FakeServer:
    fake = FakeServer(options.data_dir, makes=makes, starts=starts)
    monkeypatch.setattr(service.running, "embedded_postgres", lambda _: fake)
    return fake


def test_given_no_database_when_it_starts_then_its_ring_is_there_before_anything_is_stored(
    monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    server = installed(monkeypatch, options, starts=True)

    with database(options) as dsn:
        made = (options.data_dir / "keys.json").exists()

    assert made
    assert dsn == "postgresql://embedded"
    assert not server.is_running
    assert examine(options) == ()


def test_given_a_new_database_when_its_server_does_not_start_then_the_next_start_is_not_refused_for_a_lost_ring(
    monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    installed(monkeypatch, options, starts=False)

    with pytest.raises(StartFailed, match="did not start"), database(options):
        pass

    assert examine(options) == ()


def test_given_no_database_when_none_could_be_made_then_no_ring_is_made_either(
    monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    installed(monkeypatch, options, makes=False, starts=False)

    with pytest.raises(StartFailed, match="did not start"), database(options):
        pass

    assert not options.data_dir.exists()


def test_given_a_database_when_its_ring_is_gone_then_starting_it_makes_no_other(
    monkeypatch: pytest.MonkeyPatch, options: Options
) -> None:
    (options.data_dir / "pg" / "base").mkdir(parents=True)
    installed(monkeypatch, options, starts=True)

    with database(options):
        pass

    assert not (options.data_dir / "keys.json").exists()
