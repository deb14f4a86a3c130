"""Processes of mailport that a test starts in a moment, talks to and kills: forks of one that has imported it all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.faults.wiring import Place


class Fork:
    """A process; lines of JSON go both ways."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, exit_code: asyncio.Future[int]
    ) -> None:
        self.pid = pid
        self._reader = reader
        self._writer = writer
        self._exit_code = exit_code

    def tell(self, **words: Any) -> None:
        """Sends a line."""
        self._writer.write(json.dumps(words).encode() + b"\n")

    async def hear(self) -> dict[str, Any] | None:
        """Returns its next line, or None when it has ended."""
        try:
            line = await self._reader.readline()
        except ConnectionResetError:
            return None
        heard: dict[str, Any] | None = json.loads(line) if line else None
        return heard

    async def ended(self) -> int:
        """Returns its exit code once it has ended; negative: the signal that ended it."""
        return await asyncio.shield(self._exit_code)


class Forks:
    """Starts them; see `forks`."""

    def __init__(self, process: asyncio.subprocess.Process, socket: Path) -> None:
        self._process = process
        self._socket = socket
        self._exit_codes: dict[int, asyncio.Future[int]] = {}
        self._writers: list[asyncio.StreamWriter] = []
        self._connected: dict[str, asyncio.Future[Fork]] = {}
        """By the order that each was started with: of those started side by side any may come first."""

    async def start(self, job: str, place: Place, **how: Any) -> Fork:
        """Starts a process that does *job*, one of `tests.faults.worker`."""
        number = str(len(self._connected))
        self._connected[number] = asyncio.get_running_loop().create_future()
        order = {"job": job, "socket": str(self._socket), "folder": place.folder, "database_url": place.database_url}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({**order, "how": how, "order": number}).encode() + b"\n")
        return await self._connected[number]

    async def watch(self) -> None:
        """Hears of each end."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            pid, code = map(int, line.split())
            self._exit_code(pid).set_result(code)

    async def listen(self) -> asyncio.Server:
        """Takes the connections of the new processes."""

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.append(writer)
            first = json.loads(await reader.readline())
            fork = Fork(first["pid"], reader, writer, self._exit_code(first["pid"]))
            self._connected[first["order"]].set_result(fork)

        return await asyncio.start_unix_server(connected, self._socket)

    async def close(self) -> None:
        """Ends every process, and the ways to them."""
        os.killpg(self._process.pid, signal.SIGKILL)  # a session of its own: it and what it has started
        await self._process.wait()
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)

    def _exit_code(self, pid: int) -> asyncio.Future[int]:
        return self._exit_codes.setdefault(pid, asyncio.get_running_loop().create_future())


@asynccontextmanager
async def running_forks() -> AsyncIterator[Forks]:
    """Gives what starts processes; they end with it."""
    with tempfile.TemporaryDirectory(prefix="mailport-forks-") as folder:  # short enough a path for a socket
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.faults.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        forks = Forks(process, Path(folder) / "socket")
        server = await forks.listen()
        watching = asyncio.create_task(forks.watch())
        try:
            yield forks
        finally:
            await forks.close()
            await watching
            server.close()
            await server.wait_closed()
