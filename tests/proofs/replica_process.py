"""
Forks a `mailport` for each line that it is given; ``python -m tests.proofs.replica_process``.

It has imported everything, so that a replica costs a fraction of a second; each runs the command line from there on, as
``python -m service`` does. It tells the number of each process that it starts, and of each that ends, with its code.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, Final

import service.running
import service.server  # noqa: F401 - what the command line imports when it is needed
from service.cli import main

_DIE_WITH_PARENT: Final = 1


def _child(arguments: Sequence[str], environment: dict[str, str], log: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)  # what outlived the tests would go on delivering
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["mailport", *arguments]
    code = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _reap(_number: int, _frame: FrameType | None) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(ended=pid, code=os.waitstatus_to_exitcode(status))


def _tell(**words: Any) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def _fork_for_each_line() -> None:
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        order = json.loads(line)
        # Its end is not told before its beginning.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        pid = os.fork()
        if pid:
            _tell(started=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        if pid == 0:
            _child(order["arguments"], order["environment"], order["log"])


if __name__ == "__main__":
    _fork_for_each_line()
