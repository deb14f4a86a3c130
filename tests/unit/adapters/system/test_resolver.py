"""Answers of the name service, judged before anybody sees them (P21, T17)."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from adapters.system.egress import EgressPolicy
from adapters.system.resolver import SystemLookup, SystemResolver
from domain.ports.network import EgressDenied, NameUnavailable, NameUnknown, PeerAddress


class Names:
    """A name service with one answer, or a list of them for one call after the other; keeps what it was asked."""

    def __init__(self, *answers: Sequence[str] | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


def a_resolver(names: Names, *, allow: str = "") -> SystemResolver:
    return SystemResolver(policy=EgressPolicy.parse(allow), lookup=names)


async def test_given_a_mixed_answer_when_resolved_then_only_the_public_addresses_are_dialled() -> None:
    names = Names(["10.0.0.5", "fd00::1", "2606:4700::1111", "169.254.169.254", "1.1.1.1"])

    found = await a_resolver(names).resolve("mx.example.com", 587)

    assert found == (PeerAddress("2606:4700::1111", 587, 6), PeerAddress("1.1.1.1", 587, 4))


async def test_given_a_name_that_leads_inside_when_resolved_then_denied_with_every_address_and_reason() -> None:
    names = Names(["10.0.0.5", "64:ff9b::a9fe:a9fe"])

    with pytest.raises(EgressDenied) as raised:
        await a_resolver(names).resolve("rebind.example.com", 25)

    assert [(denied.ip, denied.why) for denied in raised.value.denied] == [
        ("10.0.0.5", "in 10.0.0.0/8 (private network, RFC 1918)"),
        ("64:ff9b::a9fe:a9fe", "169.254.169.254, in 169.254.0.0/16 (link-local, cloud metadata)"),
    ]
    assert "10.0.0.5 is in 10.0.0.0/8" in raised.value.detail


async def test_given_a_name_that_is_rebound_when_resolved_twice_then_each_answer_is_judged() -> None:
    names = Names(["1.1.1.1"], ["127.0.0.1"])
    resolver = a_resolver(names)

    first = await resolver.resolve("rebind.example.com", 25)
    with pytest.raises(EgressDenied):
        await resolver.resolve("rebind.example.com", 25)

    assert [peer.ip for peer in first] == ["1.1.1.1"]


async def test_given_a_mapped_answer_when_resolved_then_the_ipv4_address_is_dialled() -> None:
    found = await a_resolver(Names(["::ffff:1.1.1.1", "1.1.1.1"])).resolve("mx.example.com", 25)

    assert found == (PeerAddress("1.1.1.1", 25, 4),)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1%1", "10.0.0.1"])
async def test_given_a_literal_inside_when_resolved_then_denied_without_a_lookup(host: str) -> None:
    names = Names(["1.1.1.1"])

    with pytest.raises(EgressDenied):
        await a_resolver(names).resolve(host, 25)

    assert names.asked == []


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "\u2460\u2461\u2466.1", "a" * 64, "a..b"]
)
async def test_given_a_number_that_is_no_address_when_resolved_then_unknown_without_a_lookup(host: str) -> None:
    names = Names(["127.0.0.1"])

    with pytest.raises(NameUnknown, match="neither a host name nor an IP address"):
        await a_resolver(names, allow="127.0.0.0/8").resolve(host, 25)

    assert names.asked == []


async def test_given_a_host_the_operator_named_when_resolved_then_its_addresses_are_not_judged() -> None:
    resolver = a_resolver(Names(["10.0.0.5", "::1"]), allow="relay.corp.example")

    found = await resolver.resolve("Relay.corp.example.", 25)

    assert [peer.ip for peer in found] == ["10.0.0.5", "::1"]
    with pytest.raises(EgressDenied):
        await resolver.resolve("other.corp.example", 25)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), NameUnknown),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), NameUnavailable),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), NameUnavailable),
        (socket.gaierror(socket.EAI_SYSTEM, "System error"), NameUnavailable),
        (OSError(24, "Too many open files"), NameUnavailable),
    ],
)
async def test_given_a_failing_lookup_when_resolved_then_unknown_and_unavailable_are_told_apart(
    error: OSError, outcome: type[Exception]
) -> None:
    with pytest.raises(outcome) as raised:
        await a_resolver(Names(error)).resolve("mx.example.com", 25)

    assert raised.value.__cause__ is error


async def test_given_a_name_without_addresses_when_resolved_then_unknown() -> None:
    with pytest.raises(NameUnknown, match="no address"):
        await a_resolver(Names([])).resolve("mx.example.com", 25)


async def test_given_the_machine_itself_when_looked_up_then_its_loopback_addresses_come_once_each() -> None:
    resolver = SystemResolver(policy=EgressPolicy.parse("localhost"), lookup=SystemLookup())

    found = await resolver.resolve("localhost", 25)

    assert {peer.ip for peer in found} <= {"127.0.0.1", "::1"}
    assert len(found) == len(set(found)) >= 1
