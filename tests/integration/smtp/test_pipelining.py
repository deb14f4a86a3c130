"""MAIL, RCPT and DATA in one group, answers in order, nothing of the content before the mark: RFC 2920, P5."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from domain.failures.failure import FailureKind, Stage
from tests.integration.smtp.sending import CONTENT, Sender, a_patience, failure_of, some_settings, step_of
from tests.peers.fixtures import StartLineServer
from tests.peers.line_server import LineServer
from tests.peers.script import (
    Item,
    abort,
    close,
    ehlo,
    expect,
    expect_message,
    farewell,
    hang,
    mail,
    send,
    send_slowly,
    signal,
    wait,
)

GREETING: list[Item] = [send("220 mx"), ehlo("PIPELINING")]
EVERYBODY = ("a@example.test", "b@example.test", "c@example.test")
REFUSALS = ("550 5.1.1 unknown", "452 4.5.3 too many", "551 5.7.1 not here")


def a_group(recipients: int = 1) -> list[Item]:
    """Takes everything up to DATA before anything is answered."""
    return [expect("MAIL FROM:.*"), [expect("RCPT TO:.*")] * recipients, expect("DATA")]


def after_data(server: LineServer) -> bytes:
    return server.heard().partition(b"DATA\r\n")[2]


class NoRecord(Exception):
    """The mark could not be committed."""


async def test_given_a_server_that_pipelines_when_sent_then_all_up_to_data_leaves_in_one_piece(
    sender: Sender, line_server: StartLineServer
) -> None:
    answers = send("250 2.1.0 ok", "250 2.1.5 ok", "250 2.1.5 ok", "250 2.1.5 ok", "354 go")
    end = [expect_message(), send("250 2.0.0 queued"), farewell()]
    server = await line_server([*GREETING, *a_group(3), answers, *end])

    report = await sender.submit(some_settings(server.port), *EVERYBODY)
    await sender.transport.aclose()
    await server.finished()

    pieces = [said.data for said in server.conversations[0].said if said.by == "client"]
    assert [piece.count(b"\r\n") for piece in pieces if piece.startswith(b"MAIL")] == [5]
    assert pieces[2] == CONTENT + b".\r\n"
    assert report.failure is None
    assert [step.stage for step in report.trace.steps[-3:]] == [Stage.MAIL_FROM, Stage.RCPT_TO, Stage.DATA]
    assert step_of(report, Stage.RCPT_TO).detail == "3 of 3 accepted"


async def test_given_a_server_without_pipelining_when_sent_then_each_command_waits_for_its_answer(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([send("220 mx"), ehlo("SIZE"), mail(recipients=3), farewell()])

    report = await sender.submit(some_settings(server.port), *EVERYBODY)

    pieces = [said.data for said in server.conversations[0].said if said.by == "client"]
    assert report.failure is None
    assert all(piece.count(b"\r\n") == 1 for piece in pieces[:-1])


@pytest.mark.parametrize("taken", list(product([True, False], repeat=3)))
async def test_given_any_of_three_refused_when_sent_in_a_group_then_each_has_its_own_answer(
    sender: Sender, line_server: StartLineServer, taken: tuple[bool, ...]
) -> None:
    replies = ["250 2.1.5 ok" if yes else refusal for yes, refusal in zip(taken, REFUSALS, strict=True)]
    end: list[Item] = [send("354 go"), expect_message(), send("250 2.0.0 queued")]
    if not any(taken):
        end = [send("554 5.5.1 no valid recipients")]
    server = await line_server([*GREETING, *a_group(3), send("250 2.1.0 ok", *replies), *end, farewell()])

    report = await sender.submit(some_settings(server.port), *EVERYBODY)
    await sender.transport.aclose()
    await server.finished()

    assert report.failure is None
    assert [verdict.is_accepted for verdict in report.verdicts] == list(taken)
    expected = ["250 2.0.0 queued" if yes else refusal for yes, refusal in zip(taken, REFUSALS, strict=True)]
    assert [verdict.reply for verdict in report.verdicts] == expected
    assert server.messages == ([CONTENT] if any(taken) else [])


@pytest.mark.parametrize("to_the_dot", ["554 5.5.1 no valid recipients", "250 2.0.0 whatever"])
async def test_given_a_354_though_all_were_refused_when_sent_then_a_lone_dot_follows_and_nobody_is_accepted(
    sender: Sender, line_server: StartLineServer, to_the_dot: str
) -> None:
    """RFC 2920 section 3.1."""
    answers = send("250 ok", *REFUSALS, "354 go")
    server = await line_server([*GREETING, *a_group(3), answers, expect(r"\."), send(to_the_dot), farewell()])

    report = await sender.submit(some_settings(server.port), *EVERYBODY)
    await sender.transport.aclose()
    await server.finished()

    assert [verdict.reply for verdict in report.verdicts] == list(REFUSALS)
    assert not any(verdict.is_accepted or verdict.is_in_doubt for verdict in report.verdicts)


@pytest.mark.parametrize("ending", [[close()], [abort()], [hang()]], ids=["close", "reset", "hang"])
async def test_given_a_354_though_all_were_refused_when_the_dot_is_not_answered_then_the_refusals_stand(
    sender: Sender, line_server: StartLineServer, ending: list[Item]
) -> None:
    answers = send("250 ok", "550 5.1.1 unknown", "354 go")
    server = await line_server([*GREETING, *a_group(), answers, expect(r"\."), *ending])

    report = await sender.submit(some_settings(server.port), patience=a_patience(0.3))
    await sender.transport.aclose()

    assert failure_of(report).kind is FailureKind.PERMANENT
    assert after_data(server) == b".\r\n"


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (("503 5.5.1 no", "503 5.5.1 no"), b"QUIT\r\n"),
        (("503 5.5.1 no", "354 go"), b".\r\nQUIT\r\n"),
        (("250 2.1.5 ok", "354 go"), b""),
    ],
    ids=["all refused", "354", "a recipient taken"],
)
async def test_given_a_refused_sender_when_sent_in_a_group_then_that_is_the_failure_and_nothing_is_handed_over(
    sender: Sender, line_server: StartLineServer, rest: tuple[str, ...], said: bytes
) -> None:
    """The dot alone would be a mail where a recipient was taken all the same."""
    end: list[Item] = [expect(r"\."), send("554 no")] if said.startswith(b".") else []
    end.append(farewell() if said else hang())
    server = await line_server([*GREETING, *a_group(), send("550 5.7.1 not you", *rest), *end])

    report = await sender.submit(some_settings(server.port))
    await sender.transport.aclose()
    await server.finished()

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.PERMANENT, Stage.MAIL_FROM)
    assert after_data(server) == said


async def test_given_a_421_to_a_recipient_when_sent_in_a_group_then_it_is_definite_for_all(
    sender: Sender, line_server: StartLineServer
) -> None:
    answers = send("250 ok", "250 ok", "421 4.3.2 closing")
    server = await line_server([*GREETING, *a_group(3), answers, close()])

    report = await sender.submit(some_settings(server.port), *EVERYBODY)

    assert report.failure is not None
    assert (report.failure.kind, report.failure.stage) == (FailureKind.TRANSIENT, Stage.RCPT_TO)
    assert [verdict.failure for verdict in report.verdicts] == [report.failure] * 3
    assert after_data(server) == b""


async def test_given_data_refused_when_a_recipient_was_taken_then_it_is_definite(
    sender: Sender, line_server: StartLineServer
) -> None:
    answers = send("250 ok", "250 ok", "451 4.3.0 not now")
    server = await line_server([*GREETING, *a_group(), answers, farewell()])

    report = await sender.submit(some_settings(server.port))
    await sender.transport.aclose()
    await server.finished()

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.TRANSIENT, Stage.DATA)


@pytest.mark.parametrize(
    ("answers", "stage"),
    [
        ([], Stage.MAIL_FROM),
        (["250 ok"], Stage.RCPT_TO),
        (["250 ok", "250 ok", "250 ok"], Stage.RCPT_TO),
        (["250 ok", "250 ok", "250 ok", "250 ok"], Stage.DATA),
    ],
)
@pytest.mark.parametrize("ending", [[close()], [hang()]], ids=["close", "hang"])
async def test_given_a_server_that_goes_or_falls_silent_after_the_group_then_nothing_was_sent(
    sender: Sender, line_server: StartLineServer, answers: list[str], stage: Stage, ending: list[Item]
) -> None:
    said = [send(*answers)] if answers else []
    server = await line_server([*GREETING, *a_group(3), *said, *ending])

    report = await sender.submit(some_settings(server.port), *EVERYBODY, patience=a_patience(0.3))

    assert report.failure is not None
    assert (report.failure.kind, report.failure.stage) == (FailureKind.TRANSIENT, stage)
    assert after_data(server) == b""
    assert len(server.conversations) == 1


async def test_given_answers_that_drip_when_sent_in_a_group_then_they_are_put_together(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F19."""
    answers = send_slowly("250-2.1.0 your", "250 2.1.0 mail", "550 5.1.1 unknown", "250 2.1.5 ok", "354 go")
    end = [expect_message(), send_slowly("250 2.0.0 queued")]
    server = await line_server([*GREETING, *a_group(2), answers, *end, farewell()])

    report = await sender.submit(some_settings(server.port), *EVERYBODY[:2])

    assert [verdict.reply for verdict in report.verdicts] == ["550 5.1.1 unknown", "250 2.0.0 queued"]


