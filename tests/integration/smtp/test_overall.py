"""The bound for an attempt as a whole: what one step leaves is the next one's, and nothing goes on past it."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.ports.transport import Patience
from tests.integration.smtp.sending import Sender, failure_of, some_settings
from tests.peers.fixtures import StartLineServer
from tests.peers.script import Item, ehlo, expect, expect_message, hang, mail, send, send_slowly

OPENING: list[Item] = [
    ehlo(),
    (expect("MAIL .*"), send("250 ok")),
    (expect("RCPT .*"), send("250 ok")),
    (expect("DATA"), send("354 go")),
    expect_message(),
]
SLOWLY = timedelta(milliseconds=40)


def within(overall_seconds: float) -> Patience:
    overall = timedelta(seconds=overall_seconds)
    return Patience(
        until_content=overall * 0.7, each_reply=overall * 0.7, content=overall, final_reply=overall, overall=overall
    )


@pytest.mark.parametrize(
    "script",
    [
        [send_slowly("220 a slow greeting", every=SLOWLY), ehlo(), mail()],
        [send("220 mx"), *OPENING, send_slowly("250 a slow answer at last", every=SLOWLY), hang()],
    ],
    ids=["greeting", "answer"],
)
async def test_given_one_slow_step_when_the_others_are_quick_then_it_has_the_time_that_they_leave(
    sender: Sender, line_server: StartLineServer, script: list[Item]
) -> None:
    """P25: each takes most of a second, which is more than half of the time."""
    server = await line_server(script)

    report = await sender.submit(some_settings(server.port), patience=within(1.9))

    assert report.failure is None


@pytest.mark.parametrize(
    ("script", "stage", "kind"),
    [
        ([hang()], Stage.EHLO, FailureKind.TRANSIENT),
        ([send("220 mx"), *OPENING, hang()], Stage.DATA, FailureKind.IN_DOUBT),
        ([send_slowly("220 a slow greeting", every=SLOWLY), *OPENING, hang()], Stage.DATA, FailureKind.IN_DOUBT),
    ],
    ids=["greeting", "answer", "both"],
)
async def test_given_a_server_that_falls_silent_when_the_time_for_all_is_over_then_the_report_is_there(
    sender: Sender, line_server: StartLineServer, script: list[Item], stage: Stage, kind: FailureKind
) -> None:
    """F25."""
    server = await line_server(script)

    start = time.monotonic()
    report = await sender.submit(some_settings(server.port), patience=within(1.5))
    taken_seconds = time.monotonic() - start

    assert (failure_of(report).stage, failure_of(report).kind) == (stage, kind)
    assert taken_seconds < 1.5 + 0.5


@pytest.mark.parametrize(
    ("patience", "total"),
    [
        (Patience(timedelta(1), timedelta(1), timedelta(2), timedelta(3)), timedelta(6)),
        (Patience(timedelta(1), timedelta(1), timedelta(2), timedelta(3), overall=timedelta(4)), timedelta(4)),
        (Patience(timedelta(1), timedelta(1), timedelta(2), timedelta(3), overall=timedelta(9)), timedelta(6)),
    ],
)
def test_given_a_patience_when_summed_up_then_is_what_an_attempt_takes_at_most(
    patience: Patience, total: timedelta
) -> None:
    assert patience.total == total
