"""The running server of a data folder, as ``postmaster.pid`` tells it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.postgres.binaries import EmbeddedPostgresFailed

_FAST: Final = timedelta(seconds=30)
_IMMEDIATE: Final = timedelta(seconds=10)
_PAUSE_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a server wrote about itself; fields it has not written yet are zero and False."""

    pid: int
    port: int
    is_ready: bool


def read_postmaster(data: Path) -> Postmaster | None:
    """Returns what the data folder's ``postmaster.pid`` says, which may be stale; None when there is none."""
    try:
        lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
        pid = int(lines[0])
        port = int(lines[3]) if len(lines) > 3 else 0
    except (FileNotFoundError, ValueError, IndexError):
        return None
    return Postmaster(pid, port, len(lines) > 7 and lines[7].strip() == "ready")


def end_orphan(data: Path) -> None:
    """
    Ends a server that still runs on the data folder; only for the holder of the folder's lock.

    Such a server is left by a warden that was killed, or is still shutting down after mailport was. A pid that now
    belongs to another program is taken out of the way, since postgres would refuse to start for it.
    Raises EmbeddedPostgresFailed when the server does not end.
    """
    if not (found := read_postmaster(data)):
        return
    if not _is_postgres_of(data, found.pid):
        (data / "postmaster.pid").unlink(missing_ok=True)
        return
    for how, patience in ((signal.SIGINT, _FAST), (signal.SIGQUIT, _IMMEDIATE)):
        try:
            os.kill(found.pid, how)
        except ProcessLookupError:
            return
        if _ends(data, found.pid, patience):
            return
    raise EmbeddedPostgresFailed(
        f"A PostgreSQL server (process {found.pid}) still runs on {data} and does not stop.",
        "End that process, then start mailport again.",
    )


def _ends(data: Path, pid: int, patience: timedelta) -> bool:
    deadline = time.monotonic() + patience.total_seconds()
    while _is_postgres_of(data, pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True


def _is_postgres_of(data: Path, pid: int) -> bool:
    return os.fsencode(data) in _command_line(pid)


def _command_line(pid: int) -> list[bytes]:
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            return []
    # Elsewhere (macOS) the arguments come as one line; a folder with spaces in its name goes unseen there.
    shown = subprocess.run(["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return shown.stdout.split()
