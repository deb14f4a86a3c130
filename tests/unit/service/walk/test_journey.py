from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from mailport.v1 import configuration_pb2, delivery_pb2, mailbox_service_pb2
from mailport.v1 import mail_service_pb2 as api
from service.walk import Page, Surroundings, walk
from service.walk.screen import Astray
from tests.unit.service.cli.samples import (
    a_configuration,
    a_delivery,
    a_denial,
    a_failure,
    a_grant,
    a_session,
    a_trace,
)
from tests.unit.service.cli.servicer import FakeMailport, a_status, served

AUTHORIZATION_URL = "http://127.0.0.1:8080/sandbox/identity/strict/authorize?client_id=x&state=s3cret-state"
CALLBACK_URL = "http://127.0.0.1:8080/oauth/callback?code=c0de&state=s3cret-state"
OAUTH = configuration_pb2.OAuthAuthentication(
    provider=configuration_pb2.OAUTH_PROVIDER_CUSTOM,
    client_id="sandbox-client",
    client_secret="sandbox-client-secret",
    scopes=["openid", "mail.send"],
    username="office@sandbox.example",
)


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


class Person:
    """Consents, and has a browser that shows one page."""

    def __init__(self) -> None:
        self.consented: list[str] = []
        self.browsed: list[str] = []
        self.page = Page(200, "SMTP Settings Authorized")
        self.problem = ""

    def consent(self, authorization_url: str) -> str:
        if self.problem:
            raise Astray(self.problem)
        self.consented.append(authorization_url)
        return CALLBACK_URL

    async def browse(self, url: str) -> Page:
        self.browsed.append(url)
        return self.page


@pytest.fixture
def mailport() -> Iterator[FakeMailport]:
    authorized = a_configuration(
        configuration_id="office", grant=a_grant(), consent=a_session(configuration_pb2.CONSENT_STATE_AUTHORIZED)
    )
    fake = FakeMailport(
        {
            "GetOptions": api.GetOptionsResponse(providers=[configuration_pb2.ProviderPreset()]),
            "Configure": api.ConfigureResponse(configuration=a_configuration()),
            "SendTest": api.SendTestResponse(trace=a_trace(), tested=api.TESTED_SETTINGS_DRAFT),
            "Authorize": api.AuthorizeResponse(authorization_url=AUTHORIZATION_URL, state="s3cret-state"),
            "GetConfiguration": api.GetConfigurationResponse(configuration=authorized),
            "ValidateAndSave": api.ValidateAndSaveResponse(configuration=a_configuration(), trace=a_trace()),
            "Send": Deliveries(state=delivery_pb2.DELIVERY_STATE_SENT).send,
            "GetDelivery": api.GetDeliveryResponse(delivery=a_delivery()),
            "ListMessages": mailbox_service_pb2.ListMessagesResponse(
                messages=[mailbox_service_pb2.MailboxMessage(subject="Disk almost full", message_id="<1@example.com>")]
            ),
        }
    )
    with served(fake):
        yield fake


async def walk_with(
    mailport: FakeMailport, inbox: dict[str, str] | None = None, *, person: Person | None = None
) -> bool:
    pages = {"<1@example.com>": "/sandbox/inbox/9"} if inbox is None else inbox
    person = person or Person()
    around = Surroundings(
        web_url="http://127.0.0.1:8080",
        smtp_host="localhost",
        smtp_port=2525,
        imap_port=2143,
        username="robot@sandbox.example",
        password="sandbox-password",
        ca_pem="PEM",
        oauth=OAUTH,
        consent=person.consent,
        browse=person.browse,
        read_inbox=pages.get,
    )
    return await walk(grpc_address=mailport.address, around=around)


def names(requests: list[Any]) -> list[str]:
    return [type(request).__name__.removesuffix("Request") for request in requests]


