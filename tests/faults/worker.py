"""
What the processes of the fault tests do; ``python -m tests.faults.worker`` forks one for each line it is given.

It imports everything once, so that a process costs milliseconds; it reports each that ends, with its exit code.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import FrameType
from typing import Any, Final

from domain.errors import MailportError
from domain.grant import Grant
from domain.resource import Resource
from domain.settings.model import OAuthAuthentication
from service.container import Container
from service.running import running
from service.usecases.refresh_grant import Refresh, RefreshGrant
from tests.faults.kill_points import EveryWait
from tests.faults.wiring import Place, ask, source, wired


class _Line:
    """The way to the test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def tell(self, **words: Any) -> None:
        self._writer.write(json.dumps(words).encode() + b"\n")

    async def hear(self) -> dict[str, Any] | None:
        line = await self._reader.readline()
        heard: dict[str, Any] | None = json.loads(line) if line else None
        return heard

    async def flush(self) -> None:
        await self._writer.drain()


async def _race(place: Place, line: _Line, *, callers: int) -> None:
    """Asks for a configuration's token from several callers at once, each time it is told to."""
    async with wired(place) as parts:
        sources: dict[str, Any] = {}
        line.tell(ready=True)
        while (order := await line.hear()) is not None:
            name = order["configuration_id"]
            if name not in sources:
                sources[name] = await source(parts, name)
            line.tell(answers=await asyncio.gather(*(_timed(sources[name]) for _ in range(callers))))


async def _timed(tokens: Any) -> tuple[str, float]:
    begin = time.perf_counter()
    try:
        token = (await tokens.token(rejected=None)).reveal()
    except MailportError as error:
        token = f"{error.reason}: {error}"
    return token, time.perf_counter() - begin


async def _doomed(place: Place, line: _Line, *, configuration_id: str, kill_at: int, lease: float) -> None:
    """Asks for a token, and kills itself at point *kill_at* of the refresh; 0: never, and tells how many there are."""
    points = 0

    def reached(point: int) -> None:
        nonlocal points
        points = point
        if point == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    async with wired(place) as parts:
        parts.refresh_grant.add_kwargs(lease=timedelta(seconds=lease))
        _each_refresh(parts, reached)
        token = await ask(parts, configuration_id)
        line.tell(token=token, points=points)
        await line.flush()


def _each_refresh(parts: Container, reached: Callable[[int], None]) -> None:
    refresh: RefreshGrant = parts.refresh_grant()

    async def watched(
        grant: Grant, client: OAuthAuthentication, resource: Resource, *, is_trial: bool = False
    ) -> Refresh:
        return await EveryWait(refresh(grant, client, resource, is_trial=is_trial), reached)

    parts.refresh_grant.override(watched)


async def _serving(place: Place, line: _Line, *, configuration_id: str) -> None:
    """Runs as `mailport serve` does, with a caller that asks for a token, until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with running(place.options()) as service:
        assert service.parts is not None
        asking = asyncio.create_task(ask(service.parts, configuration_id))
        await stop.wait()
        asking.cancel()  # as a call or a delivery that ends with the process
        line.tell(stopping=True)
        await line.flush()


_JOBS: Final[dict[str, Callable[..., Awaitable[None]]]] = {"race": _race, "doomed": _doomed, "serving": _serving}


async def _work(order: dict[str, Any]) -> None:
    reader, writer = await asyncio.open_unix_connection(order["socket"])
    line = _Line(reader, writer)
    line.tell(pid=os.getpid(), order=order["order"])
    await _JOBS[order["job"]](Place(order["folder"], order["database_url"]), line, **order["how"])
    writer.close()


def _child(order: dict[str, Any]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(2, 1)  # who starts processes reads that pipe to its end
    code = 1
    try:
        asyncio.run(_work(order))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _reap(_number: int, _frame: FrameType | None) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        os.write(1, f"{pid} {os.waitstatus_to_exitcode(status)}\n".encode())


def _fork_for_each_line() -> None:
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        if os.fork() == 0:
            _child(json.loads(line))


if __name__ == "__main__":
    _fork_for_each_line()
