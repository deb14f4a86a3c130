"""
A gRPC server that takes many waiting calls at once.

grpc.aio asks gRPC for the next call of a method only after it has begun the one before, so that a loop that is busy
takes one or two in a turn, however many wait. Those wait where nobody knows whose they are: they cannot share a commit,
and a tenant that floods the server delays the others before its share of calls could be looked at (P8, P27).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Final, cast

import grpc
import grpc.aio._server
from grpc._cython import cygrpc
from grpc.aio import ServerInterceptor

AT_ONCE: Final = 2
"""Calls of one method that are asked for before they come. More make the turns of the loop longer, and whoever needs
some of them waits for each: a health check 90 ms with two, 300 with 32, at five times the load."""

_NEEDED: Final = ("_MethodResolver", "_handle_rpc", "_schedule_rpc_coro")
_NEEDED_OF_SERVER: Final = (
    "_make_request_call_future",
    "_request_registered_call",
    "add_registered_method_handlers",
    "is_running",
)


def can_take_many() -> bool:
    """Tells whether the grpcio that is installed has what this is built on, none of which it promises to keep."""
    return all(hasattr(cygrpc, name) for name in _NEEDED) and all(
        hasattr(cygrpc.AioServer, name) for name in _NEEDED_OF_SERVER
    )


def a_server(interceptors: tuple[ServerInterceptor, ...], options: tuple[tuple[str, Any], ...]) -> grpc.aio.Server:
    """Returns a server as `grpc.aio.server` does; where grpcio lets it, one that takes many calls at once."""
    if can_take_many():
        return cast(grpc.aio.Server, _EagerServer(interceptors, options))
    return grpc.aio.server(interceptors=interceptors, options=options)


class _EagerServer(grpc.aio._server.Server):
    """The same with another intake."""

    def __init__(self, interceptors: tuple[ServerInterceptor, ...], options: tuple[tuple[str, Any], ...]) -> None:
        self._loop = cygrpc.get_working_loop()
        self._server = _Intake(
            self._loop, None, (), interceptors, grpc.aio._server._augment_channel_arguments(options, None), None
        )
        self._server.interceptors = interceptors


class _Intake(cygrpc.AioServer):  # type: ignore[misc]  # has no stubs
    """
    Begins the calls of registered methods itself, and gives the loop of grpc.aio a future that never brings any.

    That loop goes on with what is not registered, and with the end of the server, of which it hears by the failure of
    that future.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *rest: Any) -> None:
        super().__init__(loop, *rest)
        self.interceptors: tuple[ServerInterceptor, ...] = ()
        self._the_loop = loop
        self._handlers: dict[str, Any] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._asking: defaultdict[bytes, set[asyncio.Task[None]]] = defaultdict(set)

    def add_registered_method_handlers(self, method_handlers: dict[str, Any]) -> None:
        super().add_registered_method_handlers(method_handlers)
        self._handlers.update(method_handlers)

    def _make_request_call_future(self, method_bytes: bytes | None) -> asyncio.Future[Any]:
        if method_bytes is None:
            future: asyncio.Future[Any] = super()._make_request_call_future(None)
            return future
        failed: asyncio.Future[Any] = self._the_loop.create_future()
        asking = self._asking[method_bytes]
        for _ in range(AT_ONCE - len(asking)):
            task = self._the_loop.create_task(self._ask(method_bytes, failed), name=f"intake {method_bytes.decode()}")
            asking.add(task)
            task.add_done_callback(asking.discard)
        return failed

    async def _ask(self, method: bytes, failed: asyncio.Future[Any]) -> None:
        name = method.decode()
        resolver = cygrpc._MethodResolver([], self._handlers)
        try:
            while self.is_running():
                state = await self._request_registered_call(method)
                call = cygrpc._handle_rpc(name, resolver, self.interceptors, state, self._the_loop, False)
                task = self._the_loop.create_task(cygrpc._schedule_rpc_coro(call, state, self._the_loop, name))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
        except Exception as error:
            # The server ends, or gRPC has no more calls to give: the loop of grpc.aio knows what to do then.
            if not failed.done():
                failed.set_exception(error)
