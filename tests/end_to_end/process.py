"""mailport as a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc

from mailport.v1 import mail_service_pb2_grpc

_SERVING = re.compile(rb"mailport serves gRPC on (\S+|\(no role api\)), web on (\S+)")
_START = timedelta(seconds=40)


@dataclass
class MailportProcess:
    """A running `mailport serve`."""

    process: asyncio.subprocess.Process
    grpc_address: str
    web_url: str
    stub: mail_service_pb2_grpc.MailServiceAsyncStub

    async def kill(self) -> None:
        """Ends it as a crash does: SIGKILL, nothing is cleaned up."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Ends it as an orchestrator does, and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()


@asynccontextmanager
async def a_process(
    folder: Path, *arguments: str, under: Sequence[str] = (), **environment: str
) -> AsyncIterator[MailportProcess]:
    """
    Starts `mailport serve` on free ports with its data in *folder*; kills what is left of it afterwards.

    *under* are arguments of Python before it, such as those of a profiler's module that runs it.
    """
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *under,
            "-m",
            "service",
            "serve",
            *arguments,
            env=_environment(folder, environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_START.total_seconds()):
            while not (found := _SERVING.search(line := await process.stdout.readline())):
                assert line, "mailport ended before it served"
        grpc_address, web_url = (part.decode() for part in found.groups())
        # A process without the role api prints no address; a channel to nowhere is opened by its first call alone.
        async with grpc.aio.insecure_channel(grpc_address.strip("()").replace(" ", "-")) as channel:
            yield MailportProcess(process, grpc_address, web_url, mail_service_pb2_grpc.MailServiceStub(channel))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _environment(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAILPORT_")}
    return {
        **inherited,
        "MAILPORT_DATA_DIR": str(folder),
        "MAILPORT_GRPC_ADDRESS": "127.0.0.1:0",
        "MAILPORT_WEB_ADDRESS": "127.0.0.1:0",
        "MAILPORT_EGRESS_ALLOW": "127.0.0.0/8",
        **given,
    }
