"""Where PostgreSQL's programs are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.postgres import binaries
from adapters.postgres.binaries import EmbeddedPostgresFailed, find_binaries


def programs_in(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (folder / name).touch(mode=0o755)
    return folder


def test_given_a_folder_when_finding_then_it_wins_over_wheels(tmp_path: Path) -> None:
    folder = programs_in(tmp_path / "my own" / "bin")

    assert find_binaries(folder) == folder


def test_given_the_wheel_when_finding_then_it_is_found() -> None:
    found = find_binaries()

    assert (found / "postgres").is_file()


def test_given_no_wheel_when_finding_then_takes_the_one_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = programs_in(tmp_path / "bin")
    monkeypatch.setattr(binaries, "_WHEELS", (("no_such_wheel", "bin"),))
    monkeypatch.setenv("PATH", str(folder))

    assert find_binaries() == folder


def test_given_no_programs_when_finding_then_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_WHEELS", ())
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EmbeddedPostgresFailed) as caught:
        find_binaries()

    assert "MAILPORT_DATABASE_URL" in caught.value.remedy


def test_given_a_folder_without_programs_when_finding_then_names_it(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresFailed) as caught:
        find_binaries(tmp_path)

    assert str(tmp_path) in caught.value.message
