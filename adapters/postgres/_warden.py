"""
Runs postgres as a child and stops it when our stdin closes: when mailport is gone, for whatever reason.

Arguments: user id, group id (both empty: stay who we are), then the command. Run as a file of its own with
``python -I``, so it imports nothing but the standard library.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import Any

PATIENCE_SECONDS = 60
"""A fast shutdown writes a checkpoint, which a slow disk may draw out; after this, the next start recovers instead."""


def main(uid: str, gid: str, *argv: str) -> int:
    """Runs the command until it ends by itself, our stdin closes or SIGTERM arrives; returns its exit code."""
    told_to_stop = threading.Event()
    # In place before there is a child: a signal in between would leave it alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: told_to_stop.set())
    drop: dict[str, Any] = {"user": int(uid), "group": int(gid), "extra_groups": []} if uid else {}
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **drop)
    threading.Thread(target=_watch_stdin, args=(told_to_stop,), daemon=True).start()
    threading.Thread(target=_stop, args=(told_to_stop, child), daemon=True).start()
    return child.wait()


def _watch_stdin(told_to_stop: threading.Event) -> None:
    while os.read(0, 1024):
        pass
    told_to_stop.set()


def _stop(told_to_stop: threading.Event, child: subprocess.Popen[bytes]) -> None:
    told_to_stop.wait()
    child.send_signal(signal.SIGINT)  # fast shutdown
    try:
        child.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGQUIT)  # immediate shutdown


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
