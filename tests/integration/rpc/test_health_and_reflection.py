"""What orchestrators and clients without a proto ask."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from domain.errors import Unauthenticated
from mailport.v1 import mail_service_pb2 as pb
from tests.integration.rpc.edge import an_edge, first_of


class Nobody:
    """An identity that lets nobody in."""

    async def caller(self, context: object) -> Any:
        raise Unauthenticated("Nobody is let in.")


@pytest.mark.parametrize("service", ["", "mailport.v1.MailService", "mailport.v1.MailboxService"])
async def test_given_a_running_server_when_health_is_asked_without_credentials_then_it_serves(service: str) -> None:
    async with an_edge(identity=Nobody()) as edge:
        checks: Any = health_pb2_grpc.HealthStub(edge.channel)

        answer = await checks.Check(health_pb2.HealthCheckRequest(service=service))

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_given_a_watcher_of_health_when_the_server_ends_then_it_is_told_before_calls_are_cut() -> None:
    async with an_edge() as edge:
        checks: Any = health_pb2_grpc.HealthStub(edge.channel)
        watch = checks.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING

        await edge.server.stop(timedelta(milliseconds=200))

        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_given_no_local_proto_when_reflection_is_asked_then_services_and_their_types_are_told() -> None:
    async with an_edge(identity=Nobody()) as edge:
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(cast("Any", edge.channel))
        ask = reflection_pb2.ServerReflectionRequest

        services = await first_of(reflection.ServerReflectionInfo(iter([ask(list_services="")])))
        symbol = await first_of(
            reflection.ServerReflectionInfo(iter([ask(file_containing_symbol="mailport.v1.MailService")]))
        )

    names = {service.name for service in services.list_services_response.service}
    assert {"mailport.v1.MailService", "mailport.v1.MailboxService", "grpc.health.v1.Health"} <= names
    assert symbol.file_descriptor_response.file_descriptor_proto


async def test_given_nobody_let_in_when_a_call_is_made_then_it_is_unauthenticated() -> None:
    async with an_edge(identity=Nobody()) as edge:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.mail.GetOptions(pb.GetOptionsRequest())

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