async def test_given_an_answer_too_many_when_sent_in_a_group_then_no_content_leaves(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([*GREETING, *a_group(), send("250 ok", "250 ok", "354 go", "250 queued"), hang()])

    report = await sender.submit(some_settings(server.port))

    assert failure_of(report).kind is FailureKind.TRANSIENT
    assert after_data(server) == b""


# The mark.


async def test_given_the_group_on_its_way_when_not_answered_yet_then_the_mark_is_being_made(
    sender: Sender, line_server: StartLineServer
) -> None:
    begun = asyncio.Event()
    answers = [wait(begun), send("250 ok", "250 ok", "354 go")]
    server = await line_server([*GREETING, *a_group(), *answers, expect_message(), send("250 ok"), farewell()])

    async def mark() -> None:
        begun.set()

    report = await sender.submit(some_settings(server.port), before_content=mark)

    assert report.failure is None
    assert sender.passed_no_return == 1


async def test_given_the_354_when_the_mark_is_not_made_yet_then_no_content_leaves_before_it_is(
    sender: Sender, line_server: StartLineServer
) -> None:
    """P5."""
    events: list[str] = []
    answered, go_on = asyncio.Event(), asyncio.Event()
    answers = [send("250 ok", "250 ok", "354 go"), signal(answered)]
    server = await line_server([*GREETING, *a_group(), *answers, expect_message(), send("250 ok"), farewell()])

    async def mark() -> None:
        events.append("begun")
        await go_on.wait()
        events.append(f"made, content {after_data(server)!r}")

    sending = asyncio.create_task(sender.submit(some_settings(server.port), before_content=mark))
    await answered.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    go_on.set()
    report = await sending

    assert report.failure is None
    assert events == ["begun", "made, content b''"]
    assert server.messages == [CONTENT]


async def test_given_a_mark_that_fails_when_all_is_accepted_then_no_content_leaves_and_the_connection_is_dropped(
    sender: Sender, line_server: StartLineServer
) -> None:
    """P5: not even a QUIT, which would be content."""
    server = await line_server([*GREETING, *a_group(), send("250 ok", "250 ok", "354 go"), hang()])

    async def refuse() -> None:
        raise NoRecord

    with pytest.raises(NoRecord):
        await sender.submit(some_settings(server.port), before_content=refuse, lane="a")

    await sender.transport.aclose()
    await server.finished()
    assert after_data(server) == b""


@pytest.mark.parametrize("answers", [("550 no", "503 no", "503 no"), ("250 ok", "550 no", "554 no")])
async def test_given_a_definite_refusal_when_the_mark_was_made_meanwhile_then_the_report_is_definite(
    sender: Sender, line_server: StartLineServer, answers: tuple[str, ...]
) -> None:
    server = await line_server([*GREETING, *a_group(), send(*answers), farewell()])

    report = await sender.submit(some_settings(server.port))

    assert sender.passed_no_return == 1
    assert failure_of(report).kind is FailureKind.PERMANENT
    assert not report.verdicts[0].is_in_doubt


async def test_given_a_refusal_when_the_mark_is_still_being_made_then_the_report_waits_for_its_end(
    sender: Sender, line_server: StartLineServer
) -> None:
    refused = asyncio.Event()
    server = await line_server([*GREETING, *a_group(), send("550 no", "503 no", "503 no"), signal(refused), farewell()])

    async def refuse_late() -> None:
        await refused.wait()
        raise NoRecord

    with pytest.raises(NoRecord):
        await sender.submit(some_settings(server.port), before_content=refuse_late)


async def test_given_marks_only_at_the_354_when_all_are_refused_then_the_mark_is_not_made(
    line_server: StartLineServer,
) -> None:
    sender = Sender(marks_early=False)
    server = await line_server([*GREETING, *a_group(), send("250 ok", "550 no", "554 no"), farewell()])

    report = await sender.submit(some_settings(server.port))
    await sender.transport.aclose()

    assert failure_of(report).kind is FailureKind.PERMANENT
    assert sender.passed_no_return == 0


async def test_given_a_mark_under_way_when_cancelled_then_it_is_cancelled_too_and_nothing_was_sent(
    sender: Sender, line_server: StartLineServer
) -> None:
    ends: list[str] = []
    answered = asyncio.Event()
    server = await line_server([*GREETING, *a_group(), send("250 ok", "250 ok"), signal(answered), hang()])

    async def block() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    sending = asyncio.create_task(sender.submit(some_settings(server.port), before_content=block))
    await answered.wait()
    sending.cancel()

    with pytest.raises(asyncio.CancelledError):
        await sending
    assert ends == ["cancelled"]
    assert after_data(server) == b""
