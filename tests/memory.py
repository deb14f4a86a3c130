"""Folders whose files are kept in memory: a database of a test is made there in an eighth of the time."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

_MEMORY: Final = Path("/dev/shm")  # where Linux has memory that is used as files are
_ENOUGH_BYTES: Final = 2 * 1024**3
"""Free, for several servers at once; containers often have 64 MiB there."""
_PREFIX: Final = "mailport-tests-"
_LOCK: Final = "lock"


@contextmanager
def folder_in_memory(*, otherwise: Path) -> Iterator[Path]:
    """Gives an empty folder in memory, gone afterwards; *otherwise* where memory cannot be used so or is scarce."""
    if not _is_enough():
        yield otherwise
        return
    _remove_leftovers()
    parent = _MEMORY / f"{_PREFIX}{uuid4().hex}"
    parent.mkdir()
    parent.chmod(0o711)  # the embedded server runs as nobody where root may not
    with (parent / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield parent / "files"
        finally:
            shutil.rmtree(parent, ignore_errors=True)


def _is_enough() -> bool:
    return os.access(_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_MEMORY).free >= _ENOUGH_BYTES


def _remove_leftovers() -> None:
    """Removes what runs that were killed left: their locks are nobody's."""
    for lock in _MEMORY.glob(f"{_PREFIX}*/{_LOCK}"):
        try:
            with lock.open("w") as found:
                fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # in use, another user's, or just removed by another run
