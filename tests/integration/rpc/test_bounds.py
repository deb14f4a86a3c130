"""Deadlines, load and sizes on a real server (P25, P27, F43, F44)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc

from adapters.system.clock import SystemClock
from domain.mailbox_names import WatchCursor
from mailport.v1 import delivery_pb2, mailbox_service_pb2
from mailport.v1 import mail_service_pb2 as pb
from service.rpc import interceptors
from service.rpc.load import LoadBound
from service.rpc.server import OPTIONS
from service.usecases.get_options import FormOptions
from service.usecases.send import Sent
from service.usecases.watch_mailbox import WatchedMail
from tests.integration.rpc.edge import Edge, a_server, an_edge, refusal
from tests.unit.service.rpc.builders import a_delivery_view

MIB = 1024 * 1024


class Gate:
    """A use case that waits until it is let go, and tells when it began and when it was cancelled."""

    def __init__(self) -> None:
        self.began = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, *_: object, **__: object) -> object:
        self.began.release()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return FormOptions(providers=(), data_centers=(), callback_url="")


def gated(edge: Edge) -> Gate:
    gate = Gate()
    edge.use_cases.answers["get_options"] = gate
    return gate


async def test_given_less_than_100_ms_when_called_then_the_deadline_is_refused_before_anything_begins() -> None:
    async with an_edge() as edge:
        gate = gated(edge)
        await edge.channel.channel_ready()

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.mail.GetOptions(pb.GetOptionsRequest(), timeout=0.09)

    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert gate.began.locked()


@pytest.mark.parametrize(
    ("asked", "left"),
    [(None, timedelta(seconds=30)), (5, timedelta(seconds=5)), (4000, timedelta(seconds=120))],
)
async def test_given_a_deadline_when_called_then_30_seconds_stand_for_none_and_120_are_the_most(
    asked: float | None, left: timedelta
) -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("send", Sent(view=a_delivery_view(), is_replay=False))

        await edge.mail.Send(pb.SendRequest(configuration_id="alerts"), timeout=asked)

    ((_, _, named),) = edge.use_cases.asked
    assert left - timedelta(seconds=1) < named["time_left"] <= left + timedelta(milliseconds=100)


async def test_given_a_use_case_that_does_not_end_when_its_time_is_over_then_it_is_cancelled_and_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interceptors, "DEFAULT_TIME", timedelta(milliseconds=50))
    async with an_edge() as edge:
        gate = gated(edge)

        refused = await refusal(edge.mail.GetOptions(pb.GetOptionsRequest()))

        assert (refused.code, refused.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT")
        assert gate.cancelled.is_set()


async def test_given_a_use_case_that_meets_a_timeout_of_its_own_when_called_then_it_is_a_fault_and_no_deadline() -> (
    None
):
    async with an_edge() as edge:
        edge.use_cases.raises("get_options", TimeoutError())

        refused = await refusal(edge.mail.GetOptions(pb.GetOptionsRequest()))

    assert refused.code is grpc.StatusCode.INTERNAL


async def test_given_a_client_that_gives_up_when_its_call_runs_then_the_work_stops_at_once() -> None:
    async with an_edge() as edge:
        gate = gated(edge)
        call = edge.mail.GetOptions(pb.GetOptionsRequest())
        await gate.began.acquire()

        call.cancel()

        await asyncio.wait_for(gate.cancelled.wait(), 0.25)


async def test_given_a_tenants_share_taken_when_it_calls_again_then_it_is_refused_with_a_delay_until_one_ends() -> None:
    async with an_edge(load=LoadBound(clock=SystemClock(), in_all=9, per_tenant=2)) as edge:
        gate = gated(edge)
        running = [asyncio.ensure_future(_answer(edge)) for _ in range(2)]
        for _ in running:
            await gate.began.acquire()

        refused = await refusal(edge.mail.GetOptions(pb.GetOptionsRequest()))
        gate.open.set()
        await asyncio.gather(*running)
        await _answer(edge)

    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refused.detail(RetryInfo).retry_delay.ToTimedelta() > timedelta(0)


async def test_given_all_calls_taken_when_health_is_asked_then_it_answers() -> None:
    async with an_edge(load=LoadBound(clock=SystemClock(), in_all=1)) as edge:
        gate = gated(edge)
        running = asyncio.ensure_future(_answer(edge))
        await gate.began.acquire()
        checks: Any = health_pb2_grpc.HealthStub(edge.channel)

        refused = await refusal(edge.mail.GetOptions(pb.GetOptionsRequest()))
        health = await checks.Check(health_pb2.HealthCheckRequest())
        gate.open.set()
        await running

    assert refused.reason == "OVERLOADED"
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_given_cancelled_calls_when_they_ended_then_their_places_are_free() -> None:
    async with an_edge(load=LoadBound(clock=SystemClock(), in_all=1, per_tenant=1)) as edge:
        gate = gated(edge)
        call = asyncio.ensure_future(_answer(edge))
        await gate.began.acquire()
        call.cancel()
        await asyncio.wait_for(gate.cancelled.wait(), 1)
        gate.open.set()

        async with asyncio.timeout(2):
            while True:
                try:
                    await _answer(edge)
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0)


async def _answer(edge: Edge) -> Any:
    return await edge.mail.GetOptions(pb.GetOptionsRequest())


async def test_given_an_attachment_of_25_mib_when_sent_by_a_default_client_then_it_arrives_f43() -> None:
    async with an_edge() as edge:
        edge.use_cases.returns("send", Sent(view=a_delivery_view(), is_replay=False))
        attachment = delivery_pb2.Attachment(content=bytes(25 * MIB))
        message = delivery_pb2.Message(attachments=[attachment])

        await edge.mail.Send(pb.SendRequest(configuration_id="alerts", message=message))

    ((_, arguments, _),) = edge.use_cases.asked
    assert len(arguments[2].attachments[0].content) == 25 * MIB


async def test_given_a_request_above_32_mib_when_sent_then_it_is_refused_and_nothing_is_asked_f43() -> None:
    async with an_edge() as edge:
        message = delivery_pb2.Message(raw_mime=bytes(32 * MIB + 1))

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.mail.Send(pb.SendRequest(configuration_id="alerts", message=message))

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert edge.use_cases.asked == []


async def test_given_metadata_above_16_kib_when_sent_then_the_call_is_refused() -> None:
    async with an_edge(options=(("grpc.max_metadata_size", 1024 * 1024),)) as edge:
        gated(edge).open.set()

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await edge.mail.GetOptions(pb.GetOptionsRequest(), metadata=(("x-large", "x" * 20_000),))

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_given_the_keepalive_that_clients_are_advised_when_compared_then_it_is_allowed_with_room_to_spare_f44() -> None:
    bounds = dict(OPTIONS)

    assert bounds["grpc.http2.min_recv_ping_interval_without_data_ms"] < 20_000
    assert bounds["grpc.keepalive_permit_without_calls"] == 1


async def test_given_a_port_that_is_taken_when_started_then_it_fails_instead_of_sharing_the_calls() -> None:
    async with an_edge() as edge:
        second = a_server(edge.use_cases, address=edge.target)

        with pytest.raises(RuntimeError):
            await second.start()
        await second.stop(timedelta(0))


async def test_given_watches_of_mailboxes_when_they_last_then_they_take_no_share_of_other_calls() -> None:
    async def watch(*_: object, **__: object) -> AsyncIterator[WatchedMail]:
        yield WatchedMail(WatchCursor("ab" * 12, "INBOX", 1, 0))
        await asyncio.Event().wait()

    async with an_edge(load=LoadBound(clock=SystemClock(), in_all=1, per_tenant=1)) as edge:
        edge.use_cases.answers["watch_mailbox"] = watch
        edge.use_cases.returns("get_options", FormOptions(providers=(), data_centers=(), callback_url=""))
        request = mailbox_service_pb2.WatchMailboxRequest(configuration_id="alerts")
        watches = [edge.mailbox.WatchMailbox(request) for _ in range(40)]
        stand = [await each.read() for each in watches]

        await edge.mail.GetOptions(pb.GetOptionsRequest())
        for each in watches:
            each.cancel()

    assert all(answer.cursor for answer in stand)
