"""The whole edge on a real port, with use cases that do what a test says."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from adapters.system.clock import SystemClock
from mailport.v1 import mail_service_pb2_grpc, mailbox_service_pb2_grpc
from service.rpc.identity import Identity, NoIdentity
from service.rpc.interceptors import EdgeInterceptor
from service.rpc.load import LoadBound
from service.rpc.mailbox_servicer import MailboxServicer
from service.rpc.server import GrpcServer
from service.rpc.servicer import MailServicer
from tests.fakes.environment import FakeEntropy

UseCase = Callable[..., Awaitable[Any] | AsyncIterator[Any]]
STREAMING = ("watch_deliveries", "send_stream", "watch_mailbox", "get_message")
"""Those that answer with many values."""


class FakeUseCases:
    """Answers each use case with the function of its name in `answers`; `asked` holds what they were called with."""

    def __init__(self) -> None:
        self.answers: dict[str, UseCase] = {}
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def servicer(self) -> MailServicer:
        return MailServicer(**self._made_for(MailServicer))

    def mailbox_servicer(self) -> MailboxServicer:
        return MailboxServicer(**self._made_for(MailboxServicer))

    def _made_for(self, servicer: type) -> dict[str, Any]:
        names = [name for name in inspect.signature(servicer.__init__).parameters if name != "self"]  # type: ignore[misc]
        return {name: self._streaming(name) if name in STREAMING else self._use_case(name) for name in names}

    def _streaming(self, name: str) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            self.asked.append((name, arguments, named))
            return self.answers[name](*arguments, **named)

        return called

    def _use_case(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def called(*arguments: Any, **named: Any) -> Any:
            self.asked.append((name, arguments, named))
            return await cast("Awaitable[Any]", self.answers[name](*arguments, **named))

        return called

    def returns(self, name: str, value: object) -> None:
        async def answer(*_: object, **__: object) -> object:
            return value

        self.answers[name] = answer

    def raises(self, name: str, error: Exception) -> None:
        async def answer(*_: object, **__: object) -> object:
            raise error

        self.answers[name] = answer


@dataclass
class Edge:
    """A served API and a client of it."""

    target: str
    channel: grpc.aio.Channel
    use_cases: FakeUseCases
    server: GrpcServer
    mail: Any = field(init=False)
    mailbox: Any = field(init=False)

    def __post_init__(self) -> None:
        self.mail = mail_service_pb2_grpc.MailServiceStub(self.channel)
        self.mailbox = mailbox_service_pb2_grpc.MailboxServiceStub(self.channel)


def a_server(
    use_cases: FakeUseCases,
    *,
    address: str = "localhost:0",
    identity: Identity | None = None,
    load: LoadBound | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> GrpcServer:
    """A server that is not started."""
    identity = identity or NoIdentity()
    return GrpcServer(
        address=address,
        mail=use_cases.servicer(),
        mailbox=use_cases.mailbox_servicer(),
        interceptor=EdgeInterceptor(identity=identity, clock=SystemClock(), entropy=FakeEntropy(), load=load),
        credentials=credentials,
    )


@asynccontextmanager
async def an_edge(
    *,
    identity: Identity | None = None,
    load: LoadBound | None = None,
    credentials: grpc.ServerCredentials | None = None,
    channel_credentials: grpc.ChannelCredentials | None = None,
    options: tuple[tuple[str, Any], ...] = (),
) -> AsyncIterator[Edge]:
    """Serves on a free port, and connects a client with default limits unless *options* say otherwise."""
    use_cases = FakeUseCases()
    server = a_server(use_cases, identity=identity, load=load, credentials=credentials)
    port = await server.start()
    target = f"localhost:{port}"
    if channel_credentials is None:
        channel = grpc.aio.insecure_channel(target, options=options)
    else:
        channel = grpc.aio.secure_channel(target, channel_credentials, options=options)
    try:
        async with channel:
            yield Edge(target, channel, use_cases, server)
    finally:
        await server.stop(timedelta(0))


@dataclass(frozen=True)
class Refusal:
    """What a client sees of a refused call."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    details: list[Any]

    def detail(self, kind: type[Any]) -> Any:
        """The one detail of *kind*."""
        found = []
        for packed in self.details:
            detail = kind()
            if packed.Unpack(detail):
                found.append(detail)
        (only,) = found
        return only


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Awaits *call*, which must be refused with a status and details."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        status = rpc_status.from_call(cast("Any", error))
        if status is None:
            raise
        refused = Refusal(error.code(), error.details() or "", "", {}, list(status.details))
        info = refused.detail(ErrorInfo)
        return Refusal(refused.code, refused.message, info.reason, dict(info.metadata), refused.details)
    raise AssertionError("the call was answered")


async def first_of(stream: Any) -> Any:
    """The first answer of a stream."""
    async for answer in stream:
        return answer
    return None
