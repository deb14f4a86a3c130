"""The port's implementation: one question, one answer, two seconds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from domain.ports.sender_dns import RecordsAway

LONGEST: Final = timedelta(seconds=2)
_MOST: Final = 100
_OF_A_DOMAIN: Final = ("NS", "MX", "A", "AAAA", "TXT")
"""The likeliest first."""
_NONE: Final = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


class DnsRecords:
    """`domain.ports.sender_dns.SenderRecords` by the system's name servers."""

    def __init__(self, *, resolver: dns.asyncresolver.Resolver | None = None, longest: timedelta = LONGEST) -> None:
        """Asks *resolver*, else the name servers that the system is configured with."""
        self._resolver = resolver
        self._longest = longest

    async def knows(self, name: str) -> bool:
        """Tells whether there is such a name; see the port."""
        for kind in _OF_A_DOMAIN:
            if await self._ask(name, kind):
                return True
        return False

    async def texts(self, name: str) -> tuple[str, ...]:
        """Returns the TXT records; see the port."""
        return tuple(b"".join(each.strings).decode("utf-8", "replace") for each in await self._ask(name, "TXT"))

    async def addresses(self, name: str) -> tuple[str, ...]:
        """Returns the addresses; see the port."""
        records = [*await self._ask(name, "A"), *await self._ask(name, "AAAA")]
        return tuple(str(each.address) for each in records)

    async def exchangers(self, name: str) -> tuple[str, ...]:
        """Returns the exchangers; see the port."""
        records = sorted(await self._ask(name, "MX"), key=lambda each: int(each.preference))
        hosts = (each.exchange.to_text(omit_final_dot=True) for each in records)
        return tuple(host for host in hosts if host not in ("", "."))

    async def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            absolute = dns.name.from_text(name)
            if self._resolver is None:
                self._resolver = dns.asyncresolver.Resolver()
            answer = await self._resolver.resolve(absolute, kind, lifetime=self._longest.total_seconds(), search=False)
        except _NONE:
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise RecordsAway(f"{name}: {type(error).__name__}") from error
        return list(answer)[:_MOST]
