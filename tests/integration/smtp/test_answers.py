"""Replies in every shape a server may give them, and answers per recipient: F18, F19, F20, F21."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from tests.integration.smtp.sending import (
    Sender,
    a_patience,
    failure_of,
    some_settings,
    step_of,
)
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.script import (
    Step,
    close,
    ehlo,
    expect,
    expect_message,
    farewell,
    flood,
    mail,
    send,
    send_bytes,
    send_slowly,
)

ODD_EHLO = ("250-mx", "250-234 odd text", "250-size 1000000", "250")
ODD_GREETING = ("220-mx ESMTP", "220-No spam", "220")
ODD_VERDICT = ("250-queued", "250 2.0.0 ok")


@pytest.mark.parametrize("say", [send, send_slowly], ids=["whole", "byte by byte"])
async def test_given_replies_of_many_lines_when_sent_then_each_is_read_to_its_last(
    sender: Sender, line_server: StartLineServer, say: Callable[..., Step]
) -> None:
    """F19."""
    server = await line_server(
        [
            say(*ODD_GREETING),
            expect("EHLO .*"),
            say(*ODD_EHLO),
            (expect(r"MAIL FROM:<robot@example\.test> SIZE=\d+"), say("250")),
            (expect(r"RCPT TO:<r@example\.test>"), say("252 cannot verify")),
            (expect("DATA"), say("354")),
            (expect_message(), say(*ODD_VERDICT)),
            farewell(),
        ]
    )

    report = await sender.submit(some_settings(server.port))

    assert report.failure is None
    assert report.verdicts[0].reply == "250 2.0.0 queued ok"
    await server.finished()


@pytest.mark.parametrize("chunk", [b"220-" + b"x" * 65_536, b"220-more\r\n"], ids=["a line", "lines"])
async def test_given_a_reply_without_end_when_read_then_it_costs_a_bounded_part(
    sender: Sender, line_server: StartLineServer, chunk: bytes
) -> None:
    """F19, P24."""
    server = await line_server([flood(chunk)])

    report = await sender.submit(some_settings(server.port))

    assert failure_of(report).reason is Reason.REPLY_TOO_LARGE
    assert sum(len(said.data) for said in server.conversations[0].said) < 10_000


async def test_given_lines_that_disagree_in_their_code_when_answering_the_dot_then_nobody_knows(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([send("220 mx"), ehlo(), mail(verdict=("250-queued", "550 no"))])

    report = await sender.submit(some_settings(server.port))

    assert failure_of(report).kind is FailureKind.IN_DOUBT


async def test_given_a_second_reply_nobody_asked_for_when_sent_then_the_session_ends_before_the_content(
    sender: Sender, line_server: StartLineServer
) -> None:
    """A 250 ahead of its time must not be taken for the answer to the dot."""
    server = await line_server([send("220 mx"), ehlo(), mail(data="354 go\r\n250 2.0.0 queued")])

    report = await sender.submit(some_settings(server.port))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.PROTOCOL_ERROR, FailureKind.TRANSIENT)
    assert sender.passed_no_return == 0
    assert server.messages == []


async def test_given_replies_out_of_step_when_sent_then_none_answers_another_command(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([send("220 mx"), ehlo(), expect("MAIL .*"), send("250 ok", "250 ok too")])

    report = await sender.submit(some_settings(server.port))

    assert failure_of(report).reason is Reason.PROTOCOL_ERROR
    assert b"RCPT" not in server.heard()


async def test_given_a_421_said_between_commands_when_the_next_is_due_then_it_is_the_answer(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F18: on a fresh connection a normal temporary refusal."""
    closing = send("250 ok", "421 4.4.2 mx Error: timeout exceeded")
    server = await line_server([send("220 mx"), ehlo(), expect("MAIL .*"), closing, close()])

    report = await sender.submit(some_settings(server.port))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.CONNECTION_LOST, FailureKind.TRANSIENT)
    assert failure.provider_code == "421 4.4.2"


async def test_given_an_early_no_while_content_flows_when_sent_then_it_is_definite(
    sender: Sender, line_server: StartLineServer
) -> None:
    early = [expect("MAIL .*"), send("250 ok"), expect("RCPT .*"), send("250 ok"), expect("DATA"), send("354 go")]
    too_big = send("552 5.3.4 message size limit exceeded")
    server = await line_server([send("220 mx"), ehlo(), *early, expect("X-Begin: 1"), too_big, expect(".*"), close()])
    content = b"X-Begin: 1\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 30_000_000

    report = await sender.submit(some_settings(server.port), content=content)

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.TOO_LARGE, FailureKind.PERMANENT)


