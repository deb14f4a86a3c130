"""DNS records as the test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.ports.sender_dns import RecordsAway

Zone = Mapping[tuple[str, str], Sequence[str]]


class FakeSenderRecords:
    """
    `domain.ports.sender_dns.SenderRecords`: *zone* maps a name and TXT, A, AAAA, MX or NS to records; other
    names are none.

    `is_away` lets nothing be answered. Every name asked for is in `asked`.
    """

    def __init__(self, zone: Zone | None = None) -> None:
        self.zone: dict[tuple[str, str], Sequence[str]] = dict(zone or {})
        self.is_away = False
        self.asked: list[str] = []

    async def knows(self, name: str) -> bool:
        return any(self._records(name, kind) for kind in ("NS", "MX", "A", "AAAA", "TXT"))

    async def texts(self, name: str) -> tuple[str, ...]:
        return self._records(name, "TXT")

    async def addresses(self, name: str) -> tuple[str, ...]:
        return (*self._records(name, "A"), *self._records(name, "AAAA"))

    async def exchangers(self, name: str) -> tuple[str, ...]:
        return self._records(name, "MX")

    def _records(self, name: str, kind: str) -> tuple[str, ...]:
        self.asked.append(name)
        if self.is_away:
            raise RecordsAway(name)
        return tuple(self.zone.get((name.removesuffix("."), kind), ()))
