"""Field reports F18, F20, F21 and F24 through gRPC: whatever mail servers say and however they hang up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, timedelta

import grpc
import psycopg
import pytest

from mailport.v1 import configuration_pb2, delivery_pb2, failure_pb2
from mailport.v1 import mail_service_pb2 as api
from service.options import Options
from tests.end_to_end.conftest import Mailport, a_message, started
from tests.end_to_end.consents import end_kept_sessions, reaches, send, sent
from tests.end_to_end.test_journey import details, reason
from tests.peers.ca import TestCA, server_context
from tests.peers.faulty_smtp import FaultySmtp, Plan
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import Item, abort, close, ehlo, expect, farewell, mail, starttls, wait
from tests.peers.script import send as say

FAILED = delivery_pb2.DELIVERY_STATE_FAILED
RETRYING = delivery_pb2.DELIVERY_STATE_RETRYING
SENT = delivery_pb2.DELIVERY_STATE_SENT
NEITHER_EARLY_NOR_LATE = timedelta(minutes=1), timedelta(minutes=30)
"""Within which the first pause after a temporary refusal lies (F21)."""


def settings(port: int, ca: TestCA) -> configuration_pb2.Settings:
    return configuration_pb2.Settings(
        from_address="robot@example.com",
        smtp=configuration_pb2.SmtpTransport(host="localhost", port=port, ca_certificates=ca.pem),
    )


def opening(ca: TestCA) -> Item:
    """What begins each connection of a scripted server."""
    return (say("220 mx ESMTP"), ehlo("STARTTLS"), starttls(server_context(ca.issue("field"))), ehlo("SIZE 1000000"))


@pytest.fixture
async def server(mailport: Mailport, faulty_smtp: StartFaultySmtp, ca: TestCA) -> FaultySmtp:
    """A server that the active configuration sends to; what proved it is forgotten."""
    server = await faulty_smtp(context=server_context(ca.issue("field")))
    await mailport.configure(settings(server.port, ca))
    server.messages.clear()
    server.commands.clear()
    return server


def message_to(*recipients: str) -> delivery_pb2.Message:
    return a_message(to=[delivery_pb2.Address(address=address) for address in recipients])


async def accepted(mailport: Mailport, *recipients: str) -> delivery_pb2.Delivery:
    request = api.SendRequest(configuration_id="alerts", message=message_to(*recipients))
    return (await mailport.stub.Send(request)).delivery


async def its_time_comes(database_url: str, delivery_id: str) -> None:
    """Lets the pause before the next attempt be over, and the rest of an account whose server spoke of the account."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        done = await connection.execute(
            "update delivery set next_attempt_time = now() where delivery_id = %s and state = 'RETRYING'",
            (delivery_id,),
        )
        assert done.rowcount == 1
        await connection.execute("update allowance set rest_until = now(), wait_until = null")


async def attempted(mailport: Mailport, delivery_id: str, count: int) -> delivery_pb2.Delivery:
    """Waits until *count* attempts are recorded."""
    async with asyncio.timeout(30):
        while True:
            found = (await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery_id))).delivery
            if len(found.attempts) == count and found.attempts[-1].HasField("end_time"):
                return found
            await asyncio.sleep(0.02)


def states(delivery: delivery_pb2.Delivery) -> dict[str, delivery_pb2.RecipientState.ValueType]:
    return {result.address.partition("@")[0]: result.state for result in delivery.recipients}


def said(server: FaultySmtp, verb: str) -> list[str]:
    return [command for command in server.commands if command.startswith(verb)]


# F18


@pytest.mark.parametrize(
    "end",
    [
        [say("421 4.4.2 smtp.example.com Error: timeout exceeded"), close()],
        [close()],
        [expect("MAIL .*"), abort()],
        [expect("MAIL .*"), say("421 4.4.2 smtp.example.com Error: timeout exceeded"), close()],
    ],
    ids=["421", "closed", "reset in the middle of MAIL", "421 crosses MAIL"],
)
async def test_given_f18_a_session_that_the_server_ended_when_mail_follows_then_it_goes_at_once_and_nobody_retries(
    mailport: Mailport, line_server: StartLineServer, ca: TestCA, end: list[Item]
) -> None:
    is_over = asyncio.Event()
    server = await line_server(
        [opening(ca), mail(), farewell()],  # the mail that proves the settings
        [opening(ca), mail(), wait(is_over), *end],
        [opening(ca), mail(), farewell()],
    )
    await mailport.configure(settings(server.port, ca))
    first = await sent(mailport.stub, "first")
    is_over.set()

    second = await sent(mailport.stub, "second")

    assert (first.attempt_count, second.attempt_count) == (1, 1)
    assert not second.HasField("failure")
    assert not second.HasField("next_attempt_time")
    assert len(server.messages) == 3
    assert [b"Subject: second" in message for message in server.messages] == [False, False, True]
    end_kept_sessions(mailport)
    await server.finished()


