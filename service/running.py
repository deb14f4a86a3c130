"""A whole mailport on one event loop: started in order, drained in order."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp

from domain.errors import Unavailable
from service.container import (
    Container,
    StartFailed,
    bring_up_to_date,
    container,
    egress_policy,
    embedded_postgres,
    examine_keys,
    explained,
    given_dsn,
    has_embedded_database,
    load_keys,
    make_keys,
    makes_keys,
)
from service.logs import DRAINING, PART_FAILED, SERVING, STOPPED
from service.options import Address, Options, ProcessRole
from service.sandbox.pages import MOUNT_PATH
from service.sandbox.sandbox import Sandbox
from service.web.app import web_app
from service.web.server import WebServer

SANDBOX_SMTP_PORT: Final = 2525
SANDBOX_SMTPS_PORT: Final = 2465
"""The same at each start where possible, so that what was configured with the sandbox goes on working."""
_LOOPBACK: Final = "127.0.0.0/8, ::1"
_DRAIN: Final = timedelta(seconds=15)
_POOL_READY: Final = timedelta(seconds=15)

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Running:
    """A mailport that serves."""

    options: Options
    grpc_address: str = ""
    """``host:port`` with the port that was really taken; empty without the role api."""
    web_url: str = ""
    """Where browsers find the web side, without a trailing slash."""
    sandbox: Sandbox | None = None
    parts: Container | None = None
    is_serving: bool = False
    drains: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    """What lets running work end before anything is taken away from under it."""
    failed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a part that must not end has ended."""

    async def missing(self) -> tuple[str, ...]:
        """Names what keeps calls from being served; empty when nothing does."""
        if not self.is_serving or self.parts is None:
            return ("serving",)
        try:
            async with self.parts.uow():
                return ()
        except Unavailable:
            return ("database",)


@asynccontextmanager
async def running(options: Options, *, sandbox: bool = False) -> AsyncIterator[Running]:
    """
    Serves from entering to leaving; leaving drains: not ready at once, no new claims, running attempts and calls end.

    Raises StartFailed when something that it needs is missing or taken; nothing keeps running then.
    """
    if sandbox:
        options = replace(options, egress_allow=", ".join(filter(None, [options.egress_allow, _LOOPBACK])))
    service = Running(options)
    egress = egress_policy(options.egress_allow)
    async with AsyncExitStack() as stack:
        dsn = await _entered(database(options), stack)
        ring = load_keys(options, now=datetime.now(UTC))
        await asyncio.to_thread(bring_up_to_date, dsn)
        if sandbox:
            service.sandbox = await stack.enter_async_context(started_sandbox(options))
        service.web_url = await _start_web(service, stack)
        parts = container(options, dsn=dsn, ring=ring, egress=egress, callback_url=f"{service.web_url}/oauth/callback")
        service.parts = parts
        stack.push_async_callback(parts.transport().aclose)
        await _open_pool(parts, stack)
        _keep_running(parts.signals().run(), "signals", service, stack)
        await _start_api(service, parts, stack)
        if ProcessRole.WORKER in options.roles:
            if options.database_url is None:  # the data folder's lock proves that nobody else works on it
                await parts.reap().after_restart()
            worker = parts.worker()
            _keep_running(worker.run(), "worker", service, stack)
            service.drains.append(partial(worker.drain, _DRAIN))
        service.is_serving = True
        _logger.info(SERVING, extra={"grpc": service.grpc_address, "web": service.web_url})
        try:
            yield service
        finally:
            service.is_serving = False
            _logger.info(DRAINING)
            # Side by side: health says at once that it ends, and calls that wait for a delivery end with it.
            await asyncio.gather(*(drain() for drain in service.drains))
    _logger.info(STOPPED)


