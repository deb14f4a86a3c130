"""Field reports F23 and F26 to F29 through gRPC: what becomes of tokens, whatever endpoints and servers say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import psycopg
import pytest

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from tests.end_to_end.conftest import Mailport, a_message
from tests.end_to_end.consents import assert_in_order, configure, reaches, read, send, sent, validate
from tests.end_to_end.process import a_process
from tests.end_to_end.scripted import MICROSOFT, ROBOT, Scripted, later, refusal, still, tokens
from tests.end_to_end.test_journey import details, reason
from tests.integration.oauth.token_endpoint import CUT, HANG, TokenEndpoint, answer
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp

ENDED = 0
"""``expires_in`` of a token that is used once, just after it came, and then no more."""
HELD = delivery_pb2.DELIVERY_STATE_HELD
RETRYING = delivery_pb2.DELIVERY_STATE_RETRYING
SENT = delivery_pb2.DELIVERY_STATE_SENT


class Slow(TokenEndpoint):
    """Takes its time where a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.delay = timedelta(0)
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._news = asyncio.Condition()

    async def until_asked(self, count: int) -> None:
        """Returns when *count* requests have come, answered or not."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: len(self.asked) >= count)

    async def before_answer(self) -> None:
        async with self._news:
            self._news.notify_all()
        await self.go_on.wait()
        await asyncio.sleep(self.delay.total_seconds())


@asynccontextmanager
async def peers(mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA) -> AsyncIterator[Scripted]:
    server = await faulty_smtp(context=server_context(ca.issue("field")), tokens={ROBOT: "AT1"})
    async with Slow() as endpoint:
        yield Scripted(mailport.stub, endpoint, server, ca, mailport)


@pytest.fixture
async def field(mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA) -> AsyncIterator[Scripted]:
    async with peers(mailport, faulty_smtp, ca) as scripted:
        yield scripted


async def send_test(field: Scripted) -> api.SendTestResponse:
    request = api.SendTestRequest(configuration_id="alerts", to="admin@example.com")
    return await field.stub.SendTest(request, timeout=30)


async def refused_test(field: Scripted) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await send_test(field)
    return refused.value


# F23


@pytest.mark.parametrize("length", [335, 336, 4000])
async def test_given_f23_a_good_token_that_the_server_refuses_when_sent_then_one_refresh_and_one_new_try(
    field: Scripted, length: int
) -> None:
    long = "a" * length
    await field.consent(tokens(1), tokens(2, access_token=long), refusal("server_error", status=500))
    before = len(field.server.commands)
    field.server.tokens[ROBOT] = long

    delivery = await sent(field.stub, "after all")

    assert delivery.attempt_count == 1
    assert field.refreshed_with == ["RT1"]
    signing_in = [command for command in field.server.commands[before:] if command.startswith("AUTH")]
    assert len(signing_in) == 2
    assert (signing_in[1] == "AUTH XOAUTH2") == (length > 335)  # 512 octets with CRLF, else on a line of its own
    assert field.shown_tokens[1] == "AT1"
    assert (await read(field.stub)).health.state == configuration_pb2.HEALTH_STATE_HEALTHY


async def test_given_f23_a_server_that_refuses_every_token_when_sent_then_no_loop_and_the_challenge_is_told(
    field: Scripted,
) -> None:
    await field.consent(tokens(1), tokens(2), tokens(3), tokens(4))
    before = len(field.server.commands)
    field.server.tokens[ROBOT] = "nobody's"

    delivery = await reaches(field.stub, await send(field.stub, "refused"), HELD, RETRYING)

    assert delivery.failure.reason == "AUTH_REJECTED"
    assert delivery.failure.stage == failure_pb2.FAILURE_STAGE_AUTH
    assert "535" in delivery.failure.provider_code
    shown = [step for step in delivery.attempts[0].trace.steps if step.stage == failure_pb2.FAILURE_STAGE_AUTH]
    assert not shown[-1].succeeded
    assert "status 401" in delivery.failure.cause  # out of the challenge's JSON
    assert "status 401" in shown[-1].detail
    assert field.refreshed_with == ["RT1"]
    assert [command.split()[0] for command in field.server.commands[before:]].count("AUTH") == 2


# F26


async def test_given_f26_twenty_mails_over_two_processes_when_the_token_has_ended_then_one_token_request(
    field: Scripted, options: Options, database_url: str, tmp_path: Path
) -> None:
    assert options.database_url is not None
    await field.consent(tokens(1, expires_in=ENDED))
    field.server.tokens[ROBOT] = "AT2"
    endpoint = field.endpoint
    assert isinstance(endpoint, Slow)
    endpoint.delay = timedelta(milliseconds=500)
    endpoint.answers[:] = [tokens(2), refusal("invalid_grant")]
    before = len(field.shown_tokens)
    shared = {
        "MAILPORT_DATABASE_URL": options.database_url.reveal(),
        "MAILPORT_KEYS_FILE": str(options.keys_file),
    }

    async with a_process(tmp_path / "other", **shared) as other:
        both = (field.stub, other.stub)
        ids = await asyncio.gather(*(send(both[number % 2], f"mail-{number}") for number in range(20)))
        deliveries = [await reaches(other.stub, delivery_id, SENT, HELD, RETRYING) for delivery_id in ids]

    assert {delivery.state for delivery in deliveries} == {SENT}
    assert {delivery.attempt_count for delivery in deliveries} == {1}
    assert field.refreshed_with == ["RT1"]
    assert set(field.shown_tokens[before:]) == {"AT2"}
    with psycopg.connect(database_url) as connection:  # else this would prove less than it says
        workers = connection.execute("select count(distinct worker) from attempt").fetchone()
    assert workers == (2,)
    # What is stored is RT2: the next refresh posts it.
    endpoint.answers[:] = [tokens(3)]
    field.server.tokens[ROBOT] = "AT3"
    await field.server.end_sessions()  # one that is kept needs no token
    await sent(field.stub, "the next refresh")
    assert field.refreshed_with == ["RT1", "RT2"]


async def test_given_f26_invalid_grant_for_a_token_that_is_no_longer_stored_when_it_comes_then_the_account_is_well(
    field: Scripted,
) -> None:
    await field.consent(tokens(1, expires_in=ENDED))
    endpoint, stub = field.endpoint, field.stub
    assert isinstance(endpoint, Slow)
    endpoint.go_on.clear()
    delivery_id = await send(stub, "meanwhile")
    await endpoint.until_asked(2)  # with RT1, and nothing is answered yet
    field.server.tokens[ROBOT] = "AT2"

    # The exchange comes while the refresh waits, so each gets its own answer.
    renewed = asyncio.create_task(field.consent_again(refusal("invalid_grant"), tokens(2)))
    await endpoint.until_asked(3)
    endpoint.go_on.set()
    await renewed

    await reaches(stub, delivery_id, SENT)
    found = await read(stub)
    assert found.health.state == configuration_pb2.HEALTH_STATE_HEALTHY
    assert found.grant.state == configuration_pb2.GRANT_STATE_FRESH
    assert field.refreshed_with == ["RT1"]


# F27


@pytest.mark.parametrize("written", [..., "", None], ids=["absent", "empty", "null"])
async def test_given_f27_a_refresh_answer_without_a_refresh_token_when_refreshed_again_then_the_old_one_is_posted(
    field: Scripted, written: object
) -> None:
    stub = field.stub
    consented = await field.consent(
        tokens(1, expires_in=ENDED, scope="https://mail.sandbox.example/"),
        tokens(2, refresh_token=written, expires_in=ENDED),
        tokens(3, refresh_token=written, scope=written),
    )
    field.server.tokens[ROBOT] = "AT2"
    await sent(stub, "with AT2")
    field.server.tokens[ROBOT] = "AT3"
    await field.server.end_sessions()  # one that is kept needs no token

    await sent(stub, "with AT3")
    await field.server.end_sessions()
    await sent(stub, "with AT3 still")

    assert field.refreshed_with == ["RT1", "RT1"]
    assert field.shown_tokens[-1] == "AT3"
    assert list((await read(stub)).grant.granted_scopes) == list(consented.granted_scopes)


# F28

HOUR = timedelta(hours=1)
LIFETIMES: dict[str, tuple[dict[str, object], timedelta]] = {
    "text": ({"expires_in": "3600"}, HOUR),
    "float": ({"expires_in": 3600.0}, HOUR),
    "absent": ({"expires_in": ...}, HOUR),
    "null": ({"expires_in": None}, HOUR),
    "word": ({"expires_in": "abc"}, HOUR),
    "negative": ({"expires_in": -1}, timedelta(0)),
    "expires_at": ({"expires_in": 3600, "expires_at": "soon"}, HOUR),
}


@pytest.mark.parametrize("form", LIFETIMES)
async def test_given_f28_a_lifetime_however_it_is_written_when_exchanged_and_refreshed_then_it_ends_when_it_should(
    field: Scripted, form: str
) -> None:
    stub = field.stub
    changes, lifetime = LIFETIMES[form]

    await field.consent(tokens(1, **changes), tokens(2, **changes), tokens(3, **changes))
    exchanged = (await read(stub)).grant
    field.server.tokens[ROBOT] = "AT2"
    await sent(stub, "refreshed, because it has ended or is refused")
    refreshed = (await read(stub)).grant
    field.server.tokens[ROBOT] = "AT2" if lifetime else "AT3"
    await field.server.end_sessions()  # one that is kept needs no token
    await sent(stub, "once more")

    assert end_of(exchanged) - exchanged.authorize_time.ToDatetime(UTC) == lifetime
    assert end_of(refreshed) - refreshed.refresh_time.ToDatetime(UTC) == lifetime
    assert field.refreshed_with == (["RT1"] if lifetime else ["RT1", "RT2"])


def end_of(grant: configuration_pb2.Grant) -> datetime:
    return grant.access_token_expire_time.ToDatetime(UTC)


# F29

DEAD = refusal(
    "invalid_grant",
    error_codes=[50173],
    error_description="AADSTS50173: The provided grant has expired due to it being revoked.",
)


async def test_given_f29_a_dead_grant_when_mail_is_sent_then_it_is_held_nobody_is_asked_again_and_consent_releases_it(
    field: Scripted,
) -> None:
    field.provider, stub = MICROSOFT, field.stub
    await field.consent(tokens(1, expires_in=ENDED), DEAD)

    first = await reaches(stub, await send(stub, "held 0"), HELD)
    others = [await send(stub, f"held {number}") for number in range(1, 4)]
    held = [first, *[await reaches(stub, delivery_id, HELD) for delivery_id in others]]
    tested = await refused_test(field)
    found = await read(stub)
    await configure(stub, field.settings())
    with pytest.raises(grpc.aio.AioRpcError) as unproven:
        await validate(stub)

    assert {delivery.failure.reason for delivery in held} == {"REAUTH_REQUIRED"}
    assert {delivery.failure.kind for delivery in held} == {failure_pb2.FAILURE_KIND_REAUTHORIZE}
    assert "AADSTS50173" in first.failure.provider_reply
    assert (tested.code(), reason(tested)) == (grpc.StatusCode.FAILED_PRECONDITION, "REAUTH_REQUIRED")
    assert unproven.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert found.health.state == configuration_pb2.HEALTH_STATE_REAUTHORIZATION_REQUIRED
    assert found.grant.state == configuration_pb2.GRANT_STATE_REAUTHORIZATION_REQUIRED
    assert field.refreshed_with == ["RT1"]

    field.server.tokens[ROBOT] = "AT2"
    await field.consent_again(tokens(2))
    released = [await reaches(stub, delivery.delivery_id, SENT) for delivery in held]
    assert_in_order(released)
    assert (await read(stub)).health.state == configuration_pb2.HEALTH_STATE_HEALTHY
    assert (await send_test(field)).tested
    assert field.refreshed_with == ["RT1"]


AWAY = {
    "503": answer(status=503, body=b"<html><h1>Down for maintenance</h1></html>", content_type="text/html"),
    "500": refusal("server_error", status=500),
    "429": answer({"error": "rate_limit_exceeded"}, status=429, headers={"Retry-After": "30"}),
    "temporarily_unavailable": refusal("temporarily_unavailable"),
    "connection lost": CUT,
    "timeout": HANG,
}


@pytest.mark.parametrize("form", AWAY)
async def test_given_f29_a_token_endpoint_that_is_away_when_mail_is_sent_then_it_is_tried_later_and_no_consent_is_asked(
    field: Scripted, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert field.mailport is not None
    stub, parts = field.stub, field.mailport.service.parts
    assert parts is not None
    monkeypatch.setattr(parts.authorization_server(), "_total", timedelta(seconds=1))  # nobody waits for the real 15
    await field.consent(tokens(1, expires_in=ENDED), AWAY[form])

    still(monkeypatch)  # however busy the machine is, the test mail comes within the pause
    delivery = await reaches(stub, await send(stub, "later"), HELD, RETRYING)
    tested = await refused_test(field)
    found = await read(stub)

    assert delivery.state == RETRYING
    assert delivery.next_attempt_time.ToDatetime(UTC) > delivery.update_time.ToDatetime(UTC)
    assert delivery.failure.stage == failure_pb2.FAILURE_STAGE_TOKEN
    assert tested.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert "RetryInfo" in details(tested)  # nothing is asked before the pause is over
    assert found.grant.state == configuration_pb2.GRANT_STATE_EXPIRED
    assert found.health.state != configuration_pb2.HEALTH_STATE_REAUTHORIZATION_REQUIRED
    assert field.refreshed_with == ["RT1"]

    later(monkeypatch, timedelta(minutes=2))
    field.endpoint.answers[:] = [tokens(2)]
    field.server.tokens[ROBOT] = "AT2"
    await send_test(field)
    assert field.refreshed_with == ["RT1", "RT1"]
    assert (await read(stub)).grant.state == configuration_pb2.GRANT_STATE_FRESH


async def test_given_f29_invalid_client_when_mail_is_sent_then_the_client_is_to_blame_and_not_the_consent(
    field: Scripted,
) -> None:
    stub = field.stub
    await field.consent(tokens(1, expires_in=ENDED), refusal("invalid_client", status=401))

    delivery = await reaches(stub, await send(stub, "misconfigured"), HELD, RETRYING)
    tested = await refused_test(field)
    found = await read(stub)

    assert delivery.failure.reason == "CLIENT_CONFIG"
    assert (tested.code(), reason(tested)) == (grpc.StatusCode.FAILED_PRECONDITION, "CLIENT_CONFIG")
    assert found.health.state == configuration_pb2.HEALTH_STATE_MISCONFIGURED
    assert found.grant.state == configuration_pb2.GRANT_STATE_EXPIRED


async def test_given_f29_a_dead_grant_when_sent_with_a_key_twice_then_the_held_mail_is_one(field: Scripted) -> None:
    stub = field.stub
    await field.consent(tokens(1, expires_in=ENDED), refusal("invalid_grant"))
    request = api.SendRequest(configuration_id="alerts", message=a_message(), idempotency_key="k1")

    first = (await stub.Send(request)).delivery
    await reaches(stub, first.delivery_id, HELD)
    second = (await stub.Send(request)).delivery

    assert second.delivery_id == first.delivery_id
    assert second.state == HELD