async def test_given_f18_a_421_on_a_fresh_connection_when_sent_then_it_is_a_temporary_failure_as_any_other(
    mailport: Mailport, server: FaultySmtp
) -> None:
    server.plan["ehlo"] = ["421 4.3.2 not now"]

    delivery = await reaches(mailport.stub, await send(mailport.stub, "refused"), RETRYING, SENT)

    assert delivery.state == RETRYING
    assert delivery.attempt_count == 1
    assert delivery.failure.kind == failure_pb2.FAILURE_KIND_TRANSIENT
    assert server.messages == []


# F20


async def test_given_f20_one_gone_and_one_busy_recipient_when_tried_again_then_only_the_busy_one_is_and_nobody_has_two(
    mailport: Mailport, server: FaultySmtp, database_url: str
) -> None:
    server.plan["rcpt:gone@example.com"] = "550 5.1.1 unknown"
    server.plan["rcpt:later@example.com"] = ["450 4.2.1 busy"]
    everybody = [f"{name}@example.com" for name in ("ok1", "gone", "later", "ok2")]

    first = await attempted(mailport, (await accepted(mailport, *everybody)).delivery_id, 1)
    server.commands.clear()
    await its_time_comes(database_url, first.delivery_id)
    second = await reaches(mailport.stub, first.delivery_id, delivery_pb2.DELIVERY_STATE_PARTIALLY_SENT, FAILED, SENT)

    assert first.state == RETRYING
    assert states(first) == {
        "ok1": delivery_pb2.RECIPIENT_STATE_SENT,
        "gone": delivery_pb2.RECIPIENT_STATE_REJECTED,
        "later": delivery_pb2.RECIPIENT_STATE_PENDING,
        "ok2": delivery_pb2.RECIPIENT_STATE_SENT,
    }
    (gone,) = (result for result in first.recipients if result.address == "gone@example.com")
    assert gone.failure.provider_code.startswith("550")
    assert second.state == delivery_pb2.DELIVERY_STATE_PARTIALLY_SENT
    assert states(second) == {**states(first), "later": delivery_pb2.RECIPIENT_STATE_SENT}
    assert [command.split(" ")[1] for command in said(server, "RCPT")] == ["TO:<later@example.com>"]
    assert [message.rcpt_tos for message in server.messages] == [
        ("ok1@example.com", "ok2@example.com"),
        ("later@example.com",),
    ]


async def test_given_f20_all_recipients_gone_when_sent_then_it_fails_at_once_and_no_content_is_offered(
    mailport: Mailport, server: FaultySmtp
) -> None:
    server.plan["rcpt"] = "550 5.1.1 unknown"

    delivery = await reaches(
        mailport.stub, (await accepted(mailport, "a@example.com", "b@example.com")).delivery_id, FAILED, RETRYING
    )

    assert delivery.state == FAILED
    assert set(states(delivery).values()) == {delivery_pb2.RECIPIENT_STATE_REJECTED}
    assert delivery.failure.stage == failure_pb2.FAILURE_STAGE_RCPT_TO
    assert said(server, "DATA") == []


async def test_given_f20_a_test_recipient_that_is_refused_when_proven_then_nothing_is_saved_and_it_was_the_recipient(
    mailport: Mailport, server: FaultySmtp, ca: TestCA
) -> None:
    server.plan["rcpt"] = "550 5.1.1 unknown"
    draft = api.ConfigureRequest(configuration_id="other", settings=settings(server.port, ca))
    await mailport.stub.Configure(draft)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.ValidateAndSave(
            api.ValidateAndSaveRequest(configuration_id="other", user_email="gone@example.com")
        )

    found = await mailport.stub.GetConfiguration(api.GetConfigurationRequest(configuration_id="other"))
    failure = details(refused.value)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)
    assert failure.stage == failure_pb2.FAILURE_STAGE_RCPT_TO
    assert reason(refused.value) != "AUTH_REJECTED"
    assert not found.configuration.HasField("active")


# F21

