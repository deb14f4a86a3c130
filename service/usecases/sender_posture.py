"""The step that asks the DNS how a from domain stands to the server that sends for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from domain.ports.sender_dns import RecordsAway, SenderRecords
from domain.sender_policy import (
    MOST_LOOKUPS,
    DmarcPolicy,
    SenderPosture,
    SendingServer,
    SpfCoverage,
    SpfMechanism,
    SpfTerm,
    dmarc_names,
    organisation_of,
    read_dmarc,
    read_spf,
)

_T = TypeVar("_T")


class ReadPosture:
    """Reads SPF and DMARC records side by side; whatever is not told in time is UNKNOWN."""

    def __init__(self, *, records: SenderRecords) -> None:
        self._records = records

    async def __call__(
        self, domain: str, server: SendingServer, *, judges_spf: bool, within: timedelta
    ) -> SenderPosture:
        """
        Returns the posture of *domain* within the time; without *judges_spf* SPF is left UNKNOWN. Never raises.

        What is not found of a domain that the DNS has nothing of is UNKNOWN, and not missing: many machines ask a DNS
        that knows their own network alone.
        """
        asked = _Known(self._records, organisation_of(domain))
        dmarc = asyncio.create_task(_in_time(self._dmarc(domain, asked), within, DmarcPolicy.UNKNOWN))
        try:
            spf = SpfCoverage.UNKNOWN
            if judges_spf:
                spf = await _in_time(self._spf(domain, server, asked), within, SpfCoverage.UNKNOWN)
            return SenderPosture(spf=spf, dmarc=await dmarc, is_domain_known=asked.answer is not False)
        finally:
            dmarc.cancel()

    async def _dmarc(self, domain: str, asked: _Known) -> DmarcPolicy:
        for name in dmarc_names(domain):
            policy = read_dmarc(await self._records.texts(name))
            if policy is not DmarcPolicy.MISSING:
                return policy
        return DmarcPolicy.MISSING if await asked() else DmarcPolicy.UNKNOWN

    async def _spf(self, domain: str, server: SendingServer, asked: _Known) -> SpfCoverage:
        """Follows the record and what it includes, up to RFC 7208's ten look-ups, until one names the server."""
        waiting, seen, is_certain = deque([domain]), set[str](), True
        while waiting and len(seen) < MOST_LOOKUPS:
            name = waiting.popleft()
            if name in seen:
                continue
            seen.add(name)
            record = read_spf(await self._records.texts(name))
            if isinstance(record, SpfCoverage):
                if name == domain:
                    is_told = record is not SpfCoverage.MISSING or await asked()
                    return record if is_told else SpfCoverage.UNKNOWN
                is_certain = is_certain and await self._records.knows(organisation_of(name))
                continue
            for term in record.terms:
                if term.is_computed:
                    is_certain = False
                elif await self._names(term, name, server):
                    return SpfCoverage.COVERED
                elif term.mechanism is SpfMechanism.INCLUDE:
                    waiting.append(term.domain)
            if "%" in record.redirect:
                is_certain = False
            elif record.redirect:
                if server.is_named_by(record.redirect):
                    return SpfCoverage.COVERED
                waiting.append(record.redirect)
        return SpfCoverage.NOT_COVERED if is_certain and not waiting else SpfCoverage.UNKNOWN

    async def _names(self, term: SpfTerm, name: str, server: SendingServer) -> bool:
        match term.mechanism:
            case SpfMechanism.ALL:
                return True
            case SpfMechanism.INCLUDE:
                return server.is_named_by(term.domain)
            case SpfMechanism.A:
                return await self._has_address(term.domain or name, server)
            case SpfMechanism.MX:
                hosts = await self._records.exchangers(term.domain or name)
                return any([await self._has_address(host, server) for host in hosts[:MOST_LOOKUPS]])
        return term.network is not None and server.is_in(term.network)

    async def _has_address(self, name: str, server: SendingServer) -> bool:
        if name == server.host:
            return True
        return not set(server.addresses).isdisjoint(await self._records.addresses(name))


class _Known:
    """Asks whether the DNS knows a domain, and keeps the answer."""

    def __init__(self, records: SenderRecords, domain: str) -> None:
        self._records = records
        self._domain = domain
        self.answer: bool | None = None
        """None: it was not asked, or there was no answer."""

    async def __call__(self) -> bool:
        if self.answer is None:
            self.answer = await self._records.knows(self._domain)
        return self.answer


async def _in_time(step: Awaitable[_T], within: timedelta, otherwise: _T) -> _T:
    try:
        async with asyncio.timeout(within.total_seconds()):
            return await step
    except (RecordsAway, TimeoutError):
        return otherwise
