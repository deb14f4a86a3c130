"""What every ServerProbe does (domain.ports.probe)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Protocol

import pytest
import pytest_asyncio

from adapters.smtp.transport import SmtpMailTransport
from adapters.system.clock import SystemClock
from domain.connection import ConnectionSecurity
from domain.host import Host
from domain.ports.probe import Offer, ServerProbe
from domain.settings.model import SmtpTransport
from tests.fakes.network import FakeResolver
from tests.fakes.probe import FakeProbe
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.line_server import LineServer
from tests.peers.script import hang

STARTTLS, IMPLICIT = ConnectionSecurity.STARTTLS, ConnectionSecurity.IMPLICIT_TLS


class World(Protocol):
    """A probe, and a server as a test wants it."""

    @property
    def probe(self) -> ServerProbe: ...

    async def arrange(self, security: ConnectionSecurity, *, is_trusted: bool = True) -> SmtpTransport:
        """Has a server speak *security* and offer PLAIN; returns the right way to it."""
        ...

    async def silent(self) -> SmtpTransport:
        """Has a server say nothing."""
        ...

    def seen(self) -> list[str]:
        """Returns the commands that the server was given."""
        ...


class FakeWorld:
    def __init__(self, _: AsyncExitStack, __: TestCA) -> None:
        self.probe = FakeProbe()

    async def arrange(self, security: ConnectionSecurity, *, is_trusted: bool = True) -> SmtpTransport:
        offer = Offer(mechanisms=("PLAIN",)) if is_trusted else Offer(is_trusted=False)
        self.probe.offers[587, security] = offer
        return a_way(587, security)

    async def silent(self) -> SmtpTransport:
        return a_way(588, STARTTLS)

    def seen(self) -> list[str]:
        return []


class SmtpWorld:
    def __init__(self, stack: AsyncExitStack, ca: TestCA) -> None:
        self._stack, self._ca = stack, ca
        self._server: FaultySmtp | None = None
        self.probe = SmtpMailTransport(
            resolver=FakeResolver(), clock=SystemClock(), host_name="mailport.example.test", linger=timedelta(0)
        )
        stack.push_async_callback(self.probe.aclose)

    async def arrange(self, security: ConnectionSecurity, *, is_trusted: bool = True) -> SmtpTransport:
        issued = self._ca.issue("probe") if is_trusted else self._ca.self_signed("probe")
        peer = FaultySmtp(
            context=server_context(issued),
            implicit=security is IMPLICIT,
            passwords={"robot": "secret"},
            mechanisms=("PLAIN",),
        )
        self._server = await self._stack.enter_async_context(peer)
        return a_way(self._server.port, security, ca_certificates=self._ca.pem)

    async def silent(self) -> SmtpTransport:
        server = await self._stack.enter_async_context(LineServer([hang()], repeat=True))
        return a_way(server.port, STARTTLS)

    def seen(self) -> list[str]:
        return self._server.commands if self._server else []


def a_way(port: int, security: ConnectionSecurity, *, ca_certificates: str = "") -> SmtpTransport:
    return SmtpTransport(host=Host("localhost"), port=port, security=security, ca_certificates=ca_certificates)


@pytest_asyncio.fixture(params=[FakeWorld, SmtpWorld], ids=["fake", "smtp"])
async def world(request: pytest.FixtureRequest, ca: TestCA) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield request.param(stack, ca)


@pytest.mark.parametrize("security", [STARTTLS, IMPLICIT])
async def test_given_the_right_way_when_looked_then_says_what_is_offered_and_nobody_signs_in(
    world: World, security: ConnectionSecurity
) -> None:
    way = await world.arrange(security)

    offer = await world.probe.look(way, time_left=timedelta(seconds=5))

    assert offer == Offer(mechanisms=("PLAIN",))
    assert not [command for command in world.seen() if command.startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize("security", [STARTTLS, IMPLICIT])
async def test_given_the_wrong_mode_when_looked_then_there_is_no_offer(
    world: World, security: ConnectionSecurity
) -> None:
    right = await world.arrange(security)
    wrong = a_way(right.port, STARTTLS if security is IMPLICIT else IMPLICIT, ca_certificates=right.ca_certificates)

    assert await world.probe.look(wrong, time_left=timedelta(seconds=1)) is None


async def test_given_a_certificate_that_does_not_pass_when_looked_then_the_offer_says_so(world: World) -> None:
    way = await world.arrange(STARTTLS, is_trusted=False)

    assert await world.probe.look(way, time_left=timedelta(seconds=5)) == Offer(is_trusted=False)


async def test_given_a_silent_server_when_looked_then_there_is_no_offer_when_the_time_is_over(world: World) -> None:
    way = await world.silent()

    assert await world.probe.look(way, time_left=timedelta(milliseconds=200)) is None
