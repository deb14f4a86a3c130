"""A name server on loopback that knows what a test gives it, and one that says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Self

import dns.asyncresolver
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

_TTL = 60


class DnsServer(asyncio.DatagramProtocol):
    """
    Answers from *zone*, which maps names and types to records in master-file form; ``async with`` runs it.

    Names that are in it with another type have no such record, others do not exist. With `is_silent` nothing is
    answered, with `is_broken` SERVFAIL.
    """

    def __init__(self, zone: Mapping[tuple[str, str], Sequence[str]] | None = None) -> None:
        self.zone = dict(zone or {})
        self.is_silent = False
        self.is_broken = False
        self.asked: list[str] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = transport
        self.port = int(transport.get_extra_info("sockname")[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.close()

    def resolver(self) -> dns.asyncresolver.Resolver:
        """Returns a resolver that asks this server and no other."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = self.port
        return resolver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Does nothing: the transport is kept by whoever made it."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {kind}")
        if self.is_silent or self._transport is None:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        records = self.zone.get((name, kind))
        if self.is_broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            answer.answer.append(dns.rrset.from_text_list(question.name, _TTL, dns.rdataclass.IN, kind, list(records)))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)
