"""What every SenderRecords does (domain.ports.sender_dns)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Protocol

import pytest
import pytest_asyncio

from adapters.dns.records import DnsRecords
from domain.ports.sender_dns import RecordsAway, SenderRecords
from tests.fakes.sender_dns import FakeSenderRecords
from tests.peers.dns_server import DnsServer


class World(Protocol):
    """Records, and names as a test wants them."""

    @property
    def records(self) -> SenderRecords: ...

    def has(self, name: str, kind: str, *values: str) -> None:
        """Gives *name* records; of MX the hosts, the preferred ones first."""
        ...

    def go_away(self) -> None: ...


class FakeWorld:
    def __init__(self, _: DnsServer) -> None:
        self.records = FakeSenderRecords()

    def has(self, name: str, kind: str, *values: str) -> None:
        self.records.zone[name, kind] = values

    def go_away(self) -> None:
        self.records.is_away = True


class DnsWorld:
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self.records = DnsRecords(resolver=server.resolver(), longest=timedelta(milliseconds=300))

    def has(self, name: str, kind: str, *values: str) -> None:
        # The least preferred first: the order is the adapter's to make.
        self._server.zone[name, kind] = [_in_file(kind, place, value) for place, value in enumerate(values, 1)][::-1]

    def go_away(self) -> None:
        self._server.is_silent = True


def _in_file(kind: str, place: int, value: str) -> str:
    match kind:
        case "TXT":
            return f'"{value}"'
        case "MX":
            return f"{10 * place} {value}."
        case "NS":
            return f"{value}."
    return value


@pytest_asyncio.fixture(params=[FakeWorld, DnsWorld], ids=["fake", "dns"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield request.param(await stack.enter_async_context(DnsServer()))


async def test_given_texts_when_asked_for_then_they_come_with_or_without_the_dot(world: World) -> None:
    world.has("corp.de", "TXT", "v=spf1 -all", "other")

    assert set(await world.records.texts("corp.de")) == {"v=spf1 -all", "other"}
    assert set(await world.records.texts("corp.de.")) == {"v=spf1 -all", "other"}


async def test_given_addresses_when_asked_for_then_both_families_come(world: World) -> None:
    world.has("mx.corp.de", "A", "192.0.2.7")
    world.has("mx.corp.de", "AAAA", "2001:db8::7")

    assert await world.records.addresses("mx.corp.de") == ("192.0.2.7", "2001:db8::7")


async def test_given_exchangers_when_asked_for_then_the_preferred_ones_come_first(world: World) -> None:
    hosts = tuple(f"mx{number}.corp.de" for number in range(8))
    world.has("corp.de", "MX", *hosts)

    assert await world.records.exchangers("corp.de") == hosts


async def test_given_no_such_name_or_record_when_asked_for_then_there_are_none(world: World) -> None:
    world.has("corp.de", "MX", "mx.corp.de")

    assert await world.records.texts("corp.de") == ()
    assert await world.records.texts("gone.corp.de") == ()
    assert await world.records.addresses("gone.corp.de") == ()
    assert await world.records.exchangers("gone.corp.de") == ()


@pytest.mark.parametrize(
    ("kind", "value"),
    [("NS", "ns.corp.de"), ("MX", "mx.corp.de"), ("A", "192.0.2.7"), ("AAAA", "2001:db8::7"), ("TXT", "any")],
)
async def test_given_any_record_when_asked_then_the_name_is_known_and_others_are_not(
    world: World, kind: str, value: str
) -> None:
    world.has("corp.de", kind, value)

    assert await world.records.knows("corp.de")
    assert await world.records.knows("corp.de.")
    assert not await world.records.knows("gone.de")
    assert not await world.records.knows("sub.corp.de")


async def test_given_no_answer_when_asked_then_the_records_are_away(world: World) -> None:
    world.has("corp.de", "TXT", "v=spf1 -all")
    world.go_away()

    for ask in (world.records.texts, world.records.addresses, world.records.exchangers, world.records.knows):
        with pytest.raises(RecordsAway):
            await ask("corp.de")
