"""Where mail ends: servers that take it and count it, each a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from tests.bench.child import Child, child, python
from tests.peers.ca import Issued
from tests.peers.net import free_port, wait_port

PROGRAM: Final = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
_COUNTER: Final = re.compile(rb"mesg=(\d+)\r")
_LOOK_EVERY_SECONDS: Final = 0.002
_MOST_CONNECTIONS: Final = 4000


class Lost(Exception):
    """Not all that was sent has arrived."""


class Sink(Protocol):
    """A server that counts what it took."""

    @property
    def port(self) -> int: ...

    async def count(self) -> int:
        """Returns how many messages it took since it was started."""
        ...


async def arrival(sink: Sink, count: int, *, within_seconds: float) -> float:
    """
    Returns when message number *count* had arrived (`time.monotonic`, exact to some milliseconds).

    Raises Lost when it does not.
    """
    end = time.monotonic() + within_seconds
    while (there := await sink.count()) < count:
        if time.monotonic() > end:
            raise Lost(f"{there} of {count} messages arrived within {within_seconds:.0f} s")
        await asyncio.sleep(_LOOK_EVERY_SECONDS)
    return time.monotonic()


class SmtpSink:
    """Postfix's smtp-sink: written in C, so that it is nobody's bottleneck."""

    def __init__(self, port: int, counters: int) -> None:
        self.port = port
        self._counters = counters
        self._unread = b""
        self._count = 0

    @staticmethod
    def missing() -> str | None:
        """Returns why it cannot run here, or None if it can."""
        return None if PROGRAM else "smtp-sink is not installed (Debian: postfix)"

    async def count(self) -> int:
        """See `Sink`."""
        while (found := self._read()) == 64 * 1024:
            pass
        if found and (counts := _COUNTER.findall(self._unread)):
            self._count = int(counts[-1])
            self._unread = self._unread[self._unread.rfind(b"\r") + 1 :]
        return self._count

    def _read(self) -> int:
        try:
            said = os.read(self._counters, 64 * 1024)
        except BlockingIOError:
            return 0
        self._unread += said
        return len(said)


@asynccontextmanager
async def smtp_sink() -> AsyncIterator[SmtpSink]:
    """Starts an smtp-sink on a free port."""
    assert PROGRAM is not None
    port = free_port()
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    # Run as root it asks for whom to become.
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "-c", "-m", str(_MOST_CONNECTIONS), *user, f"127.0.0.1:{port}", "1000", stdin=DEVNULL, stdout=theirs
    )
    os.close(theirs)
    try:
        await asyncio.to_thread(wait_port, port)
        yield SmtpSink(port, ours)
    finally:
        process.terminate()
        await process.wait()
        os.close(ours)


class TimedSink:
    """A sink of ours: STARTTLS and XOAUTH2 where wanted, and it knows when each message arrived."""

    def __init__(self, process: Child) -> None:
        self._process = process
        self.port: int = process.ready["port"]

    async def count(self) -> int:
        """See `Sink`."""
        return int((await self._process.ask({}))["count"])

    async def arrivals(self) -> dict[str, float]:
        """Returns when each message was accepted (Unix time, seconds), by Message-ID, and forgets it."""
        arrived: dict[str, Any] = (await self._process.ask({"arrivals": True}))["arrivals"]
        return {message_id: float(at) for message_id, at in arrived.items()}


@asynccontextmanager
async def timed_sink(issued: Issued | None = None) -> AsyncIterator[TimedSink]:
    """Starts one on a free port; with *issued* it takes mail after STARTTLS and XOAUTH2 alone."""
    files = None if issued is None else [_text(issued.certificate), _text(issued.key)]
    async with child(*python("timed_sink", {"tls": files})) as process:
        yield TimedSink(process)


def _text(path: Path) -> str:
    return str(path)
