"""The point of no return, and what comes after the last word: F24, P5, P25."""

from __future__ import annotations

import asyncio
import gc
import time
from datetime import timedelta

import pytest

from domain.failures.failure import FailureKind, Stage
from tests.integration.smtp.sending import NONE, STARTTLS, Sender, a_patience, failure_of, some_settings, step_of
from tests.peers.ca import TestCA
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import (
    Item,
    abort,
    close,
    ehlo,
    expect,
    expect_message,
    hang,
    mail,
    send,
    signal,
    wait,
)

OPENING: list[Item] = [
    send("220 mx"),
    ehlo(),
    (expect("MAIL .*"), send("250 ok")),
    (expect("RCPT .*"), send("250 ok")),
]


class NoRecord(Exception):
    """The mark could not be committed."""


@pytest.mark.parametrize(
    "after",
    [
        [close()],
        [abort()],
        [expect("QUIT"), hang()],
        [expect("QUIT"), send("421 4.3.2 closing"), close()],
        [expect("QUIT"), abort()],
        [send("421 4.4.2 idle"), close()],
        [send("what?"), hang()],
    ],
    ids=["close", "reset", "hang", "421", "reset at quit", "421 unasked", "garbage"],
)
async def test_given_a_250_to_the_dot_when_anything_breaks_after_it_then_the_mail_is_sent(
    sender: Sender, line_server: StartLineServer, after: list[Item]
) -> None:
    """F24."""
    server = await line_server([send("220 mx"), ehlo(), mail(), *after])

    start = time.monotonic()
    report = await sender.submit(some_settings(server.port))
    await sender.transport.aclose()

    assert report.failure is None
    assert report.verdicts[0].is_accepted
    assert report.verdicts[0].reply == "250 2.0.0 queued as 1"
    assert time.monotonic() - start < 2.5


async def test_given_a_report_when_it_is_returned_then_quit_has_not_been_said_yet(
    ca: TestCA, line_server: StartLineServer
) -> None:
    """F24: the caller records first."""
    sender = Sender(ca_file=ca.path, linger=timedelta(hours=1))
    server = await line_server([send("220 mx"), ehlo(), mail(), expect("QUIT"), send("221 bye")])

    report = await sender.submit(some_settings(server.port))

    for _ in range(20):
        await asyncio.sleep(0)
    assert report.failure is None
    assert b"QUIT" not in server.heard()
    await sender.transport.aclose()
    await server.finished()


async def test_given_the_mark_of_no_return_when_it_is_made_then_after_the_354_and_before_any_content(
    sender: Sender, line_server: StartLineServer
) -> None:
    """P5."""
    seen: list[bytes] = []
    server = await line_server([send("220 mx"), ehlo(), mail()])

    async def mark() -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        seen.append(server.heard())

    await sender.submit(some_settings(server.port), before_content=mark)

    assert len(seen) == 1
    assert seen[0].endswith(b"DATA\r\n")


async def test_given_the_mark_of_no_return_fails_when_sending_then_no_content_leaves_and_the_error_is_the_callers(
    sender: Sender, line_server: StartLineServer
) -> None:
    """P5: not even a QUIT, which would be content now."""
    server = await line_server([*OPENING, expect("DATA"), send("354 go"), hang()])

    async def refuse() -> None:
        raise NoRecord

    with pytest.raises(NoRecord):
        await sender.submit(some_settings(server.port), before_content=refuse)

    await sender.transport.aclose()
    await server.finished()
    assert server.heard().endswith(b"DATA\r\n")


async def test_given_a_mark_that_takes_long_when_sending_then_the_time_up_to_the_content_does_not_run_out(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp()

    async def slow() -> None:
        await asyncio.sleep(0.5)

    report = await sender.submit(some_settings(server.port), before_content=slow, patience=a_patience(0.2))

    assert report.failure is None


async def test_given_a_server_that_stops_after_the_354_when_sending_then_the_outcome_is_unknown(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F25: one that stops after 354."""
    server = await line_server([*OPENING, expect("DATA"), send("354 go"), hang()])

    report = await sender.submit(some_settings(server.port), patience=a_patience(0.3))

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.IN_DOUBT, Stage.DATA)
    assert not step_of(report, Stage.DATA).succeeded


async def test_given_a_slow_verdict_when_the_final_wait_is_generous_then_it_is_awaited(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F25: giving up early at the dot makes duplicates."""
    taken, decided = asyncio.Event(), asyncio.Event()
    verdict = [expect_message(), signal(taken), wait(decided), send("250 2.0.0 ok")]
    server = await line_server([*OPENING, expect("DATA"), send("354 go"), *verdict])

    sending = asyncio.create_task(
        sender.submit(some_settings(server.port), patience=a_patience(0.3, final_reply=timedelta(seconds=20)))
    )
    await taken.wait()
    await asyncio.sleep(0.7)  # longer than any other wait of this attempt: it is the passing of time that is tested
    decided.set()
    report = await sending

    assert report.failure is None


CANCEL_AT: dict[str, list[Item]] = {
    "greeting": [],
    "ehlo": [send("220 mx"), expect("EHLO .*")],
    "starttls": [send("220 mx"), ehlo("STARTTLS"), expect("STARTTLS")],
    "handshake": [send("220 mx"), ehlo("STARTTLS"), expect("STARTTLS"), send("220 go")],
}


@pytest.mark.parametrize("step", CANCEL_AT)
async def test_given_an_attempt_under_way_when_cancelled_then_it_ends_at_once_and_leaves_nothing(
    sender: Sender, line_server: StartLineServer, step: str
) -> None:
    """P25: the warnings of sockets and tasks left behind would fail this test."""
    reached = asyncio.Event()
    server = await line_server([*CANCEL_AT[step], signal(reached), hang()])
    from_start = asyncio.all_tasks()
    security = STARTTLS if step in ("starttls", "handshake") else NONE
    attempt = asyncio.create_task(sender.submit(some_settings(server.port, security=security)))
    await reached.wait()

    start = time.monotonic()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt

    assert time.monotonic() - start < 0.25
    await server.finished()
    gc.collect()  # a socket left open would warn here
    assert asyncio.all_tasks() <= from_start


async def test_given_settings_for_another_transport_when_sent_then_it_is_a_mistake_of_ours(sender: Sender) -> None:
    settings = some_settings(25)
    object.__setattr__(settings, "transport", "graph")

    with pytest.raises(TypeError, match="SMTP settings"):
        await sender.submit(settings)
