"""Connections kept for the next message: whose, how many, how long, and what a server does to them meanwhile (F18)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.smtp.pool import PoolLimits
from domain.failures.failure import FailureKind, Stage
from domain.ports.transport import Report
from domain.secret import Secret
from domain.settings.model import MailSettings
from tests.fakes.tokens import FakeTokens
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
from tests.peers.faulty_smtp import FaultySmtp
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.line_server import LineServer
from tests.peers.script import Item, abort, close, ehlo, expect, farewell, hang, mail, send, signal, wait

GREETING: list[Item] = [send("220 mx"), ehlo()]
PIPELINING: list[Item] = [send("220 mx"), ehlo("PIPELINING")]
AT_ONCE = timedelta(0)


async def send_in(sender: Sender, settings: MailSettings, lane: str = "a", count: int = 1) -> list[Report]:
    reports = [await sender.submit(settings, lane=lane) for _ in range(count)]
    assert [report.failure for report in reports] == [None] * count
    return reports


def a_sender(ca: TestCA, **limits: object) -> Sender:
    return Sender(ca_file=ca.path, limits=replace(PoolLimits(), **limits))  # type: ignore[arg-type]


def stages(report: Report) -> list[Stage]:
    return [step.stage for step in report.trace.steps]


async def is_gone(server: LineServer, number: int = 0) -> None:
    """Returns when the connection of that number is over, on the server's side."""
    async with asyncio.timeout(5):
        while not (server.conversations[number].is_done and server.conversations[number].is_gone):  # noqa: ASYNC110 - of a peer
            await asyncio.sleep(0.001)


def commands(server: FaultySmtp, verb: str) -> int:
    return sum(command.split()[0] == verb for command in server.commands)


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


# When the server ends the session.


@pytest.mark.parametrize(
    "end",
    [[send("421 4.4.2 idle too long"), close()], [close()], [abort()], [send("421 4.4.2 idle too long"), hang()]],
    ids=["421", "close", "reset", "421 and waits"],
)
async def test_given_a_session_ended_while_idle_when_the_next_message_comes_then_it_gets_a_new_one_and_no_failure(
    sender: Sender, line_server: StartLineServer, end: list[Item]
) -> None:
    """F18: noticed before anything is said."""
    is_over = asyncio.Event()
    server = await line_server([*GREETING, mail(), wait(is_over), *end], [*GREETING, mail(), farewell()])
    settings = some_settings(server.port)
    await send_in(sender, settings)
    is_over.set()
    await is_gone(server)
    await asyncio.sleep(0.02)  # loopback has delivered the end by then; nothing tells when the client has read it

    [report] = await send_in(sender, settings)

    assert all(step.succeeded for step in report.trace.steps)
    assert stages(report)[0] is Stage.DNS
    assert len(server.conversations[0].commands) == server.conversations[0].commands.index(".") + 1
    assert len(server.messages) == 2


@pytest.mark.parametrize("greeting", [GREETING, PIPELINING], ids=["one by one", "in groups"])
@pytest.mark.parametrize(
    "end",
    [[send("421 4.4.2 idle too long"), close()], [close()], [abort()]],
    ids=["421", "close", "reset"],
)
async def test_given_a_session_ended_as_mail_was_said_when_kept_then_one_new_connection_follows_and_no_failure(
    sender: Sender, line_server: StartLineServer, greeting: list[Item], end: list[Item]
) -> None:
    """F18: the two crossed."""
    server = await line_server([*greeting, mail(), expect("MAIL .*"), *end], [*greeting, mail(), farewell()])
    settings = some_settings(server.port)
    await send_in(sender, settings)

    [report] = await send_in(sender, settings)

    assert [step.succeeded for step in report.trace.steps if step.stage is Stage.MAIL_FROM] == [False, True]
    assert sender.passed_no_return == 2
    assert len(server.conversations) == 2
    assert len(server.messages) == 2


async def test_given_a_421_to_mail_when_the_connection_is_new_then_it_is_a_failure(
    sender: Sender, line_server: StartLineServer
) -> None:
    """At most one connection more for an attempt."""
    end = [expect("MAIL .*"), send("421 4.3.2 not now"), close()]
    server = await line_server([*GREETING, mail(), *end], [*GREETING, *end])
    settings = some_settings(server.port)
    await send_in(sender, settings)

    report = await sender.submit(settings, lane="a")

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.TRANSIENT, Stage.MAIL_FROM)
    assert len(server.conversations) == 2
    assert sender.passed_no_return == 1


async def test_given_a_kept_connection_lost_after_mail_was_answered_then_it_is_a_failure_of_this_message(
    sender: Sender, line_server: StartLineServer
) -> None:
    lost = [(expect("MAIL .*"), send("250 ok")), expect("RCPT .*"), close()]
    server = await line_server([*GREETING, mail(), *lost])
    settings = some_settings(server.port)
    await send_in(sender, settings)

    report = await sender.submit(settings, lane="a")

    assert (failure_of(report).kind, failure_of(report).stage) == (FailureKind.TRANSIENT, Stage.RCPT_TO)
    assert len(server.conversations) == 1


