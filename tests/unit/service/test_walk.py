from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from mailport.v1 import configuration_pb2, delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.walk import walk
from tests.unit.service.cli.samples import a_configuration, a_delivery, a_failure, a_trace
from tests.unit.service.cli.servicer import FakeMailport, a_status, served


class Deliveries:
    """Answers Send as mailport does: the same delivery for the same key."""

    def __init__(self, *, state: delivery_pb2.DeliveryState.ValueType, remembers_keys: bool = True) -> None:
        self._state = state
        self._remembers_keys = remembers_keys
        self._by_key: dict[str, delivery_pb2.Delivery] = {}
        self._count = 0

    def send(self, request: api.SendRequest) -> api.SendResponse:
        if request.idempotency_key in self._by_key and self._remembers_keys:
            return api.SendResponse(delivery=self._by_key[request.idempotency_key], replayed=True)
        self._count += 1
        delivery = a_delivery(delivery_id=f"d-{self._count}", state=self._state)
        self._by_key[request.idempotency_key] = delivery
        return api.SendResponse(delivery=delivery)


@pytest.fixture
def mailport() -> Iterator[FakeMailport]:
    fake = FakeMailport(
        {
            "GetOptions": api.GetOptionsResponse(providers=[configuration_pb2.ProviderPreset()]),
            "Configure": api.ConfigureResponse(configuration=a_configuration()),
            "SendTest": api.SendTestResponse(trace=a_trace(), tested=api.TESTED_SETTINGS_DRAFT),
            "ValidateAndSave": api.ValidateAndSaveResponse(configuration=a_configuration(), trace=a_trace()),
            "Send": Deliveries(state=delivery_pb2.DELIVERY_STATE_SENT).send,
            "GetDelivery": api.GetDeliveryResponse(delivery=a_delivery()),
        }
    )
    with served(fake):
        yield fake


async def walk_with(mailport: FakeMailport, inbox: dict[str, str] | None = None) -> bool:
    pages = {"<1@example.com>": "/sandbox/inbox/9"} if inbox is None else inbox
    return await walk(
        grpc_address=mailport.address,
        web_url="http://127.0.0.1:8080",
        smtp_host="localhost",
        smtp_port=2525,
        username="robot@sandbox.example",
        password="sandbox-password",
        ca_pem="PEM",
        read_inbox=pages.get,
    )


def names(requests: list[Any]) -> list[str]:
    return [type(request).__name__.removesuffix("Request") for request in requests]


async def test_given_a_mailport_with_its_sandbox_when_walked_then_six_steps_are_shown_with_their_commands(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    arrived = await walk_with(mailport)

    assert arrived
    assert names(mailport.requests) == [
        "GetOptions", "Configure", "SendTest", "ValidateAndSave", "Send", "Send", "GetDelivery"
    ]  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert [line[:3] for line in lines if line[1:3] == "/6"] == ["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"]
    commands = [line.split()[2] for line in lines if line.startswith("     $ mailport ")]
    assert commands == ["options", "configure", "send-test", "validate", "send", "deliveries"]
    assert any("http://127.0.0.1:8080/sandbox/inbox/9" in line for line in lines)


async def test_given_the_sandbox_when_walked_then_is_configured_with_starttls_and_its_own_ca(
    mailport: FakeMailport,
) -> None:
    await walk_with(mailport)

    settings = mailport.requests[1].settings
    assert settings.smtp == configuration_pb2.SmtpTransport(
        host="localhost",
        port=2525,
        security=configuration_pb2.CONNECTION_SECURITY_STARTTLS,
        ca_certificates="PEM",
    )
    assert settings.basic.password == "sandbox-password"


async def test_given_a_walk_before_when_walked_again_then_it_sends_a_mail_of_its_own(mailport: FakeMailport) -> None:
    first, again = await walk_with(mailport), await walk_with(mailport)

    keys = [request.idempotency_key for request in mailport.requests if isinstance(request, api.SendRequest)]
    assert first
    assert again
    assert keys[0] == keys[1] != keys[2] == keys[3]


async def test_given_a_refusal_when_walked_then_it_is_explained_and_the_walk_ends(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    mailport.answers["SendTest"] = a_status(
        grpc.StatusCode.FAILED_PRECONDITION, "…", ErrorInfo(reason="AUTH_REJECTED"), a_failure(), a_trace()
    )

    arrived = await walk_with(mailport)

    assert not arrived
    assert names(mailport.requests)[-1] == "SendTest"
    assert "remedy  Check them, or make an app password." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("deliveries", "said"),
    [
        (Deliveries(state=delivery_pb2.DELIVERY_STATE_RETRYING), "should be sent by now"),
        (
            Deliveries(state=delivery_pb2.DELIVERY_STATE_SENT, remembers_keys=False),
            "it became another delivery: d-2",
        ),
    ],
)
async def test_given_a_send_that_goes_wrong_when_walked_then_says_what_should_have_been(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str], deliveries: Deliveries, said: str
) -> None:
    mailport.answers["Send"] = deliveries.send

    arrived = await walk_with(mailport)

    assert not arrived
    assert said in capsys.readouterr().out


async def test_given_a_mail_that_did_not_arrive_when_walked_then_says_so(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    arrived = await walk_with(mailport, inbox={})

    assert not arrived
    assert "<1@example.com> is not in the sandbox's inbox" in capsys.readouterr().out


async def test_given_nobody_listening_when_walked_then_says_so(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    mailport.address = "127.0.0.1:1"

    arrived = await walk_with(mailport)

    assert not arrived
    assert "UNAVAILABLE" in capsys.readouterr().out
