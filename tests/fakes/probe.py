"""A mail server whose doors are open as the test says."""

from __future__ import annotations

from datetime import timedelta

from domain.connection import ConnectionSecurity
from domain.ports.probe import Offer
from domain.settings.model import SmtpTransport


class FakeProbe:
    """`domain.ports.probe.ServerProbe`: answers with `offers` by port and security; `looked` holds what was asked."""

    def __init__(self, offers: dict[tuple[int, ConnectionSecurity], Offer] | None = None) -> None:
        self.offers = offers or {}
        self.looked: list[tuple[int, ConnectionSecurity]] = []

    async def look(self, smtp: SmtpTransport, *, time_left: timedelta) -> Offer | None:
        way = (smtp.port, smtp.security)
        self.looked.append(way)
        return self.offers.get(way) if time_left > timedelta(0) else None
