"""Processes of the bench: each says as JSON when it is ready, then answers one line with one line."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
_LONGEST_LINE: Final = 64 * 2**20
_READY_SECONDS: Final = 60


class Child:
    """A running process; `ready` is what it said first."""

    def __init__(self, process: asyncio.subprocess.Process, ready: Mapping[str, Any]) -> None:
        self._process = process
        self.ready = ready

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Returns its answer to *question*. Raises RuntimeError when it ended instead; its errors are on stderr."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        await self._process.stdin.drain()
        return await _line_of(self._process)


@asynccontextmanager
async def child(*command: str | Path, **environment: str) -> AsyncIterator[Child]:
    """Starts *command* and waits for its first line; closing its input ends it, and it is killed otherwise."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, cwd=ROOT, limit=_LONGEST_LINE, env=environment or None
    )
    try:
        async with asyncio.timeout(_READY_SECONDS):
            ready = await _line_of(process)
        yield Child(process, ready)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def python(module: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the command that runs *module* of the bench with *arguments*, which it finds as JSON in its own."""
    return (sys.executable, "-m", f"tests.bench.{module}", json.dumps(arguments))


async def _line_of(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"a process of the bench ended with code {await process.wait()}")
    answer: dict[str, Any] = json.loads(line)
    return answer
