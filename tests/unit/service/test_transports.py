from __future__ import annotations

import pytest

from domain.message import Envelope
from domain.ports.transport import Earlier, Patience
from domain.secret import Secret
from domain.settings.model import GraphTransport, SmtpTransport
from service.transports import TransportBySettings
from tests.builders import a_graph_transport, an_address, an_smtp_transport, some_settings
from tests.fakes.transport import FakeTransport


class Kept(FakeTransport):
    """Notes what it is to forget, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.forgot: list[str] = []
        self.is_closed = False

    def forget(self, lane: str) -> None:
        self.forgot.append(lane)

    async def aclose(self) -> None:
        self.is_closed = True


class Unclosable(Kept):
    async def aclose(self) -> None:
        raise OSError("no")


class Tokens:
    async def token(self, *, rejected: Secret | None) -> Secret:
        return Secret("AT")


async def nothing() -> None:
    """Passes no point of no return."""


@pytest.mark.parametrize(
    ("transport", "chosen"), [(an_smtp_transport(), 0), (a_graph_transport(), 1)], ids=["smtp", "graph"]
)
async def test_given_settings_when_sent_or_signed_in_then_the_transport_of_their_kind_does_it_alone(
    transport: SmtpTransport | GraphTransport, chosen: int
) -> None:
    kinds, settings = (Kept(), Kept()), some_settings(transport=transport)
    both = TransportBySettings(smtp=kinds[0], graph=kinds[1])
    envelope = Envelope(sender=an_address(), recipients=(an_address("anna@example.com"),))

    await both.submit(
        settings,
        envelope,
        b"Hello",
        before_content=nothing,
        patience=Patience(),
        lane="a lane",
        earlier=Earlier.COPY,
    )
    await both.sign_in(settings, patience=Patience(), tokens=Tokens())

    (submitted,) = kinds[chosen].submitted
    assert (submitted.settings, submitted.envelope, submitted.content) == (settings, envelope, b"Hello")
    assert (submitted.lane, submitted.earlier) == ("a lane", Earlier.COPY)
    assert kinds[chosen].signed_in_with == ["AT"]
    assert (kinds[1 - chosen].submitted, kinds[1 - chosen].signed_in_with) == ([], [])


async def test_given_an_account_that_changed_when_forgotten_then_its_kept_connections_are() -> None:
    """Also of one that sends by Graph now: its connections were SMTP's."""
    smtp = Kept()

    TransportBySettings(smtp=smtp, graph=Kept()).forget("tenant\0alerts")

    assert smtp.forgot == ["tenant\0alerts"]


async def test_given_one_that_cannot_be_closed_when_closed_then_the_other_one_is() -> None:
    graph = Kept()

    with pytest.raises(OSError, match="no"):
        await TransportBySettings(smtp=Unclosable(), graph=graph).aclose()

    assert graph.is_closed
