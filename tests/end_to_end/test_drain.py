"""P26: not ready at once, also while an attempt that is under way holds the process up."""

from __future__ import annotations

import asyncio

import grpc

from mailport.v1 import configuration_pb2, delivery_pb2, mail_service_pb2_grpc
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from service.running import running
from tests.end_to_end.conftest import Mailport, a_message, started
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import Fault
from tests.peers.fixtures import StartFaultySmtp

WITHIN_SECONDS = 10


async def first_refusal(stub: mail_service_pb2_grpc.MailServiceAsyncStub) -> grpc.StatusCode:
    """Calls until a call is refused, and returns with what."""
    while True:
        try:
            await stub.GetOptions(api.GetOptionsRequest(), timeout=1)
        except grpc.aio.AioRpcError as error:
            return error.code()
        await asyncio.sleep(0.02)


async def test_given_a_server_that_hangs_when_draining_then_new_calls_are_refused_before_the_attempt_has_ended(
    options: Options, ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("drain")))
    settings = configuration_pb2.Settings(
        from_address="robot@example.test",
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=server.port, ca_certificates=ca.pem),
    )
    entered = running(options, sandbox=True)
    service = await entered.__aenter__()
    async with grpc.aio.insecure_channel(service.grpc_address) as channel:
        mailport = Mailport(service, mail_service_pb2_grpc.MailServiceStub(channel))
        await mailport.configure(settings)
        server.plan["mail"] = [Fault.HANG]
        sent = await mailport.stub.Send(api.SendRequest(configuration_id="alerts", message=a_message()))
        await asyncio.wait_for(server.is_hanging.wait(), WITHIN_SECONDS)

        leaving = asyncio.create_task(entered.__aexit__(None, None, None))
        code = await asyncio.wait_for(first_refusal(mailport.stub), WITHIN_SECONDS)
        was_still_draining = not leaving.done()
        await server.__aexit__()
        await asyncio.wait_for(leaving, WITHIN_SECONDS)

    assert code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
    )  # the latter for a call on its way just then
    assert was_still_draining
    async with started(options) as again:
        found = await again.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=sent.delivery.delivery_id))
    assert found.delivery.state == delivery_pb2.DELIVERY_STATE_RETRYING
    assert not found.delivery.attempts[0].in_doubt
