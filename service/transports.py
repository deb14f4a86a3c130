"""The one transport of a process: it goes by SMTP or by Graph, as the settings say."""

from __future__ import annotations

from typing import Protocol

from domain.message import Envelope
from domain.ports.transport import (
    BeforeContent,
    Earlier,
    Lanes,
    MailTransport,
    Patience,
    Report,
    SignIn,
    TokenSource,
)
from domain.settings.model import GraphTransport, MailSettings, SmtpTransport


class ClosableTransport(MailTransport, Protocol):
    """A transport that has to come to an end."""

    async def aclose(self) -> None:
        """Ends what is under way or kept."""
        ...


class KeptTransport(ClosableTransport, Lanes, Protocol):
    """A transport that keeps connections for the next message."""


class TransportBySettings:
    """A `domain.ports.transport.MailTransport` and its `Lanes`, made of one for each kind of settings."""

    def __init__(self, *, smtp: KeptTransport, graph: ClosableTransport) -> None:
        self._smtp = smtp
        self._graph = graph

    async def submit(
        self,
        settings: MailSettings,
        envelope: Envelope,
        content: bytes,
        *,
        before_content: BeforeContent,
        patience: Patience,
        tokens: TokenSource | None = None,
        lane: str = "",
        earlier: Earlier = Earlier.NOTHING,
    ) -> Report:
        """See the port."""
        return await self._chosen(settings).submit(
            settings,
            envelope,
            content,
            before_content=before_content,
            patience=patience,
            tokens=tokens,
            lane=lane,
            earlier=earlier,
        )

    async def sign_in(self, settings: MailSettings, *, patience: Patience, tokens: TokenSource | None = None) -> SignIn:
        """See the port."""
        return await self._chosen(settings).sign_in(settings, patience=patience, tokens=tokens)

    def forget(self, lane: str) -> None:
        """See `Lanes`; of Graph nothing is kept from one message to the next."""
        self._smtp.forget(lane)

    async def aclose(self) -> None:
        """Ends what both keep."""
        try:
            await self._smtp.aclose()
        finally:
            await self._graph.aclose()

    def _chosen(self, settings: MailSettings) -> MailTransport:
        match settings.transport:
            case SmtpTransport():
                return self._smtp
            case GraphTransport():
                return self._graph
