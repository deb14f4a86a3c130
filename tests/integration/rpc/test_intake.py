"""Calls that wait are taken several at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.rpc import intake
from service.rpc.intake import AT_ONCE, a_server, can_take_many


class Health(health_pb2_grpc.HealthServicer):
    """Holds each call until it is let go."""

    def __init__(self) -> None:
        self.running = 0
        self.begun = asyncio.Condition()
        self.may_end = asyncio.Event()
        self.turns: list[int] = []
        self._turn = 0

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: object
    ) -> health_pb2.HealthCheckResponse:
        self.turns.append(self._turn)
        asyncio.get_running_loop().call_soon(self._next_turn)
        self.running += 1
        async with self.begun:
            self.begun.notify_all()
        await self.may_end.wait()
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    def _next_turn(self) -> None:
        self._turn += 1


@asynccontextmanager
async def serving(health: Health) -> AsyncIterator[tuple[grpc.aio.Server, Any]]:
    server = a_server((), ())
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield server, health_pb2_grpc.HealthStub(channel)
    await server.stop(None)


async def test_given_the_grpcio_that_is_installed_when_asked_then_it_lets_many_calls_be_taken() -> None:
    assert can_take_many()


async def test_given_more_calls_than_are_asked_for_when_they_come_then_all_run_side_by_side_and_are_answered() -> None:
    health = Health()
    number = AT_ONCE * 5

    async with serving(health) as (_, stub), asyncio.timeout(10):
        calls = [asyncio.ensure_future(stub.Check(health_pb2.HealthCheckRequest())) for _ in range(number)]
        async with health.begun:
            await health.begun.wait_for(lambda: health.running == number)
        health.may_end.set()
        answers = await asyncio.gather(*calls)

    assert {answer.status for answer in answers} == {health_pb2.HealthCheckResponse.SERVING}


async def test_given_a_loop_that_was_busy_when_it_goes_on_then_several_calls_that_waited_begin_in_one_turn() -> None:
    health = Health()
    health.may_end.set()

    async with serving(health) as (_, stub), asyncio.timeout(10):
        await stub.Check(health_pb2.HealthCheckRequest())
        await asyncio.gather(*(stub.Check(health_pb2.HealthCheckRequest()) for _ in range(AT_ONCE * 10)))

    assert max(health.turns.count(turn) for turn in health.turns) > 1


async def test_given_calls_under_way_when_the_server_stops_then_they_are_answered_and_no_more_are_taken() -> None:
    health = Health()

    async with serving(health) as (server, stub), asyncio.timeout(10):
        call = asyncio.ensure_future(stub.Check(health_pb2.HealthCheckRequest()))
        async with health.begun:
            await health.begun.wait_for(lambda: health.running == 1)
        stopping = asyncio.create_task(server.stop(5))
        await asyncio.sleep(0)
        health.may_end.set()
        answer = await call
        await stopping
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Check(health_pb2.HealthCheckRequest())

    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_given_a_caller_that_leaves_when_its_call_runs_then_the_call_is_cancelled_and_others_go_on() -> None:
    health = Health()

    async with serving(health) as (_, stub), asyncio.timeout(10):
        leaving = stub.Check(health_pb2.HealthCheckRequest())
        async with health.begun:
            await health.begun.wait_for(lambda: health.running == 1)
        leaving.cancel()
        health.may_end.set()
        answer = await stub.Check(health_pb2.HealthCheckRequest())

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_given_a_method_that_is_not_there_when_called_then_it_is_unimplemented() -> None:
    async with serving(Health()) as (_, stub), asyncio.timeout(10):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in stub.Watch(health_pb2.HealthCheckRequest()):
                pass

    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_given_a_grpcio_without_what_it_needs_when_made_then_the_server_of_grpc_aio_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "_NEEDED", ("_no_such_thing",))
    health = Health()
    health.may_end.set()

    async with serving(health) as (_, stub), asyncio.timeout(10):
        answer = await stub.Check(health_pb2.HealthCheckRequest())

    assert answer.status == health_pb2.HealthCheckResponse.SERVING
