"""A Graph transport towards a scripted peer, and what tests send with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.graph.transport import GraphMailTransport
from adapters.oauth.dialling import JudgedTransports
from adapters.system.clock import SystemClock
from domain.address import EmailAddress
from domain.earlier import Earlier
from domain.message import Attachment, Envelope, NamedAddress, OutgoingMessage
from domain.mime.compose import compose
from domain.ports.network import Resolver
from domain.ports.transport import BeforeContent, Patience, Report, SignIn, TokenSource
from domain.providers.preset import OAuthProvider
from domain.settings.model import GraphTransport, MailSettings
from tests.builders import an_oauth_authentication
from tests.fakes.environment import FakeEntropy
from tests.fakes.network import FakeResolver
from tests.fakes.tokens import FakeTokens

ROBOT = EmailAddress("robot", "sandbox.example")
ANN = EmailAddress("ann", "customer.example")
MESSAGE_ID = "<one@sandbox.example>"
DATE = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
AT_ONCE = (timedelta(0), timedelta(milliseconds=20), timedelta(milliseconds=20))
PATIENCE = Patience(
    until_content=timedelta(seconds=60),
    each_reply=timedelta(seconds=30),
    content=timedelta(seconds=120),
    final_reply=timedelta(seconds=30),
)
HASTY = replace(PATIENCE, each_reply=timedelta(seconds=1), final_reply=timedelta(seconds=1))
"""For peers that never answer."""


def a_message(*attachments: Attachment, text: str = "Hello\n", **changes: Any) -> bytes:
    """A flattened message from the robot to Ann."""
    written = OutgoingMessage(
        sender=NamedAddress(ROBOT, "Robot"),
        to=(NamedAddress(ANN, "Ann"),),
        subject="Grüße",
        text_body=text,
        attachments=attachments,
    )
    return compose(replace(written, **changes), message_id=MESSAGE_ID, date=DATE)


def a_file(size: int, name: str = "data.bin") -> Attachment:
    """A file whose octets do not repeat in a short period."""
    pattern = bytes((place * place + place // 251) % 256 for place in range(65_536))
    content = (pattern * (size // len(pattern) + 1))[:size]
    return Attachment(file_name=name, content_type="application/octet-stream", content=content)


def graph_settings(base_url: str, *, username: str = str(ROBOT), **changes: Any) -> MailSettings:
    """Settings that send through Graph at *base_url*."""
    oauth = an_oauth_authentication(
        provider=OAuthProvider.MICROSOFT, username=username, scopes=("https://graph.microsoft.com/Mail.Send",)
    )
    return MailSettings(
        from_address=ROBOT, transport=GraphTransport(base_url=base_url, **changes), authentication=oauth
    )


class Mark:
    """Notes what had been asked for when the point of no return was passed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.passed = 0
        self._error = error

    async def __call__(self) -> None:
        self.passed += 1
        if self._error is not None:
            raise self._error


@dataclass
class Sender:
    """A transport and how tests use it."""

    transport: GraphMailTransport
    settings: MailSettings
    tokens: TokenSource = field(default_factory=lambda: FakeTokens("good"))

    async def submit(
        self,
        content: bytes,
        *recipients: EmailAddress,
        before_content: BeforeContent | None = None,
        patience: Patience = PATIENCE,
        earlier: Earlier = Earlier.NOTHING,
        settings: MailSettings | None = None,
    ) -> Report:
        """Offers *content* to Ann, or to *recipients*."""
        return await self.transport.submit(
            settings or self.settings,
            Envelope(sender=ROBOT, recipients=recipients or (ANN,)),
            content,
            before_content=before_content or Mark(),
            patience=patience,
            tokens=self.tokens,
            earlier=earlier,
        )

    async def sign_in(self, patience: Patience = PATIENCE) -> SignIn:
        """Proves the settings."""
        return await self.transport.sign_in(self.settings, patience=patience, tokens=self.tokens)


@asynccontextmanager
async def a_sender(
    base_url: str, *given: str, ca_file: Path | None = None, resolver: Resolver | None = None, **changes: Any
) -> AsyncIterator[Sender]:
    """A transport of its own, which looks again soon; *given* are its tokens."""
    clock = SystemClock()
    wires = JudgedTransports(resolver=resolver or FakeResolver(), clock=clock, ca_file=ca_file)
    transport = GraphMailTransport(
        open_wire=wires.open, clock=clock, entropy=FakeEntropy(), look_again=AT_ONCE, clean_again=AT_ONCE
    )
    try:
        yield Sender(transport, graph_settings(base_url, **changes), FakeTokens(*(given or ("good",))))
    finally:
        await transport.aclose()
