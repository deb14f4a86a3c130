"""How a kept connection ends: the server does it meanwhile (F18), or mailport does it in good time."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from domain.failures.failure import FailureKind, Stage
from tests.integration.smtp.lanes import GREETING, PIPELINING, a_sender, commands, is_gone, send_in, stages
from tests.integration.smtp.sending import (
    Sender,
    failure_of,
    some_settings,
)
from tests.peers.ca import TestCA
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import Item, abort, close, expect, farewell, hang, mail, send, signal, wait

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
    sender = a_sender(ca, age=timedelta(0))
    server = await faulty_smtp()

    await send_in(sender, some_settings(server.port), count=3)
    await sender.transport.aclose()

    assert server.connections == 3


async def test_given_an_age_when_it_is_reached_while_idle_then_the_connection_is_not_used_again(
    ca: TestCA, faulty_smtp: StartFaultySmtp
) -> None:
    sender = a_sender(ca, age=timedelta(milliseconds=200))
    server = await faulty_smtp()
    await send_in(sender, some_settings(server.port))
    await asyncio.sleep(0.25)  # it is the passing of time that is tested

    await send_in(sender, some_settings(server.port))
    await sender.transport.aclose()

    assert server.connections == 2


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


async def test_given_lanes_below_a_name_when_it_is_forgotten_then_they_end_and_a_longer_name_stays(
    sender: Sender, line_server: StartLineServer
) -> None:
    kept: list[Item] = [*GREETING, mail(), mail(), farewell()]
    server = await line_server([*GREETING, mail(), farewell()], kept)
    settings = some_settings(server.port)
    await send_in(sender, settings, lane="shop\0alerts\x001\0grant")
    await send_in(sender, settings, lane="shop\0alerts-2\x001\0grant")

    sender.transport.forget("shop\0alerts")
    await is_gone(server)
    await send_in(sender, settings, lane="shop\0alerts-2\x001\0grant")
    sender.transport.forget("")
    await sender.transport.aclose()

    await server.finished()


async def test_given_a_forgotten_lane_when_a_message_waits_for_its_turn_then_it_must_sign_in_anew(
    ca: TestCA, line_server: StartLineServer
) -> None:
    """So that nothing goes out with a consent that was given up, however long it waited behind others."""
    sender = a_sender(ca, connections=1)
    told, go_on = asyncio.Event(), asyncio.Event()
    first = [expect("MAIL .*"), signal(told), wait(go_on), send("250 ok"), expect("RCPT .*"), send("250 ok")]
    rest = mail()[2]  # type: ignore[index]
    server = await line_server([*GREETING, *first, rest, farewell()], [*GREETING, mail(), farewell()])
    settings = some_settings(server.port)

    sending = asyncio.create_task(send_in(sender, settings))
    await told.wait()
    waiting = asyncio.create_task(send_in(sender, settings))
    await asyncio.sleep(0)  # it stands in line now
    sender.transport.forget("a")
    go_on.set()
    await asyncio.gather(sending, waiting)
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
