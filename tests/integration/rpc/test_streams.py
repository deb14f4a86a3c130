"""The interceptor around streams of both directions, on a real server with an echo in SendStream's place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest

from adapters.system.clock import SystemClock
from domain.errors import NotFound
from mailport.v1 import mail_service_pb2 as pb
from service.rpc import interceptors
from service.rpc.call import current_call
from service.rpc.identity import NoIdentity
from service.rpc.interceptors import EdgeInterceptor
from service.rpc.load import LoadBound
from tests.fakes.environment import FakeEntropy
from tests.integration.rpc.edge import refusal

PATH = "/mailport.v1.MailService/SendStream"


class Echo:
    """Answers each request with its reference; `gone` raises NotFound, `wait` waits until the stream is given up."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def stream_stream(self, requests: AsyncIterator[pb.SendStreamRequest], _: Any) -> AsyncIterator[Any]:
        try:
            async for request in requests:
                if request.client_reference == "gone":
                    raise NotFound("It is gone.")
                if request.client_reference == "wait":
                    await asyncio.Event().wait()
                yield pb.SendStreamResponse(
                    client_reference=f"{request.client_reference} {current_call().caller.tenant}"
                )
        finally:
            self.ended.set()

    async def stream_unary(self, requests: AsyncIterator[pb.SendStreamRequest], _: Any) -> Any:
        references = [request.client_reference async for request in requests]
        return pb.SendStreamResponse(client_reference=",".join(references))


@asynccontextmanager
async def an_echo(kind: str = "stream_stream", *, load: LoadBound | None = None) -> AsyncIterator[tuple[Any, Echo]]:
    """A call that takes raw bytes and gives responses."""
    echo = Echo()
    handler = getattr(grpc, f"{kind}_rpc_method_handler")(
        getattr(echo, kind),
        request_deserializer=pb.SendStreamRequest.FromString,
        response_serializer=pb.SendStreamResponse.SerializeToString,
    )
    interceptor = EdgeInterceptor(identity=NoIdentity(), clock=SystemClock(), entropy=FakeEntropy(), load=load)
    server = grpc.aio.server(interceptors=[interceptor])
    _, service, method = PATH.split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("localhost:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
        yield getattr(channel, kind)(PATH, response_deserializer=pb.SendStreamResponse.FromString), echo
    await server.stop(0)


def asking(*references: str) -> list[bytes]:
    return [pb.SendStreamRequest(client_reference=each).SerializeToString() for each in references]


async def test_given_a_stream_when_requests_come_then_each_is_read_and_answered_for_the_caller() -> None:
    async with an_echo() as (call, _):
        answers = [answer.client_reference async for answer in call(iter(asking("1", "2")))]

    assert answers == ["1 default", "2 default"]


async def test_given_a_stream_of_requests_alone_when_it_ends_then_there_is_one_answer() -> None:
    async with an_echo("stream_unary") as (call, _):
        answer = await call(iter(asking("1", "2")))

    assert answer.client_reference == "1,2"


async def test_given_bytes_that_are_no_request_on_a_stream_when_read_then_it_ends_with_invalid_argument() -> None:
    async with an_echo() as (call, _):
        stream = call(iter([*asking("1"), b"\xff"]))
        assert (await stream.read()).client_reference == "1 default"

        refused = await refusal(stream.read())

    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "VALUE_MALFORMED")


async def test_given_an_error_in_the_middle_of_a_stream_when_it_ends_then_the_table_answers() -> None:
    async with an_echo() as (call, _):
        stream = call(iter(asking("1", "gone")))
        await stream.read()

        refused = await refusal(stream.read())

    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_given_a_stream_when_the_time_of_a_call_is_over_then_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interceptors, "DEFAULT_TIME", timedelta(milliseconds=1))

    async def slowly() -> AsyncIterator[bytes]:
        yield asking("1")[0]
        await asyncio.sleep(0.05)
        yield asking("2")[0]

    async with an_echo() as (call, _):
        answers = [answer.client_reference async for answer in call(slowly())]

    assert answers == ["1 default", "2 default"]


async def test_given_a_stream_that_is_given_up_when_it_waits_then_it_ends_its_place_is_free_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    load = LoadBound(clock=SystemClock(), in_all=1, per_tenant=1)
    async with an_echo(load=load) as (call, echo):
        stream = call(iter(asking("1", "wait")))
        await stream.read()

        stream.cancel()
        await asyncio.wait_for(echo.ended.wait(), 0.25)

    with load.a_call(), load.of_tenant("default"):
        pass
    lines = [vars(record) for record in caplog.records if record.getMessage() == "rpc_answered"]
    assert [(line["method"], line["code"]) for line in lines] == [(PATH, "CANCELLED")]