GREYLISTED: dict[str, tuple[str, str]] = {
    "450 at RCPT": ("rcpt", "450 4.2.0 Greylisted"),
    "422 at RCPT": ("rcpt", "422 4.2.2 Greylisted"),
    "451 at MAIL": ("mail", "451 4.7.1 try again later"),
    "421 before all": ("ehlo", "421 4.7.0 too busy"),
    "never seen": ("dot", "478 4.9.9 the moon is full"),
}


@pytest.mark.parametrize("form", GREYLISTED)
async def test_given_f21_a_mail_put_off_twice_when_tried_again_then_each_is_a_later_attempt_of_the_same_message(
    mailport: Mailport, server: FaultySmtp, database_url: str, form: str
) -> None:
    stage, reply = GREYLISTED[form]
    put_off: Plan = [reply, reply]
    server.plan[stage] = put_off
    delivery_id = (await accepted(mailport, "anna@example.com")).delivery_id

    waits = []
    for number in (1, 2):
        waiting = await attempted(mailport, delivery_id, number)
        assert waiting.state == RETRYING
        assert waiting.failure.kind in (failure_pb2.FAILURE_KIND_TRANSIENT, failure_pb2.FAILURE_KIND_THROTTLED)
        assert waiting.failure.provider_code.startswith(reply[:3])
        waits.append(waiting.next_attempt_time.ToDatetime(UTC) - waiting.update_time.ToDatetime(UTC))
        assert not server.messages
        await its_time_comes(database_url, delivery_id)
    delivery = await reaches(mailport.stub, delivery_id, SENT)

    earliest, latest = NEITHER_EARLY_NOR_LATE
    assert earliest <= waits[0] <= latest
    assert waits[0] < waits[1]  # doubled, and spread by a fifth at most
    assert delivery.attempt_count == 3
    (message,) = server.messages
    assert delivery.message_id.encode() in message.content


async def test_given_f21_a_greylisted_mail_when_mailport_is_restarted_then_it_keeps_the_time_of_its_next_attempt(
    options: Options, faulty_smtp: StartFaultySmtp, ca: TestCA
) -> None:
    server = await faulty_smtp(context=server_context(ca.issue("field")))
    async with started(options) as mailport:
        await mailport.configure(settings(server.port, ca))
        server.plan["rcpt:anna@example.com"] = ["450 4.2.0 Greylisted"]
        before = await attempted(mailport, (await accepted(mailport, "anna@example.com")).delivery_id, 1)

    async with started(options) as mailport:
        await sent_to(mailport, "other@example.com")  # the worker has looked at the queue
        found = await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=before.delivery_id))

    assert before.state == RETRYING
    assert found.delivery == before


async def sent_to(mailport: Mailport, recipient: str) -> None:
    request = api.SendRequest(configuration_id="alerts", message=message_to(recipient), wait=True)
    assert (await mailport.stub.Send(request, timeout=30)).delivery.state == SENT


async def test_given_f21_a_greylisting_server_when_tested_then_it_is_temporary_and_no_word_of_the_password(
    mailport: Mailport, server: FaultySmtp
) -> None:
    server.plan["rcpt"] = "450 4.2.0 Greylisted"

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await mailport.stub.SendTest(api.SendTestRequest(configuration_id="alerts", to="admin@example.com"))

    failure = details(refused.value)["Failure"]
    assert isinstance(failure, failure_pb2.Failure)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert failure.kind == failure_pb2.FAILURE_KIND_TRANSIENT
    assert "password" not in failure.cause + failure.remedy


# F24

QUIT = expect("QUIT")


@pytest.mark.parametrize(
    "end",
    [[close()], [abort()], [QUIT, close()], [QUIT, say("421 4.4.2 too late"), close()], [QUIT, abort()]],
    ids=["closed at once", "reset at once", "QUIT unanswered", "421 to QUIT", "reset at QUIT"],
)
async def test_given_f24_a_250_and_then_a_broken_connection_when_sent_then_it_is_sent_once_and_stays_so(
    mailport: Mailport, line_server: StartLineServer, ca: TestCA, end: Sequence[Item]
) -> None:
    server = await line_server([opening(ca), mail(), farewell()], [opening(ca), mail(), *end])
    await mailport.configure(settings(server.port, ca))

    delivery = await sent(mailport.stub, "only once")
    end_kept_sessions(mailport)
    await server.finished()

    found = await mailport.stub.GetDelivery(api.GetDeliveryRequest(delivery_id=delivery.delivery_id))
    (attempt,) = found.delivery.attempts
    assert found.delivery.state == SENT
    assert found.delivery.update_time == delivery.final_time
    assert not attempt.in_doubt
    assert not attempt.HasField("failure")
    assert sum(b"Subject: only once" in message for message in server.messages) == 1