async def test_given_mixed_answers_to_rcpt_when_sent_then_each_recipient_has_its_own(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    """F20."""
    plan = {"rcpt:gone@example.com": "550 5.1.1 unknown", "rcpt:later@example.com": "450 4.2.1 busy"}
    server = await faulty_smtp(plan=plan)
    everybody = ("ok1@example.com", "gone@example.com", "later@example.com", "ok2@example.com")

    report = await sender.submit(some_settings(server.port), *everybody)

    ok1, gone, later, ok2 = report.verdicts
    assert [str(verdict.recipient) for verdict in report.verdicts] == list(everybody)
    assert (ok1.is_accepted, ok2.is_accepted) == (True, True)
    assert gone.failure is not None
    assert later.failure is not None
    assert (gone.failure.kind, gone.reply) == (FailureKind.PERMANENT, "550 5.1.1 unknown")
    assert (later.failure.kind, later.reply) == (FailureKind.TRANSIENT, "450 4.2.1 busy")
    assert report.failure is None
    assert server.messages[0].rcpt_tos == ("ok1@example.com", "ok2@example.com")


async def test_given_all_recipients_refused_when_sent_then_there_is_no_data(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    """F20."""
    server = await faulty_smtp(plan={"rcpt": "550 5.1.1 unknown"})

    report = await sender.submit(some_settings(server.port), "a@example.com", "b@example.com")

    await sender.transport.aclose()
    assert [verdict.failure is not None for verdict in report.verdicts] == [True, True]
    assert report.failure is None
    assert failure_of(report).stage is Stage.RCPT_TO
    assert not step_of(report, Stage.RCPT_TO).succeeded
    assert server.commands[-1] == "QUIT"
    assert "DATA" not in server.commands
    assert sender.passed_no_return == 0


async def test_given_one_recipient_when_refused_then_the_trace_says_why_once(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(plan={"rcpt": "550 5.1.1 unknown"})

    report = await sender.submit(some_settings(server.port), "r1@example.com")

    step = step_of(report, Stage.RCPT_TO)
    assert (step.detail, step.reply) == ("0 of 1 accepted; refused: r1@example.com", "550 5.1.1 unknown")


async def test_given_a_hundred_recipients_when_three_are_refused_then_ninety_seven_get_the_mail(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    refused = {"r7@example.com", "r42@example.com", "r99@example.com"}
    server = await faulty_smtp(plan={f"rcpt:{address}": "550 5.1.1 unknown" for address in refused})
    everybody = [f"r{number}@example.com" for number in range(100)]

    report = await sender.submit(some_settings(server.port), *everybody)

    assert {str(verdict.recipient) for verdict in report.verdicts if not verdict.is_accepted} == refused
    assert len(server.messages[0].rcpt_tos) == 97
    assert step_of(report, Stage.RCPT_TO).detail.startswith("97 of 100 accepted; refused: r7@example.com: 550 5.1.1")


@pytest.mark.parametrize("reply", ["452 4.5.3 Too many recipients", "552 5.5.3 Too many recipients", "452 Too many"])
async def test_given_too_many_recipients_when_the_server_says_so_then_the_surplus_comes_later(
    sender: Sender, faulty_smtp: StartFaultySmtp, reply: str
) -> None:
    server = await faulty_smtp(plan={"rcpt": ["pass", "pass", reply]})

    report = await sender.submit(some_settings(server.port), "a@example.com", "b@example.com", "c@example.com")

    surplus = report.verdicts[2].failure
    assert [verdict.is_accepted for verdict in report.verdicts] == [True, True, False]
    assert surplus is not None
    assert surplus.kind in (FailureKind.TRANSIENT, FailureKind.THROTTLED)


async def test_given_a_limit_in_the_ehlo_reply_when_there_are_more_recipients_then_it_is_obeyed(
    sender: Sender, faulty_smtp: StartFaultySmtp
) -> None:
    server = await faulty_smtp(announce=["LIMITS RCPTMAX=2 MAILMAX=5"])

    report = await sender.submit(some_settings(server.port), "a@example.com", "b@example.com", "c@example.com")

    surplus = report.verdicts[2].failure
    assert surplus is not None
    assert (surplus.reason, surplus.kind) == (Reason.RECIPIENTS_ABOVE_SERVER_LIMIT, FailureKind.THROTTLED)
    assert len(server.messages[0].rcpt_tos) == 2


@pytest.mark.parametrize(
    ("plan", "stage"),
    [
        ({"rcpt": "450 4.2.0 Greylisted"}, Stage.RCPT_TO),
        ({"rcpt": "422 4.2.2 Greylisted"}, Stage.RCPT_TO),
        ({"mail": "451 4.7.1 try again later"}, Stage.MAIL_FROM),
        ({"mail": "499 4.9.9 nobody has seen this"}, Stage.MAIL_FROM),
        ({"dot": "471 what is this"}, Stage.DATA),
    ],
)
async def test_given_any_4yz_when_sent_then_it_is_temporary(
    sender: Sender, faulty_smtp: StartFaultySmtp, plan: dict[str, str], stage: Stage
) -> None:
    """F21."""
    server = await faulty_smtp(plan=plan)

    report = await sender.submit(some_settings(server.port))

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.TRANSIENT, stage)
    assert "temporary refusal" in failure.cause


async def test_given_a_421_as_greeting_when_sent_then_it_is_temporary(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F21."""
    server = await line_server([send("421 4.3.2 too many connections"), close()])

    report = await sender.submit(some_settings(server.port))

    failure = failure_of(report)
    assert (failure.kind, failure.stage) == (FailureKind.THROTTLED, Stage.EHLO)


async def test_given_replies_split_anywhere_when_sent_then_nothing_changes(
    sender: Sender, line_server: StartLineServer
) -> None:
    pieces = [send_bytes(b"220-m"), send_slowly("x", every=timedelta(milliseconds=5)), send_bytes(b"220"), send("")]
    server = await line_server([*pieces, ehlo(), mail(), farewell()])

    report = await sender.submit(some_settings(server.port), patience=a_patience(2))

    assert report.failure is None
