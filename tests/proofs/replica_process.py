"""
Forks a `mailport` for each line that it is given; ``python -m tests.proofs.replica_process``.

It has imported everything, so that a replica costs a fraction of a second; each runs the command line from there on, as
``python -m service`` does. It tells the number of each process that it starts, and of each that ends, with its code.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
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
    signal.signal(signal.SIGUSR1, _tell_tasks)
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


def _tell_tasks(_number: int, _frame: FrameType | None) -> None:
    """Writes to the log what everything waits for: what else would tell why a replica does not go on?"""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
        for frame in _awaited(task.get_coro()):
            sys.stderr.write(f"      in {frame.f_code.co_qualname}, {frame.f_code.co_filename}:{frame.f_lineno}\n")
    sys.stderr.flush()


def _awaited(coroutine: Any) -> Iterator[FrameType]:
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame
        coroutine = coroutine.cr_await


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
