"""What every Resolver does (domain.ports.network)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import pytest

from adapters.system.egress import EgressPolicy
from adapters.system.resolver import SystemResolver
from domain.ports.network import (
    DeniedAddress,
    EgressDenied,
    NameUnavailable,
    NameUnknown,
    PeerAddress,
    ResolutionFailed,
    Resolver,
)
from tests.fakes.network import FakeResolver

Names: TypeAlias = Mapping[str, Sequence[str]]
MakeResolver: TypeAlias = Callable[[Names], Resolver]

NAMES: Names = {
    "mx.example.com": ("2606:4700::6810:84e5", "1.1.1.1", "1.1.1.1"),
    "down.example.com": (),
    "inside.example.com": ("10.0.0.5",),
}


def a_fake(names: Names) -> Resolver:
    answers: dict[str, Sequence[str] | ResolutionFailed] = dict(names)
    answers["down.example.com"] = NameUnavailable("down.example.com", "the name service did not answer")
    answers["inside.example.com"] = EgressDenied("inside.example.com", [DeniedAddress("10.0.0.5", "private")])
    return FakeResolver(answers)


def a_system_resolver(names: Names) -> Resolver:
    async def lookup(name: str) -> Sequence[str]:
        if name not in names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not names[name]:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return names[name]

    return SystemResolver(policy=EgressPolicy(), lookup=lookup)


@pytest.fixture(params=[a_fake, a_system_resolver], ids=["fake", "system"])
def resolver(request: pytest.FixtureRequest) -> Resolver:
    make: MakeResolver = request.param
    return make(NAMES)


@pytest.mark.parametrize("host", ["mx.example.com", "MX.Example.com", "mx.example.com."])
async def test_given_a_name_when_resolved_then_its_addresses_come_in_order_and_once(
    resolver: Resolver, host: str
) -> None:
    found = await resolver.resolve(host, 587)

    assert found == (PeerAddress("2606:4700::6810:84e5", 587, 6), PeerAddress("1.1.1.1", 587, 4))
    assert [str(peer) for peer in found] == ["[2606:4700::6810:84e5]:587", "1.1.1.1:587"]


@pytest.mark.parametrize(("host", "family"), [("1.1.1.1", 4), ("2606:4700::1111", 6)])
async def test_given_a_literal_when_resolved_then_it_is_the_address(resolver: Resolver, host: str, family: int) -> None:
    found = await resolver.resolve(host, 25)

    assert [(peer.ip, peer.port, peer.family) for peer in found] == [(host, 25, family)]


@pytest.mark.parametrize("host", ["nowhere.example.com", "127.1", "0x7f000001"])
async def test_given_a_host_that_is_none_when_resolved_then_unknown(resolver: Resolver, host: str) -> None:
    with pytest.raises(NameUnknown) as raised:
        await resolver.resolve(host, 25)

    assert raised.value.host == host
    assert raised.value.detail


async def test_given_a_silent_name_service_when_resolved_then_unavailable(resolver: Resolver) -> None:
    with pytest.raises(NameUnavailable) as raised:
        await resolver.resolve("down.example.com", 25)

    assert raised.value.host == "down.example.com"


async def test_given_a_host_inside_when_resolved_then_denied_with_its_addresses(resolver: Resolver) -> None:
    with pytest.raises(EgressDenied) as raised:
        await resolver.resolve("inside.example.com", 25)

    assert [address.ip for address in raised.value.denied] == ["10.0.0.5"]
