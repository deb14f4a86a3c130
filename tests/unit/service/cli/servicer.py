"""A mailport that answers what a test tells it to, over real gRPC, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_status import rpc_status

from mailport.v1 import mail_service_pb2, mail_service_pb2_grpc, mailbox_service_pb2, mailbox_service_pb2_grpc

_ANY = "127.0.0.1:0"

Answer = Message | Callable[[Any], Message | Iterator[Message]]


@dataclass
class FakeMailport:
    """`answers` by RPC: a response, a status to refuse with, or a function of the request; of a stream an iterator."""

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, request: Message, context: grpc.ServicerContext) -> Message | Iterator[Message]:
        self.requests.append(request)
        self.metadata.append({item[0]: item[1] for item in context.invocation_metadata()})
        self.deadlines.append(context.time_remaining() or 0.0)
        answer = self.answers[method]
        if isinstance(answer, status_pb2.Status):  # untyped, and a Message too
            context.abort_with_status(rpc_status.to_status(answer))
        return answer if isinstance(answer, Message) else answer(request)


def a_status(code: grpc.StatusCode, message: str, *details: Message) -> Message:
    status: Any = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    assert isinstance(status, Message)
    return status


@contextmanager
def served(fake: FakeMailport, *, tls: grpc.ServerCredentials | None = None) -> Iterator[FakeMailport]:
    """Serves *fake* on a free port of loopback, by TLS where credentials are given."""
    kinds = (mail_service_pb2_grpc.MailServiceServicer, mailbox_service_pb2_grpc.MailboxServiceServicer)
    servicer: Any = type("Servicer", kinds, dict(_handlers(fake)))()
    with ThreadPoolExecutor(max_workers=2) as threads:
        server = grpc.server(threads, options=[("grpc.so_reuseport", 0)])
        mail_service_pb2_grpc.add_MailServiceServicer_to_server(servicer, server)
        mailbox_service_pb2_grpc.add_MailboxServiceServicer_to_server(servicer, server)
        port = server.add_secure_port(_ANY, tls) if tls is not None else server.add_insecure_port(_ANY)
        fake.address = f"127.0.0.1:{port}"
        server.start()
        try:
            yield fake
        finally:
            server.stop(grace=None).wait()


def _handlers(fake: FakeMailport) -> Iterator[tuple[str, Callable[..., Message | Iterator[Message]]]]:
    def handler(method: str) -> Callable[..., Message | Iterator[Message]]:
        return lambda _, request, context: fake.answer(method, request, context)

    services = (
        mail_service_pb2.DESCRIPTOR.services_by_name["MailService"],
        mailbox_service_pb2.DESCRIPTOR.services_by_name["MailboxService"],
    )
    for service in services:
        for method in service.methods:
            yield method.name, handler(method.name)
