"""What the port does not say of DNS: strings, servers that fail, names that are none, machines without a resolver."""

from __future__ import annotations

from datetime import timedelta

import dns.asyncresolver
import dns.resolver
import pytest

from adapters.dns.records import DnsRecords
from domain.ports.sender_dns import RecordsAway
from tests.peers.dns_server import DnsServer


async def test_given_a_record_of_several_strings_when_asked_for_then_they_are_joined_without_a_blank() -> None:
    async with DnsServer({("corp.de", "TXT"): ['"v=spf1 include:a" ".de -all"', '"\\255 \\195\\188"']}) as server:
        texts = await DnsRecords(resolver=server.resolver()).texts("corp.de")

    assert set(texts) == {"v=spf1 include:a.de -all", "\ufffd ü"}


async def test_given_a_null_mx_when_asked_for_then_there_are_no_exchangers() -> None:
    async with DnsServer({("corp.de", "MX"): ["0 ."]}) as server:
        assert await DnsRecords(resolver=server.resolver()).exchangers("corp.de") == ()


async def test_given_a_server_that_fails_when_asked_then_the_records_are_away_in_time() -> None:
    async with DnsServer({("corp.de", "TXT"): ['"x"']}) as server:
        server.is_broken = True
        with pytest.raises(RecordsAway):
            await DnsRecords(resolver=server.resolver(), longest=timedelta(milliseconds=200)).texts("corp.de")


@pytest.mark.parametrize("name", ["a..b", "x" * 64 + ".de", ".".join(["abcdefgh"] * 40)])
async def test_given_what_is_no_name_when_asked_then_nobody_is_and_the_records_are_away(name: str) -> None:
    async with DnsServer() as server:
        with pytest.raises(RecordsAway):
            await DnsRecords(resolver=server.resolver()).texts(name)

    assert server.asked == []


async def test_given_a_machine_without_name_servers_when_asked_then_the_records_are_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(*_: object, **__: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.asyncresolver.Resolver, "__init__", none)

    with pytest.raises(RecordsAway):
        await DnsRecords().texts("corp.de")
