"""Replicas: real processes of mailport on one database, to be killed, frozen and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
from psycopg.conninfo import make_conninfo

from adapters.system.keyfile import KeyFile
from mailport.v1 import mail_service_pb2_grpc
from tests.peers.net import free_port

_SERVING: Final = b"mailport serves gRPC on "
_START_SECONDS: Final = 60
_LOOK_EVERY_SECONDS: Final = 0.01
_CHANNEL: Final = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 100),  # a replica that was killed is back in a moment
    ("grpc.use_local_subchannel_pool", 1),
)


class Replica:
    """One of them; it keeps its address over restarts, and so does the channel to it."""

    def __init__(self, replicas: Replicas, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log: Final = replicas.folder / f"{name}.log"
        """All that each of its processes said, one behind the other."""
        self.grpc_address: Final = environment["MAILPORT_GRPC_ADDRESS"]
        self.pid = 0
        self.is_serving = False
        """From when it said so to when it was told to end."""
        self._replicas = replicas
        self._environment = environment
        self._channel = grpc.aio.insecure_channel(self.grpc_address, options=_CHANNEL)
        self.stub = mail_service_pb2_grpc.MailServiceStub(self._channel)

    @property
    def worker(self) -> str:
        """What its present process calls itself in the database."""
        return f"{socket.gethostname()}/{self.pid}"

    @property
    def is_running(self) -> bool:
        return self.pid != 0 and not self._replicas.end_of(self.pid).done()

    async def start(self) -> None:
        """Starts it; returns once it serves. Raises AssertionError with its last words if it ends instead."""
        assert not self.is_running
        begin = self.log.stat().st_size if self.log.exists() else 0
        self.pid = await self._replicas.fork(self._environment, self.log)
        end = self._replicas.end_of(self.pid)
        async with asyncio.timeout(_START_SECONDS):
            while _SERVING not in (said := self._said(begin)):
                assert not end.done(), f"{self.name} ended with {end.result()}: {said[-2000:].decode()}"
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        self.is_serving = True

    async def kill(self) -> str:
        """Ends it as a crash does (SIGKILL), and returns what it was called in the database."""
        worker, self.is_serving = self.worker, False
        with suppress(ProcessLookupError):  # something else was faster, and the news of it is on its way
            os.kill(self.pid, signal.SIGKILL)
        await self.ended()
        return worker

    async def stop(self) -> int:
        """Ends it as an orchestrator does (SIGTERM), and returns the exit code."""
        self.is_serving = False
        os.kill(self.pid, signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Returns its exit code once it has ended; negative: the signal that ended it."""
        return await asyncio.shield(self._replicas.end_of(self.pid))

    async def freeze(self) -> None:
        """Stops its clock (SIGSTOP); returns when it stands."""
        os.kill(self.pid, signal.SIGSTOP)
        await asyncio.to_thread(_until_all_threads_stand, self.pid)

    def thaw(self) -> None:
        """Lets it go on as if no time had passed (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def tell_tasks(self) -> None:
        """Makes it write to its log what each of its tasks waits for."""
        os.kill(self.pid, signal.SIGUSR1)

    async def close(self) -> None:
        await self._channel.close()

    def _said(self, begin: int) -> bytes:
        return self.log.read_bytes()[begin:] if self.log.exists() else b""


class Replicas:
    """Makes them; see `replicas`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, database_url: str) -> None:
        self.folder = folder
        self.database_url = database_url
        self._process = process
        self._ends: dict[int, asyncio.Future[int]] = {}
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._forking = asyncio.Lock()
        self._made: list[Replica] = []

    def make(self, name: str, **environment: str) -> Replica:
        """Returns a replica that does not run yet; *environment* such as ``MAILPORT_ROLES="worker"`` is its own."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAILPORT_")}
        made = Replica(
            self,
            name,
            {
                **inherited,
                "MAILPORT_DATA_DIR": str(self.folder / name),
                "MAILPORT_DATABASE_URL": make_conninfo(self.database_url, application_name=name),
                "MAILPORT_KEYS_FILE": str(self.folder / "keys.json"),
                "MAILPORT_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
                "MAILPORT_WEB_ADDRESS": "127.0.0.1:0",
                "MAILPORT_EGRESS_ALLOW": "127.0.0.0/8",
                **environment,
            },
        )
        self._made.append(made)
        return made

    async def start(self, name: str, **environment: str) -> Replica:
        """Makes a replica and starts it."""
        made = self.make(name, **environment)
        await made.start()
        return made

    async def fork(self, environment: Mapping[str, str], log: Path) -> int:
        """Starts a process and returns its id; for `Replica`."""
        assert self._process.stdin is not None
        order = {"arguments": ["serve"], "environment": dict(environment), "log": str(log)}
        async with self._forking:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._started.get()

    def end_of(self, pid: int) -> asyncio.Future[int]:
        """Returns what will be the exit code of *pid*."""
        return self._ends.setdefault(pid, asyncio.get_running_loop().create_future())

    async def watch(self) -> None:
        """Hears of each beginning and end."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "started" in said:
                self._ends[said["started"]] = asyncio.get_running_loop().create_future()
                self._started.put_nowait(said["started"])
            else:
                self._ends[said["ended"]].set_result(said["code"])

    async def close(self) -> None:
        """Ends all of them."""
        os.killpg(self._process.pid, signal.SIGKILL)  # a session of its own: it and what it has started
        await self._process.wait()
        for made in self._made:
            await made.close()


def _until_all_threads_stand(pid: int) -> None:
    while not all(b"\nState:\tT" in thread.read_bytes() for thread in Path(f"/proc/{pid}/task").glob("*/status")):
        time.sleep(0.001)


@asynccontextmanager
async def replicas(folder: Path, database_url: str) -> AsyncIterator[Replicas]:
    """Gives what makes replicas on *database_url*, with new keys and their logs in *folder*; they end with it."""
    KeyFile(folder / "keys.json").create(now=datetime.now(UTC))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.proofs.replica_process", stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    made = Replicas(process, folder, database_url)
    watching = asyncio.create_task(made.watch())
    try:
        yield made
    finally:
        await made.close()
        await watching
