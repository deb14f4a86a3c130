"""The key file: who may read it, and who wins when two make it."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest

from adapters.system.keyfile import KeyFile
from adapters.system.keyring import KeyRing, KeyRingUnusable

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


def test_given_no_file_when_created_then_only_the_owner_can_read_it_and_nothing_else_is_left(key_file: KeyFile) -> None:
    former = os.umask(0)
    try:
        created = key_file.create(now=NOW)
    finally:
        os.umask(former)

    assert stat.S_IMODE(key_file.path.stat().st_mode) == 0o600
    assert key_file.load().keys == created.keys
    assert list(key_file.path.parent.iterdir()) == [key_file.path]


def test_given_a_file_when_created_again_then_refused_and_unchanged(key_file: KeyFile) -> None:
    key_file.create(now=NOW)
    before = key_file.path.read_bytes()

    with pytest.raises(KeyRingUnusable, match="exists already"):
        key_file.create(now=NOW)

    assert key_file.path.read_bytes() == before
    assert list(key_file.path.parent.iterdir()) == [key_file.path]


def test_given_no_file_when_loaded_then_the_complaint_names_it_and_none_is_made(key_file: KeyFile) -> None:
    with pytest.raises(KeyRingUnusable, match=r"keys\.json does not exist.*MAILPORT_KEYS_FILE"):
        key_file.load()

    assert not key_file.path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_given_a_file_open_to_others_when_loaded_then_refused_with_the_command_to_run(
    key_file: KeyFile, mode: int
) -> None:
    key_file.create(now=NOW)
    key_file.path.chmod(mode)

    with pytest.raises(KeyRingUnusable, match=rf"mode 0{mode:o}.*chmod 600 "):
        key_file.load()


def test_given_a_read_only_file_when_loaded_then_it_is_read(key_file: KeyFile) -> None:
    created = key_file.create(now=NOW)
    key_file.path.chmod(0o400)

    assert key_file.load().keys == created.keys


def test_given_a_fifo_when_loaded_then_refused_at_once(key_file: KeyFile) -> None:
    os.mkfifo(key_file.path, 0o600)

    with pytest.raises(KeyRingUnusable, match="not a regular file"):
        key_file.load()


@pytest.mark.parametrize("text", [b"{}", b" " * 1_100_000], ids=["no ring", "too large"])
def test_given_another_file_when_loaded_then_the_complaint_names_the_path(key_file: KeyFile, text: bytes) -> None:
    key_file.path.write_bytes(text)
    key_file.path.chmod(0o600)

    with pytest.raises(KeyRingUnusable, match=r"keys\.json is"):
        key_file.load()


def test_given_no_folder_when_created_or_changed_then_refused(tmp_path: Path) -> None:
    key_file = KeyFile(tmp_path / "missing" / "keys.json")

    with pytest.raises(KeyRingUnusable, match="cannot be written"):
        key_file.create(now=NOW)
    with pytest.raises(KeyRingUnusable, match="missing cannot be read"):
        key_file.promote(1)


def test_given_processes_that_start_together_when_each_makes_the_file_then_all_have_one_ring(key_file: KeyFile) -> None:
    barrier = Barrier(8)

    def start(_: int) -> KeyRing:
        barrier.wait()
        return KeyFile(key_file.path).load_or_create(now=NOW)

    with ThreadPoolExecutor(8) as threads:
        rings = list(threads.map(start, range(8)))

    assert {ring.digest_key for ring in rings} == {key_file.load().digest_key}


def test_given_keys_added_at_once_when_all_are_done_then_none_is_lost(key_file: KeyFile) -> None:
    key_file.create(now=NOW)
    barrier = Barrier(6)

    def add(_: int) -> KeyRing:
        barrier.wait()
        return KeyFile(key_file.path).add_key(now=NOW, promote=False)

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(add, range(6)))

    ring = key_file.load()
    assert [key.number for key in ring.keys] == [1, 2, 3, 4, 5, 6, 7]
    assert ring.primary == 1


def test_given_an_added_key_when_promoted_then_the_file_says_so_and_stays_private(key_file: KeyFile) -> None:
    key_file.create(now=NOW)
    key_file.add_key(now=NOW, promote=False)

    key_file.promote(2)

    assert key_file.load().primary == 2
    assert stat.S_IMODE(key_file.path.stat().st_mode) == 0o600
    assert list(key_file.path.parent.iterdir()) == [key_file.path]


def test_given_no_such_key_when_promoted_then_refused_and_unchanged(key_file: KeyFile) -> None:
    key_file.create(now=NOW)
    before = key_file.path.read_bytes()

    with pytest.raises(KeyRingUnusable, match="number 2"):
        key_file.promote(2)

    assert key_file.path.read_bytes() == before
