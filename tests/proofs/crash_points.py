"""Kills a process exactly before its n-th system call that sends something, by strace."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

PROGRAM: Final = shutil.which("strace")
_ATTACHED: Final = b"attached"
_ATTACH_SECONDS: Final = 30


def missing() -> str | None:
    """Returns why nothing can be killed so here, or None."""
    return None if PROGRAM else "strace is not installed (Debian: strace)"


@asynccontextmanager
async def killed_at(pid: int, call: str, number: int) -> AsyncIterator[None]:
    """
    Kills *pid* when one of its threads is about to make its *number*-th call of *call*, counted from entering on.

    The call is not made any more. Leaving lets it go on, if it lives.
    """
    assert PROGRAM is not None
    inject = f"inject={call}:signal=SIGKILL:when={number}"
    process = await asyncio.create_subprocess_exec(
        *(PROGRAM, "--follow-forks", "--output=/dev/null", f"--trace={call}", "-e", inject, "--attach", str(pid)),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(_ATTACH_SECONDS):
            line = await process.stderr.readline()
        assert _ATTACHED in line, f"strace cannot attach: {line.decode()}"
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
