"""What lies beside the data folder of the embedded server: the lock that makes it one process's, and the log."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Final

from adapters.postgres.binaries import EmbeddedPostgresFailed

_LOG_LIMIT_BYTES: Final = 1_000_000


def lock_folder(home: Path) -> IO[str]:
    """
    Takes the folder for this process, until the returned file is closed or the process ends.

    Raises EmbeddedPostgresFailed, naming the holder, when another has it.
    """
    # Never removed: the kernel frees the lock with its holder, and removing the file would let two hold it.
    file = open(os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600), "r+")  # noqa: SIM115 - held until stop()
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = file.read().strip() or "unknown"
        file.close()
        raise EmbeddedPostgresFailed(
            f"{home} is in use by another mailport (process {holder}).",
            "Stop that one, or give this one a folder of its own with MAILPORT_DATA_DIR.",
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def open_log(home: Path) -> Path:
    """Returns the server's log file, which exists then; a long one is put aside first, in place of the one before."""
    log = home / "pg.log"
    log.touch(mode=0o600)
    if log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_name("pg.log.1"))
        log.touch(mode=0o600)
    return log
