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
from service.web.callback import CALLBACK_PATH, callback_route
from service.web.consent_page import completes_consents
from service.web.metrics import metrics_route
from service.web.server import WebServer

SANDBOX_SMTP_PORT: Final = 2525
SANDBOX_SMTPS_PORT: Final = 2465
SANDBOX_IMAP_PORT: Final = 2143
SANDBOX_IMAPS_PORT: Final = 2993
"""The same at each start where possible, so that what was configured with the sandbox goes on working."""
_LOOPBACK: Final = "127.0.0.0/8, ::1"
_DRAIN: Final = timedelta(seconds=15)
_LAST_STORING: Final = timedelta(seconds=8)
"""For tokens that are on their way when everything else has ended; with `_DRAIN` below what orchestrators allow."""
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
        web = _open_web(service, stack)
        parts = container(options, dsn=dsn, ring=ring, egress=egress, callback_url=f"{service.web_url}{CALLBACK_PATH}")
        service.parts = parts
        if web is not None:
            await _start_web(web, service, parts)
        stack.push_async_callback(parts.mailbox_reader().aclose)
        await _open_pool(parts, stack)
        stack.push_async_callback(parts.transport().aclose)  # what it cleans up needs the store
        if options.database_url is None:  # the data folder's lock proves that nobody else works on it
            await parts.reap().after_restart()
        _keep_running(parts.signals().run(), "signals", service, stack)
        await _start_api(service, parts, stack)
        roster = parts.roster()
        _keep_running(roster.run(), "roster", service, stack)
        service.drains.append(roster.leave)
        if not options.roles.isdisjoint({ProcessRole.WORKER, ProcessRole.API}):
            _keep_running(parts.changed_accounts().run(), "changed accounts", service, stack)
        if ProcessRole.WORKER in options.roles:
            worker = parts.worker()
            _keep_running(worker.run(), "worker", service, stack)
            service.drains.append(partial(worker.drain, _DRAIN))
        if ProcessRole.KEEPER in options.roles:
            _keep_running(parts.keeper().run(), "keeper", service, stack)
            _keep_running(parts.forgetter().run(), "forgetter", service, stack)
        service.is_serving = True
        _logger.info(SERVING, extra={"grpc": service.grpc_address, "web": service.web_url})
        try:
            yield service
        finally:
            service.is_serving = False
            _logger.info(DRAINING)
            # Side by side: health says at once that it ends, and calls that wait for a delivery end with it.
            await asyncio.gather(*(drain() for drain in service.drains))
            # Then what nobody waits for any more: a token that was asked for is stored before the process ends (P11).
            await asyncio.gather(parts.complete_auth().drain(_LAST_STORING), parts.fresh_tokens().drain(_LAST_STORING))
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
    folder = options.data_dir / "sandbox"
    simulators = Sandbox(
        folder=folder,
        smtp_port=_usual_or_any(SANDBOX_SMTP_PORT),
        smtps_port=_usual_or_any(SANDBOX_SMTPS_PORT),
        imap_port=_usual_or_any(SANDBOX_IMAP_PORT),
        imaps_port=_usual_or_any(SANDBOX_IMAPS_PORT),
    )
    try:
        try:
            await simulators.start()
        except OSError:  # another sandbox, started at the same moment, may have taken a port that was free just now
            simulators = Sandbox(folder=folder)
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
    web = _web_server(address)
    try:
        await web.start(app)
        yield replace(address, port=web.port)
    finally:
        await web.stop()


def _web_server(address: Address) -> WebServer:
    try:
        return WebServer(host=address.host, port=address.port)
    except OSError as error:
        raise StartFailed(
            f"MAILPORT_WEB_ADDRESS: {address} cannot be opened: {error.strerror or error}.",
            "Stop what uses the port, or choose another; port 0 takes a free one.",
        ) from error


def _open_web(service: Running, stack: AsyncExitStack) -> WebServer | None:
    """Takes the web side's port, so that the callback's address is known before anything is wired."""
    options = service.options
    address, web = options.web_address, None
    if ProcessRole.WEB in options.roles:
        web = _web_server(address)
        stack.push_async_callback(web.stop)
        address = replace(address, port=web.port)
    service.web_url = options.public_url or f"http://{address.from_here}"
    return web


async def _start_web(web: WebServer, service: Running, parts: Container) -> None:
    pages = (callback_route(complete=completes_consents(parts.complete_auth())), metrics_route(parts.metrics()))
    simulators = service.sandbox.app if service.sandbox else None
    await web.start(web_app(ready=service.missing, pages=pages, sandbox=simulators, sandbox_path=MOUNT_PATH))


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
