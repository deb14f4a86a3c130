"""Kept SMTP sessions of running mailports end in the moment in which what opened them is changed, wherever that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import grpc
import pytest

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from tests.end_to_end.conftest import Mailport, a_message, started, without_worker
from tests.end_to_end.consents import reaches, send, sent
from tests.end_to_end.scripted import ROBOT, Scripted, refusal, tokens
from tests.integration.oauth.token_endpoint import TokenEndpoint
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.fixtures import StartFaultySmtp

AT_ONCE = timedelta(seconds=4)
"""Half of what an idle session is kept by itself."""


@dataclass(frozen=True)
class Pair:
    """Two processes on one database: one is called, the other one delivers."""

    called: Mailport
    scripted: Scripted

    @property
    def server(self) -> FaultySmtp:
        return self.scripted.server


@pytest.fixture
async def pair(options: Options, faulty_smtp: StartFaultySmtp, ca: TestCA) -> AsyncIterator[Pair]:
    server = await faulty_smtp(context=server_context(ca.issue("kept")), tokens={ROBOT: "AT1"})
    async with started(options), started(without_worker(options)) as called, TokenEndpoint() as endpoint:
        yield Pair(called, Scripted(called.stub, endpoint, server, ca, called))


async def until_sessions_are(server: FaultySmtp, count: int) -> None:
    async with asyncio.timeout(AT_ONCE.total_seconds()):
        while True:
            if server.open_connections == count:
                return
            await asyncio.sleep(0.01)


async def revoked(pair: Pair) -> None:
    await pair.called.stub.RevokeAuth(api.RevokeAuthRequest(configuration_id="alerts"))


async def found_dead(pair: Pair) -> None:
    pair.server.tokens[ROBOT] = "nobody's"
    pair.scripted.endpoint.answers[:] = [refusal("invalid_grant")]
    with pytest.raises(grpc.aio.AioRpcError):
        await pair.called.stub.SendTest(api.SendTestRequest(configuration_id="alerts", to="admin@example.com"))


@pytest.mark.parametrize(
    ("end", "why"), [(revoked, "NEEDS_AUTHORIZATION"), (found_dead, "REAUTH_REQUIRED")], ids=["revoked", "dead"]
)
async def test_given_a_kept_session_when_its_consent_ends_in_another_process_then_it_closes_and_no_mail_leaves(
    pair: Pair, end: Callable[[Pair], Awaitable[None]], why: str
) -> None:
    stub, server = pair.called.stub, pair.server
    await pair.scripted.consent(tokens(1))
    await sent(stub, "before")
    await until_sessions_are(server, 1)

    await end(pair)

    await until_sessions_are(server, 0)
    held = await reaches(stub, await send(stub, "after"), delivery_pb2.DELIVERY_STATE_HELD)
    assert held.failure.reason == why
    assert len(server.messages) == 1


async def test_given_a_kept_session_when_its_configuration_is_deleted_in_another_process_then_it_closes_at_once(
    pair: Pair,
) -> None:
    await pair.scripted.consent(tokens(1))
    await sent(pair.called.stub, "before")
    await until_sessions_are(pair.server, 1)

    await pair.called.stub.DeleteConfiguration(api.DeleteConfigurationRequest(configuration_id="alerts"))

    await until_sessions_are(pair.server, 0)


async def test_given_a_kept_session_when_the_password_is_changed_in_another_process_then_the_next_mail_uses_the_new_one(
    pair: Pair, faulty_smtp: StartFaultySmtp, ca: TestCA
) -> None:
    stub = pair.called.stub
    server = await faulty_smtp(context=server_context(ca.issue("password")), passwords={ROBOT: "old"})

    async def use(password: str) -> None:
        server.passwords[ROBOT] = password
        settings = configuration_pb2.Settings(
            from_address=ROBOT,
            smtp=configuration_pb2.SmtpTransport(host="localhost", port=server.port, ca_certificates=ca.pem),
            basic=configuration_pb2.BasicAuthentication(username=ROBOT, password=password),
        )
        await pair.called.configure(settings)

    await use("old")
    await sent(stub, "with the old one")
    await until_sessions_are(server, 1)

    await use("new")

    await until_sessions_are(server, 0)
    signed_in = sum(command.startswith("AUTH") for command in server.commands)
    request = api.SendRequest(configuration_id="alerts", message=a_message(), wait=True)
    assert (await stub.Send(request)).delivery.state == delivery_pb2.DELIVERY_STATE_SENT
    assert sum(command.startswith("AUTH") for command in server.commands) == signed_in + 1
