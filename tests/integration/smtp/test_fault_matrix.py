"""Every fault at every step (T3): what is definite stays definite, and doubt begins at the point of no return alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from domain.failures.failure import FailureKind, Stage
from domain.reasons import Reason
from tests.integration.smtp.sending import (
    NONE,
    ROBOT,
    STARTTLS,
    Sender,
    a_patience,
    failure_of,
    some_settings,
)
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartLineServer
from tests.peers.script import (
    Item,
    abort,
    close,
    cut,
    ehlo,
    expect,
    expect_message,
    hang,
    multiline,
    send,
    send_bytes,
    tls,
)

IMPATIENT = a_patience(0.4)

STEPS: dict[str, tuple[Item, Stage]] = {
    "greeting": ((), Stage.EHLO),
    "ehlo": (expect(r"EHLO \S+"), Stage.EHLO),
    "auth": (expect(r"AUTH PLAIN \S+"), Stage.AUTH),
    "mail": (expect(r"MAIL FROM:<.+>.*"), Stage.MAIL_FROM),
    "rcpt": (expect(r"RCPT TO:<.+>"), Stage.RCPT_TO),
    "data": (expect("DATA"), Stage.DATA),
    "dot": (expect_message(), Stage.DATA),
    "quit": (expect("QUIT"), Stage.DATA),
}
"""What the server waits for before it answers, and where a wrong answer belongs."""
ANSWERS: dict[str, Item] = {
    "greeting": send("220 mx.example.test ESMTP"),
    "ehlo": send(*multiline(250, "mx.example.test", "AUTH PLAIN", "SIZE 1000000")),
    "auth": send("235 2.7.0 welcome"),
    "mail": send("250 2.1.0 ok"),
    "rcpt": send("250 2.1.5 ok"),
    "data": send("354 go on"),
    "dot": send("250 2.0.0 queued as 1"),
    "quit": send("221 2.0.0 bye"),
}
FAULTS: dict[str, Item] = {
    "drop": close(),
    "reset": abort(),
    "hang": hang(),
    "451": (send("451 4.3.0 not now"), hang()),
    "554": (send("554 5.0.0 no"), hang()),
    "421": (send("421 4.3.2 closing"), close()),
    "garbage": (send_bytes(b"\x00\xff what?\r\n"), hang()),
    "half a reply": (send_bytes(b"250-half"), cut()),
    "no answer to this": (send("299-odd", "399 odd"), hang()),
    "endless": (send_bytes(b"250-" + b"x" * 100_000), hang()),
}

REFUSED_FOR_NOW = (FailureKind.TRANSIENT, {Reason.REFUSED_FOR_NOW, Reason.SERVER_BUSY, Reason.AUTH_UNAVAILABLE})
WITHOUT_REPLY: dict[str, tuple[FailureKind, set[Reason]]] = {
    "drop": (FailureKind.TRANSIENT, {Reason.CONNECTION_LOST}),
    "reset": (FailureKind.TRANSIENT, {Reason.CONNECTION_LOST}),
    "hang": (FailureKind.TRANSIENT, {Reason.SERVER_SILENT}),
    "garbage": (FailureKind.TRANSIENT, {Reason.PROTOCOL_ERROR}),
    "half a reply": (FailureKind.TRANSIENT, {Reason.CONNECTION_LOST}),
    "no answer to this": (FailureKind.TRANSIENT, {Reason.PROTOCOL_ERROR}),
    "endless": (FailureKind.TRANSIENT, {Reason.REPLY_TOO_LARGE}),
}
FOR_GOOD: dict[str, tuple[FailureKind, set[Reason]]] = {
    "greeting": (FailureKind.MISCONFIGURED, {Reason.SERVICE_REFUSED}),
    "ehlo": (FailureKind.MISCONFIGURED, {Reason.SERVICE_REFUSED}),
    "auth": (FailureKind.MISCONFIGURED, {Reason.AUTH_REJECTED}),
    "mail": (FailureKind.PERMANENT, {Reason.SENDER_REFUSED}),
    "rcpt": (FailureKind.PERMANENT, {Reason.RECIPIENT_REFUSED}),
    "data": (FailureKind.PERMANENT, {Reason.MESSAGE_REFUSED}),
    "dot": (FailureKind.PERMANENT, {Reason.MESSAGE_REFUSED}),
}


@dataclass(frozen=True, slots=True)
class Case:
    step: str
    fault: str

    def script(self) -> list[Item]:
        """Goes well up to the step, and then wrong."""
        names = list(STEPS)
        done = names[: names.index(self.step)]
        return [*((STEPS[name][0], ANSWERS[name]) for name in done), STEPS[self.step][0], FAULTS[self.fault]]

    def expected(self) -> tuple[FailureKind, set[Reason]] | None:
        """Returns kind and possible reasons, None where the mail counts as sent."""
        if self.step == "quit":
            return None
        if self.fault in ("451", "421"):
            return REFUSED_FOR_NOW
        if self.fault == "554":
            return FOR_GOOD[self.step]
        if self.step == "dot":
            return FailureKind.IN_DOUBT, {Reason.OUTCOME_UNKNOWN}
        return WITHOUT_REPLY[self.fault]


CASES = [Case(step, fault) for step in STEPS for fault in FAULTS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.step}-{case.fault}")
async def test_given_a_fault_at_a_step_when_sent_then_its_meaning_is_exact(
    sender: Sender, line_server: StartLineServer, case: Case
) -> None:
    server = await line_server(case.script())

    report = await sender.submit(some_settings(server.port, authentication=ROBOT), patience=IMPATIENT)

    expected = case.expected()
    verdict = report.verdicts[0]
    assert sender.passed_no_return == (case.step in ("dot", "quit"))
    assert verdict.is_accepted == (expected is None)
    if expected is not None:
        failure = failure_of(report)
        assert (failure.kind, failure.stage) == (expected[0], STEPS[case.step][1])
        assert failure.reason in expected[1]
        assert failure.cause
        assert failure.remedy
        assert verdict.is_in_doubt == (failure.kind is FailureKind.IN_DOUBT)


SECURING: dict[str, tuple[list[Item], FailureKind, Reason]] = {
    "not offered": ([ehlo("AUTH PLAIN LOGIN")], FailureKind.MISCONFIGURED, Reason.STARTTLS_UNAVAILABLE),
    "454": (
        [ehlo("STARTTLS"), expect("STARTTLS"), send("454 4.7.0 TLS not available")],
        FailureKind.TRANSIENT,
        Reason.STARTTLS_REFUSED_FOR_NOW,
    ),
    "502": (
        [ehlo("STARTTLS"), expect("STARTTLS"), send("502 5.5.1 no")],
        FailureKind.MISCONFIGURED,
        Reason.STARTTLS_UNAVAILABLE,
    ),
    "drop": ([ehlo("STARTTLS"), expect("STARTTLS"), close()], FailureKind.TRANSIENT, Reason.CONNECTION_LOST),
    "hang": ([ehlo("STARTTLS"), expect("STARTTLS"), hang()], FailureKind.TRANSIENT, Reason.SERVER_SILENT),
    "drop in the handshake": (
        [ehlo("STARTTLS"), expect("STARTTLS"), send("220 go"), close()],
        FailureKind.TRANSIENT,
        Reason.CONNECTION_LOST,
    ),
    "silence in the handshake": (
        [ehlo("STARTTLS"), expect("STARTTLS"), send("220 go"), hang()],
        FailureKind.TRANSIENT,
        Reason.SERVER_SILENT,
    ),
}


@pytest.mark.parametrize("case", SECURING)
async def test_given_a_fault_in_starttls_when_sent_then_neither_credentials_nor_mail_leave_in_clear(
    sender: Sender, line_server: StartLineServer, case: str
) -> None:
    """F15."""
    steps, kind, reason = SECURING[case]
    server = await line_server([send("220 mx"), *steps])

    settings = some_settings(server.port, security=STARTTLS, authentication=ROBOT)
    report = await sender.submit(settings, patience=IMPATIENT)

    failure = failure_of(report)
    assert (failure.kind, failure.reason, failure.stage) == (kind, reason, Stage.TLS)
    heard = server.heard(encrypted=False)
    assert b"AUTH" not in heard
    assert b"MAIL" not in heard
    assert sender.passed_no_return == 0


@pytest.mark.parametrize(("fault", "kind"), [("drop", FailureKind.IN_DOUBT), ("451", FailureKind.TRANSIENT)])
async def test_given_a_fault_at_the_dot_inside_tls_when_sent_then_it_means_the_same(
    ca: TestCA, sender: Sender, line_server: StartLineServer, fault: str, kind: FailureKind
) -> None:
    context = server_context(ca.issue("matrix"))
    secure = [send("220 mx"), ehlo("STARTTLS"), expect("STARTTLS"), send("220 go"), tls(context)]
    names = list(STEPS)
    done = [(STEPS[name][0], ANSWERS[name]) for name in names[1 : names.index("dot")]]
    server = await line_server([*secure, *done, STEPS["dot"][0], FAULTS[fault]])

    settings = some_settings(server.port, security=STARTTLS, authentication=ROBOT)
    report = await sender.submit(settings, patience=IMPATIENT)

    assert failure_of(report).kind is kind


async def test_given_no_answer_to_the_dot_when_the_message_counts_many_recipients_then_each_accepted_one_is_in_doubt(
    sender: Sender, line_server: StartLineServer
) -> None:
    rcpt = expect(r"RCPT TO:<.+>")
    server = await line_server(
        [
            ANSWERS["greeting"],
            (STEPS["ehlo"][0], ANSWERS["ehlo"]),
            (STEPS["mail"][0], ANSWERS["mail"]),
            (rcpt, send("250 ok")),
            (rcpt, send("550 5.1.1 unknown")),
            (rcpt, send("250 ok")),
            (STEPS["data"][0], ANSWERS["data"]),
            (expect_message(), close()),
        ]
    )

    settings = some_settings(server.port, security=NONE)
    report = await sender.submit(settings, "a@example.test", "gone@example.test", "b@example.test")

    assert [verdict.is_in_doubt for verdict in report.verdicts] == [True, False, True]
    assert report.verdicts[1].failure is not None
    assert report.verdicts[1].failure.reason is Reason.RECIPIENT_UNKNOWN