async def test_given_a_kept_connection_lost_at_the_dot_when_sending_then_the_outcome_is_unknown(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()
    settings = some_settings(server.port)
    await send_in(sender, settings)
    server.plan["dot"] = "drop"

    report = await sender.submit(settings, lane="a")

    assert failure_of(report).kind is FailureKind.IN_DOUBT
    assert server.connections == 1


async def test_given_a_server_that_talks_unasked_when_the_next_message_comes_then_it_gets_a_new_connection(
    sender: Sender, line_server: StartLineServer
) -> None:
    script = [*GREETING, mail(verdict=("250 2.0.0 queued as 1", "250 and one more"))]
    server = await line_server([*script, hang()], [*GREETING, mail(), farewell()])
    settings = some_settings(server.port)

    reports = await send_in(sender, settings, count=2)

    assert reports[0].verdicts[0].reply == "250 2.0.0 queued as 1"
    assert len(server.conversations) == 2


# When mailport ends it.


async def test_given_an_idle_connection_when_its_time_is_over_then_it_is_told_goodbye(
    ca: TestCA, line_server: StartLineServer
) -> None:
    sender = a_sender(ca, idle=timedelta(milliseconds=50))
    server = await line_server([*GREETING, mail(), farewell()], [*GREETING, mail(), farewell()])
    settings = some_settings(server.port)

    await send_in(sender, settings)
    await is_gone(server)
    await send_in(sender, settings)
    await server.finished()

    assert len(server.conversations) == 2


async def test_given_a_bound_of_messages_when_it_is_reached_then_the_next_gets_a_new_connection(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    sender = a_sender(ca, messages=2)
    server = await faulty_smtp()

    await send_in(sender, some_settings(server.port), count=5)
    await sender.transport.aclose()

    assert server.connections == 3
    assert server.most_open_connections == 1
    assert commands(server, "QUIT") == 3


async def test_given_an_age_when_it_is_reached_then_the_connection_is_not_used_again(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    sender = a_sender(ca, age=AT_ONCE)
    server = await faulty_smtp()

    await send_in(sender, some_settings(server.port), count=3)
    await sender.transport.aclose()

    assert server.connections == 3


async def test_given_a_forgotten_lane_when_idle_then_its_connections_end_at_once_and_no_others(
    sender: Sender, line_server: StartLineServer
) -> None:
    scripts = [
        [*GREETING, mail(), farewell()],
        [*GREETING, mail(), mail(), farewell()],
        [*GREETING, mail(), farewell()],
    ]
    server = await line_server(*scripts)
    settings = some_settings(server.port)
    await send_in(sender, settings, lane="a")
    await send_in(sender, settings, lane="b")

    sender.transport.forget("a")
    sender.transport.forget("unknown")
    await is_gone(server)
    await send_in(sender, settings, lane="b")
    await send_in(sender, settings, lane="a")
    await sender.transport.aclose()

    await server.finished()


async def test_given_a_forgotten_lane_when_a_message_is_on_its_way_then_it_ends_well_and_its_connection_too(
    sender: Sender, line_server: StartLineServer
) -> None:
    told, go_on = asyncio.Event(), asyncio.Event()
    first = [expect("MAIL .*"), signal(told), wait(go_on), send("250 ok"), expect("RCPT .*"), send("250 ok")]
    rest = mail()[2]  # type: ignore[index]
    server = await line_server([*GREETING, *first, rest, farewell()], [*GREETING, mail(), farewell()])
    settings = some_settings(server.port)

    sending = asyncio.create_task(send_in(sender, settings))
    await told.wait()
    sender.transport.forget("a")
    go_on.set()
    await sending
    await send_in(sender, settings)
    await sender.transport.aclose()

    await server.finished()


async def test_given_more_idle_connections_than_a_process_may_have_then_the_one_idle_longest_ends(
    ca: TestCA, line_server: StartLineServer
) -> None:
    sender = a_sender(ca, idle_in_all=2)
    once: list[Item] = [*GREETING, mail(), farewell()]
    server = await line_server(once, [*GREETING, mail(), mail(), farewell()], once)
    settings = some_settings(server.port)

    for lane in ("a", "b", "c"):
        await send_in(sender, settings, lane=lane)
    await is_gone(server)
    await send_in(sender, settings, lane="b")
    await sender.transport.aclose()

    await server.finished()


async def test_given_idle_connections_when_closed_then_each_is_told_goodbye(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server(*[[*GREETING, mail(), farewell()]] * 3)
    for lane in ("a", "b", "c"):
        await send_in(sender, some_settings(server.port), lane=lane)

    await sender.transport.aclose()

    await server.finished()


async def test_given_servers_that_hang_at_the_goodbye_when_closed_then_two_seconds_are_enough(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server(*[[*GREETING, mail(), expect("QUIT"), hang()]] * 20)
    for lane in range(20):
        await send_in(sender, some_settings(server.port), lane=str(lane))

    start = time.monotonic()
    await sender.transport.aclose()

    assert time.monotonic() - start < 2
    await server.finished()


async def test_given_a_closed_transport_when_a_message_ends_then_its_connection_is_not_kept(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()
    await sender.transport.aclose()

    await send_in(sender, some_settings(server.port), count=2)
    await sender.transport.aclose()

    assert server.connections == 2


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