async def test_given_a_mailport_with_its_sandbox_when_walked_then_eleven_steps_are_shown_with_their_commands(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    arrived = await walk_with(mailport)

    assert arrived
    assert names(mailport.requests) == [
        "GetOptions", "Configure", "SendTest", "ValidateAndSave", "Send", "Send", "GetDelivery",
        "ListMessages", "Configure", "Authorize", "GetConfiguration", "ValidateAndSave", "Send", "GetDelivery",
    ]  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "/11  " in line] == [f"{number}/11" for number in range(1, 12)]
    commands = [line.split()[2] for line in lines if line.startswith("     $ mailport ")]
    assert commands == [
        "options", "configure", "send-test", "validate", "send", "deliveries",
        "mailbox", "configure", "authorize", "validate", "send", "authorize",
    ]  # fmt: skip
    assert sum("http://127.0.0.1:8080/sandbox/inbox/9" in line for line in lines) == 2
    assert "sign in as office@sandbox.example with sandbox-password" in lines[-2]


async def test_given_the_sandbox_when_walked_then_is_configured_with_starttls_and_its_own_ca(
    mailport: FakeMailport,
) -> None:
    await walk_with(mailport)

    with_password, with_consent = (
        request.settings for request in mailport.requests if isinstance(request, api.ConfigureRequest)
    )
    assert with_password.smtp == configuration_pb2.SmtpTransport(
        host="localhost",
        port=2525,
        security=configuration_pb2.CONNECTION_SECURITY_STARTTLS,
        ca_certificates="PEM",
    )
    assert with_password.basic.password == "sandbox-password"
    assert with_consent.smtp == with_password.smtp
    assert with_consent.oauth == OAUTH
    assert with_consent.from_address == "office@sandbox.example"


async def test_given_a_person_when_walked_then_the_browser_goes_the_whole_way_and_what_it_carries_is_not_printed(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person()

    await walk_with(mailport, person=person)

    assert person.consented == [AUTHORIZATION_URL]
    assert person.browsed == [CALLBACK_URL]
    shown = capsys.readouterr().out
    assert "back at http://127.0.0.1:8080/oauth/callback and shows: SMTP Settings Authorized" in shown
    assert "✓ office is authorized." in shown
    assert "s3cret-state" not in shown
    assert "c0de" not in shown


async def test_given_a_consent_that_comes_to_nothing_when_walked_then_its_failure_and_the_page_are_shown(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = a_session(configuration_pb2.CONSENT_STATE_REFUSED, failure=a_denial())
    mailport.answers["GetConfiguration"] = api.GetConfigurationResponse(configuration=a_configuration(consent=refused))
    person = Person()
    person.page = Page(400, "Not authorized")

    arrived = await walk_with(mailport, person=person)

    assert not arrived
    shown = capsys.readouterr().out
    assert "remedy  Authorize again and consent." in shown
    assert "http://127.0.0.1:8080/oauth/callback answered 400: Not authorized" in shown
    assert names(mailport.requests)[-1] == "GetConfiguration"


async def test_given_a_provider_that_shows_an_error_when_walked_then_the_walk_tells_it(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    person = Person()
    person.problem = "The provider shows an error: redirect_uri_mismatch."

    arrived = await walk_with(mailport, person=person)

    assert not arrived
    assert "redirect_uri_mismatch" in capsys.readouterr().out
    assert names(mailport.requests)[-1] == "Authorize"


async def test_given_a_walk_before_when_walked_again_then_it_sends_a_mail_of_its_own(mailport: FakeMailport) -> None:
    first, again = await walk_with(mailport), await walk_with(mailport)

    keys = [request.idempotency_key for request in mailport.requests if isinstance(request, api.SendRequest)]
    assert first
    assert again
    assert keys[0] == keys[1]
    assert keys[3] == keys[4]
    assert len(set(keys)) == 4


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


async def test_given_a_mailbox_without_the_mail_when_walked_then_it_ends_there(
    mailport: FakeMailport, capsys: pytest.CaptureFixture[str]
) -> None:
    other = mailbox_service_pb2.MailboxMessage(subject="Disk almost full", message_id="<0@example.com>")
    mailport.answers["ListMessages"] = mailbox_service_pb2.ListMessagesResponse(messages=[other])

    arrived = await walk_with(mailport)

    assert not arrived
    assert "The mail <1@example.com> is not in the mailbox." in capsys.readouterr().out