@contextmanager
def database(options: Options) -> Iterator[str]:
    """
    Gives the DSN of the operator's database, or of the embedded one, which runs meanwhile; blocks. Raises
    StartFailed.

    A new embedded database gets its key ring here, even if its server does not start: without one it would be taken for
    a database whose ring was lost.
    """
    if (dsn := given_dsn(options)) is not None:
        yield dsn
        return
    server = embedded_postgres(options)
    if is_new := makes_keys(options):
        examine_keys(options)
    try:
        with explained():
            dsn = server.start()
    except StartFailed:
        if is_new and has_embedded_database(options):
            make_keys(options, now=datetime.now(UTC))
        raise
    try:
        if is_new:
            make_keys(options, now=datetime.now(UTC))
        yield dsn
    finally:
        server.stop()


@asynccontextmanager
async def started_sandbox(options: Options) -> AsyncIterator[Sandbox]:
    """The simulators, on their usual ports, or on free ones where those are taken. Raises StartFailed."""
    simulators = Sandbox(
        folder=options.data_dir / "sandbox",
        smtp_port=_usual_or_any(SANDBOX_SMTP_PORT),
        smtps_port=_usual_or_any(SANDBOX_SMTPS_PORT),
    )
    try:
        await simulators.start()
    except OSError as error:
        raise StartFailed(f"The sandbox cannot start: {error.strerror or error}.") from error
    try:
        yield simulators
    finally:
        await simulators.stop()


def _usual_or_any(port: int) -> int:
    """Returns *port*, or 0 for any free one when somebody listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


@asynccontextmanager
async def served(app: ASGIApp, address: Address) -> AsyncIterator[Address]:
    """Serves *app* at *address*; gives the address with the port that was taken. Raises StartFailed."""
    try:
        web = WebServer(app, host=address.host, port=address.port)
    except OSError as error:
        raise StartFailed(
            f"MAILPORT_WEB_ADDRESS: {address} cannot be opened: {error.strerror or error}.",
            "Stop what uses the port, or choose another; port 0 takes a free one.",
        ) from error
    await web.start()
    try:
        yield replace(address, port=web.port)
    finally:
        await web.stop()


async def _start_web(service: Running, stack: AsyncExitStack) -> str:
    options = service.options
    address = options.web_address
    if ProcessRole.WEB in options.roles:
        simulators = service.sandbox.app if service.sandbox else None
        app = web_app(ready=service.missing, sandbox=simulators, sandbox_path=MOUNT_PATH)
        address = await stack.enter_async_context(served(app, address))
    return options.public_url or f"http://{address.from_here}"


async def _open_pool(parts: Container, stack: AsyncExitStack) -> None:
    pool = parts.pool()
    stack.push_async_callback(pool.close)
    with explained():
        await pool.open(wait=True, timeout=_POOL_READY.total_seconds())


async def _start_api(service: Running, parts: Container, stack: AsyncExitStack) -> None:
    if ProcessRole.API not in service.options.roles:
        return
    server = parts.grpc_server()
    try:
        port = await server.start()
    except RuntimeError as error:
        address = service.options.grpc_address
        raise StartFailed(
            f"MAILPORT_GRPC_ADDRESS: {address} cannot be opened.",
            "Stop what uses the port, or choose another; port 0 takes a free one.",
        ) from error
    stack.push_async_callback(server.stop, timedelta(0))  # for a start that fails later on
    service.drains.append(partial(server.stop, _DRAIN))
    service.grpc_address = str(replace(service.options.grpc_address, port=port))


def _keep_running(work: Coroutine[Any, Any, None], name: str, service: Running, stack: AsyncExitStack) -> None:
    """Runs *work* until the process stops; its end before that is a failure of the whole process."""
    task = asyncio.create_task(work, name=name)

    def ended(done: asyncio.Task[None]) -> None:
        if not done.cancelled() and service.is_serving:
            _logger.critical(PART_FAILED, extra={"part": name}, exc_info=done.exception())
            service.failed.set()

    async def stop() -> None:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    task.add_done_callback(ended)
    stack.push_async_callback(stop)


async def _entered(blocking: Any, stack: AsyncExitStack) -> str:
    """Enters a blocking context in a thread, and leaves it in one."""
    dsn: str = await asyncio.to_thread(blocking.__enter__)

    async def leave() -> None:
        await asyncio.to_thread(blocking.__exit__, None, None, None)

    stack.push_async_callback(leave)
    return dsn
