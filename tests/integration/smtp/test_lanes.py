"""Connections kept for the next message: whose they are, how many, and what a refusal does to them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.limits import AccountLimits
from domain.secret import Secret
from tests.fakes.tokens import FakeTokens
from tests.integration.smtp.lanes import GREETING, PIPELINING, a_sender, commands, send_in, stages
from tests.integration.smtp.sending import (
    CONTENT,
    ROBOT,
    STARTTLS,
    Sender,
    a_patience,
    failure_of,
    some_settings,
    step_of,
)
from tests.integration.smtp.test_tokens import OAUTH, USER
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import Item, close, expect, farewell, hang, mail, send, signal, wait

# One connection, many messages.


@pytest.mark.parametrize("announce", [(), ("PIPELINING",)], ids=["one by one", "in groups"])
async def test_given_a_lane_when_messages_follow_each_other_then_they_share_a_connection(
    sender: Sender, faulty_smtp: StartFaultySmtp, announce: tuple[str, ...]
) -> None:
    server = await faulty_smtp(passwords={ROBOT.username: ROBOT.password.reveal()}, announce=announce)

    reports = await send_in(sender, some_settings(server.port, authentication=ROBOT), count=20)

    assert server.connections == 1
    assert [message.content for message in server.messages] == [CONTENT] * 20
    assert [commands(server, verb) for verb in ("EHLO", "AUTH", "MAIL", "RSET")] == [1, 1, 20, 0]
    assert sender.passed_no_return == 20
    assert stages(reports[-1]) == [Stage.CONNECT, Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA]


async def test_given_a_kept_connection_when_traced_then_it_tells_so_with_the_sessions_facts(
    sender: Sender, ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    context = server_context(ca.issue("kept"))
    server = await faulty_smtp(context=context, passwords={ROBOT.username: ROBOT.password.reveal()})
    settings = some_settings(server.port, security=STARTTLS, authentication=ROBOT)

    first, second = await send_in(sender, settings, count=2)

    kept = second.trace.steps[0]
    assert (kept.stage, kept.succeeded, kept.peer) == (Stage.CONNECT, True, f"127.0.0.1:{server.port}")
    assert kept.detail == "reused: message 2 on this connection, signed in with PLAIN"
    assert kept.tls is not None
    assert kept.tls == step_of(first, Stage.TLS).tls
    assert kept.duration < timedelta(seconds=1)


async def test_given_no_lane_when_messages_follow_each_other_then_each_proves_everything_anew(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()
    settings = some_settings(server.port)
    await send_in(sender, settings)

    await send_in(sender, settings, lane="", count=2)

    assert server.connections == 3


async def test_given_equal_settings_when_tenants_differ_then_they_never_share_a_connection(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()
    settings = some_settings(server.port)

    for lane in ("tenant-1/c", "tenant-2/c", "tenant-1/c", "tenant-2/c"):
        await send_in(sender, settings, lane=lane)

    assert server.connections == 2


async def test_given_one_lane_when_anything_of_the_settings_differs_then_a_connection_of_its_own_is_used(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(passwords={ROBOT.username: ROBOT.password.reveal()})
    port = server.port
    usual = some_settings(port, authentication=ROBOT)
    await send_in(sender, usual)

    await send_in(sender, some_settings(port, authentication=ROBOT, ehlo_name="other.example.test"))
    await send_in(sender, some_settings(port, authentication=ROBOT, host="127.0.0.1"))
    await send_in(sender, some_settings(port, authentication=ROBOT, ca_certificates="other"))
    wrong = some_settings(port, authentication=replace(ROBOT, password=Secret("wrong")))
    refused = await sender.submit(wrong, lane="a")
    await send_in(sender, usual)

    assert failure_of(refused).stage is Stage.AUTH
    assert server.connections == 5


async def test_given_a_kept_session_when_its_token_has_ended_then_it_is_used_and_only_a_new_one_signs_in_anew(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    """RFC 4954: the session stays authenticated."""
    server = await faulty_smtp(tokens={USER: "FIRST"})
    settings = some_settings(server.port, authentication=OAUTH)
    tokens = FakeTokens("FIRST", "SECOND")
    await sender.submit(settings, lane="a", tokens=tokens)
    server.tokens = {USER: "SECOND"}

    second = await sender.submit(settings, lane="a", tokens=tokens)
    asked_for_two = len(tokens.rejected)
    sender.transport.forget("a")
    third = await sender.submit(settings, lane="a", tokens=tokens)

    assert (second.failure, third.failure) == (None, None)
    assert (asked_for_two, len(tokens.rejected)) == (1, 2)
    assert (server.connections, commands(server, "AUTH")) == (2, 2)
    assert "signed in with XOAUTH2" in second.trace.steps[0].detail


# After a refusal.


@pytest.mark.parametrize("greeting", [GREETING, PIPELINING], ids=["one by one", "in groups"])
async def test_given_all_recipients_refused_when_the_next_message_follows_then_the_last_one_is_forgotten_first(
    sender: Sender, line_server: StartLineServer, greeting: list[Item]
) -> None:
    refused: list[Item] = [(expect("MAIL .*"), send("250 ok")), (expect("RCPT .*"), send("550 5.1.1 unknown"))]
    if greeting is PIPELINING:
        refused += [expect("DATA"), send("503 5.5.1 no recipients")]
    server = await line_server([*greeting, *refused, expect("RSET"), send("250 ok"), mail(), farewell()])
    settings = some_settings(server.port)

    first = await sender.submit(settings, lane="a")
    second = await sender.submit(settings, lane="a")
    await sender.transport.aclose()
    await server.finished()

    pieces = [said.data for said in server.conversations[0].said if said.by == "client"]
    assert failure_of(first).kind is FailureKind.PERMANENT
    assert second.failure is None
    assert any(piece.startswith(b"RSET\r\nMAIL") for piece in pieces) is (greeting is PIPELINING)


@pytest.mark.parametrize("greeting", [GREETING, PIPELINING], ids=["one by one", "in groups"])
@pytest.mark.parametrize("ending", [[send("421 4.4.2 bye"), close()], [send("503 no"), hang()], [close()]])
async def test_given_a_server_that_does_not_forget_when_the_next_message_follows_then_it_gets_a_new_connection(
    sender: Sender, line_server: StartLineServer, greeting: list[Item], ending: list[Item]
) -> None:
    refused: list[Item] = [(expect("MAIL .*"), send("250 ok")), (expect("RCPT .*"), send("550 5.1.1 unknown"))]
    rest: list[Item] = [expect("RSET"), *ending]
    if greeting is PIPELINING:
        refused += [expect("DATA"), send("503 5.5.1 no recipients")]
        rest = [expect("RSET"), expect("MAIL .*"), expect("RCPT .*"), expect("DATA"), *ending]
    server = await line_server([*greeting, *refused, *rest], [*greeting, mail(), farewell()])
    settings = some_settings(server.port)
    await sender.submit(settings, lane="a")

    [report] = await send_in(sender, settings)

    assert stages(report).count(Stage.DATA) == 1
    assert len(server.conversations) == 2


@pytest.mark.parametrize("stage", ["mail", "data", "dot"])
async def test_given_a_message_refused_as_a_whole_when_the_next_follows_then_it_gets_a_new_connection(
    sender: Sender, faulty_smtp: StartFaultySmtp, stage: str
) -> None:
    server = await faulty_smtp(plan={stage: ["550 5.7.1 no"]})
    settings = some_settings(server.port)

    refused = await sender.submit(settings, lane="a")
    await send_in(sender, settings)

    assert failure_of(refused).kind is FailureKind.PERMANENT
    assert server.connections == 2
    assert commands(server, "QUIT") == 1


async def test_given_many_refusals_on_a_connection_when_the_next_message_follows_then_it_gets_a_new_one(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    """Postfix slows down who causes errors."""
    server = await faulty_smtp(plan={"rcpt:gone@example.test": "550 5.1.1 unknown"})
    settings = some_settings(server.port)

    for _ in range(6):
        await sender.submit(settings, "gone@example.test", "r@example.test", lane="a")

    assert server.connections == 2
    assert len(server.messages) == 6


async def test_given_a_message_that_the_server_cannot_take_when_the_next_follows_then_the_connection_is_kept(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(data_size_limit=1000)
    settings = some_settings(server.port)

    too_large = await sender.submit(settings, content=CONTENT + b"x" * 2000, lane="a")
    await send_in(sender, settings)

    assert failure_of(too_large).stage is Stage.MAIL_FROM
    assert server.connections == 1


# Whatever breaks an attempt off.


async def test_given_a_mark_that_fails_when_the_connection_was_kept_then_it_is_dropped(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()
    settings = some_settings(server.port)
    await send_in(sender, settings)

    async def refuse() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await sender.submit(settings, lane="a", before_content=refuse)
    await send_in(sender, settings)

    assert server.connections == 2
    assert len(server.messages) == 2


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "dot"])
async def test_given_a_kept_connection_when_cancelled_at_any_stage_then_it_is_dropped_and_the_turn_is_free(
    ca: TestCA, faulty_smtp: StartFaultySmtp, stage: str
) -> None:
    sender = a_sender(ca, connections=1)
    server = await faulty_smtp()
    settings = some_settings(server.port)
    await send_in(sender, settings)
    server.plan[stage] = ["hang"]

    sending = asyncio.create_task(sender.submit(settings, lane="a"))
    await server.is_hanging.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await send_in(sender, settings)
    await sender.transport.aclose()

    assert server.connections == 2
    assert len(server.messages) == 2


# How many.


async def test_given_a_hundred_messages_at_once_when_in_one_lane_then_five_connections_are_enough(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(announce=("PIPELINING",))
    settings = some_settings(server.port)

    reports = await asyncio.gather(*(sender.submit(settings, lane="a") for _ in range(100)))

    assert all(report.verdicts[0].is_accepted for report in reports)
    assert len(server.messages) == 100
    assert server.most_open_connections <= 5
    assert server.connections == 5


@pytest.mark.parametrize(("wanted", "most"), [(2, 2), (12, 12), (100, 16)])
async def test_given_settings_that_name_connections_when_a_hundred_messages_go_at_once_then_so_many_are_opened(
    sender: Sender, faulty_smtp: StartFaultySmtp, wanted: int, most: int
) -> None:
    server = await faulty_smtp(announce=("PIPELINING",))
    settings = replace(some_settings(server.port), limits=AccountLimits(connections=wanted))

    await asyncio.gather(*(sender.submit(settings, lane="a") for _ in range(100)))

    assert len(server.messages) == 100
    assert server.connections == most


async def test_given_worn_connections_when_many_messages_wait_then_the_bound_holds_while_goodbyes_are_said(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    sender = a_sender(ca, messages=1, connections=2)
    server = await faulty_smtp()
    settings = some_settings(server.port)

    await asyncio.gather(*(sender.submit(settings, lane="a") for _ in range(10)))
    await sender.transport.aclose()

    assert server.connections == 10
    assert server.most_open_connections <= 2


async def test_given_a_goodbye_that_is_not_answered_yet_when_the_lane_is_full_then_the_next_connection_waits(
    ca: TestCA, line_server: StartLineServer
) -> None:
    """A server that counts connections would refuse it."""
    sender = a_sender(ca, messages=1, connections=1)
    asked, answer = asyncio.Event(), asyncio.Event()
    leaving = [expect("QUIT"), signal(asked), wait(answer), send("221 bye")]
    server = await line_server([*GREETING, mail(), *leaving], [*GREETING, mail(), farewell()])
    await send_in(sender, some_settings(server.port))
    await asked.wait()

    sending = asyncio.create_task(send_in(sender, some_settings(server.port)))
    for _ in range(100):
        await asyncio.sleep(0)
    connected_meanwhile = len(server.conversations)
    answer.set()
    await sending
    await sender.transport.aclose()

    assert connected_meanwhile == 1
    await server.finished()


async def test_given_a_preset_with_fewer_connections_when_many_messages_come_then_that_is_the_bound(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    """Exchange Online refuses the fourth at the end of DATA with 432 4.3.2."""
    sender = Sender(ca_file=ca.path, names={"smtp.office365.com": ("127.0.0.1",)})
    server = await faulty_smtp()
    settings = some_settings(server.port, host="smtp.office365.com")

    await asyncio.gather(*(sender.submit(settings, lane="a") for _ in range(20)))
    await sender.transport.aclose()

    assert (server.connections, server.most_open_connections) == (3, 3)


async def test_given_a_busy_lane_when_the_time_for_all_is_over_then_nothing_was_tried(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    sender = a_sender(ca, connections=1)
    server = await faulty_smtp(plan={"mail": ["hang"]})
    settings = some_settings(server.port)
    stuck = asyncio.create_task(sender.submit(settings, lane="a"))
    await server.is_hanging.wait()

    report = await sender.submit(settings, lane="a", patience=a_patience(5, overall=timedelta(milliseconds=50)))
    stuck.cancel()
    await asyncio.gather(stuck, return_exceptions=True)

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.TRANSIENT, Stage.CONNECT)
    assert stages(report) == [Stage.CONNECT]
    assert report.trace.steps[0].duration >= timedelta(milliseconds=45)
    assert (server.connections, sender.passed_no_return) == (1, 0)


async def test_given_a_long_wait_for_a_turn_when_it_comes_then_the_attempt_has_its_whole_time(
    ca: TestCA, line_server: StartLineServer
) -> None:
    sender = a_sender(ca, connections=1)
    told, go_on = asyncio.Event(), asyncio.Event()
    slow = [expect("MAIL .*"), signal(told), wait(go_on), send("250 ok"), expect("RCPT .*"), send("250 ok")]
    server = await line_server([*GREETING, *slow, mail()[2], mail(), farewell()])  # type: ignore[index]
    settings = some_settings(server.port)
    first = asyncio.create_task(sender.submit(settings, lane="a"))
    await told.wait()

    impatient = a_patience(5, until_content=timedelta(milliseconds=200))
    second = asyncio.create_task(sender.submit(settings, lane="a", patience=impatient))
    await asyncio.sleep(0.3)  # longer than the second attempt may take: it is the passing of time that is tested
    go_on.set()

    assert [(await sending).failure for sending in (first, second)] == [None, None]
    await sender.transport.aclose()
    await server.finished()
