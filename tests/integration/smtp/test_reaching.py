"""Names, addresses, greetings, and the mode a port wants: F12, F13, F14, F25."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from domain.failures.failure import FailureKind, Fix, Stage
from domain.failures.trace import TraceStep
from domain.ports.network import DeniedAddress, EgressDenied, NameUnavailable, NameUnknown, ResolutionFailed
from domain.ports.transport import Report
from domain.reasons import Reason
from domain.settings.model import ConnectionSecurity
from tests.integration.smtp.sending import (
    IMPLICIT_TLS,
    NONE,
    ROBOT,
    STARTTLS,
    Sender,
    a_patience,
    failure_of,
    some_settings,
    step_of,
)
from tests.peers.ca import TestCA, server_context
from tests.peers.fixtures import StartFaultySmtp, StartLineServer
from tests.peers.net import black_hole, free_port
from tests.peers.script import ehlo, expect, farewell, hang, mail, send, send_slowly, tls


@pytest.mark.parametrize(
    ("trouble", "reason", "kind"),
    [
        (NameUnknown("mx.example.com", "no such host"), Reason.DNS_NAME_UNKNOWN, FailureKind.MISCONFIGURED),
        (NameUnavailable("mx.example.com", "no answer"), Reason.DNS_UNAVAILABLE, FailureKind.TRANSIENT),
        (
            EgressDenied("mx.example.com", [DeniedAddress("10.0.0.5", "in 10.0.0.0/8 (private network)")]),
            Reason.EGRESS_DENIED,
            FailureKind.MISCONFIGURED,
        ),
    ],
)
async def test_given_a_name_that_gives_no_address_when_sent_then_the_failure_says_which_trouble(
    trouble: ResolutionFailed, reason: Reason, kind: FailureKind
) -> None:
    sender = Sender(names={"mx.example.com": trouble})

    report = await sender.submit(some_settings(587, host="mx.example.com"))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (reason, kind, Stage.DNS)
    assert trouble.detail in failure.cause


async def test_given_nothing_listens_when_sent_then_it_was_refused_and_the_address_is_named(sender: Sender) -> None:
    port = free_port()

    report = await sender.submit(some_settings(port))

    failure = failure_of(report)
    assert (failure.reason, failure.stage) == (Reason.CONNECTION_REFUSED, Stage.CONNECT)
    assert f"127.0.0.1:{port}: connection refused (ECONNREFUSED)" in failure.cause


async def test_given_a_dead_first_address_when_sent_then_the_second_takes_the_mail_at_once(
    faulty_smtp: StartFaultySmtp,
) -> None:
    """F13."""
    server = await faulty_smtp(hide=["AUTH"])
    sender = Sender(names={"mx.example.com": ("127.0.0.2", "127.0.0.1")})

    with black_hole(port=server.port):
        start = time.monotonic()
        report = await sender.submit(some_settings(server.port, host="mx.example.com"), patience=a_patience(20))
        seconds = time.monotonic() - start

    assert report.failure is None
    assert step_of(report, Stage.CONNECT).peer == f"127.0.0.1:{server.port}"
    assert seconds < 3
    await sender.transport.aclose()


async def test_given_only_dead_addresses_when_sent_then_each_is_listed_with_its_error() -> None:
    """F13."""
    sender = Sender(names={"mx.example.com": ("127.0.0.2", "127.0.0.1")})

    with black_hole() as port:
        report = await sender.submit(some_settings(port, host="mx.example.com"), patience=a_patience(0.6))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.CONNECT_FAILED,
        FailureKind.TRANSIENT,
        Stage.CONNECT,
    )
    assert f"127.0.0.2:{port}: no answer within 0.6 s" in failure.cause
    assert f"127.0.0.1:{port}: connection refused" in failure.cause


def connects(report: Report) -> list[TraceStep]:
    return [step for step in report.trace.steps if step.stage is Stage.CONNECT]


@pytest.mark.parametrize(
    ("dead", "error"), [("127.0.0.2", "connection refused (ECONNREFUSED)"), ("::1", "")], ids=["v4", "v6"]
)
async def test_given_a_refusing_first_address_when_sent_then_the_trace_shows_both(
    faulty_smtp: StartFaultySmtp, dead: str, error: str
) -> None:
    """F13: one CONNECT for each address dialled."""
    server = await faulty_smtp()
    sender = Sender(names={"mx.example.com": (dead, "127.0.0.1")})

    report = await sender.submit(some_settings(server.port, host="mx.example.com"))

    failed, used = connects(report)
    peer = f"[{dead}]:{server.port}" if ":" in dead else f"{dead}:{server.port}"
    assert (failed.succeeded, failed.peer) == (False, peer)
    assert failed.detail
    assert error in failed.detail
    assert (used.succeeded, used.peer, used.detail) == (True, f"127.0.0.1:{server.port}", "")
    assert report.failure is None
    await sender.transport.aclose()


async def test_given_an_address_that_was_overtaken_when_sent_then_the_trace_shows_it(
    faulty_smtp: StartFaultySmtp,
) -> None:
    """F13."""
    server = await faulty_smtp()
    sender = Sender(names={"mx.example.com": ("127.0.0.2", "127.0.0.1")})

    with black_hole(port=server.port):
        report = await sender.submit(some_settings(server.port, host="mx.example.com"))

    failed, used = connects(report)
    assert (failed.succeeded, failed.peer) == (False, f"127.0.0.2:{server.port}")
    assert "no answer within" in failed.detail
    assert "another address answered" in failed.detail
    assert failed.duration >= timedelta(milliseconds=240)
    assert (used.succeeded, used.peer) == (True, f"127.0.0.1:{server.port}")
    await sender.transport.aclose()


async def test_given_only_dead_addresses_when_sent_then_the_trace_shows_each_once() -> None:
    """F13."""
    port = free_port()
    sender = Sender(names={"mx.example.com": ("127.0.0.2", "127.0.0.1", "127.0.0.3")})

    report = await sender.submit(some_settings(port, host="mx.example.com"))

    peers = {step.peer: step.succeeded for step in connects(report)}
    assert peers == {f"127.0.0.{number}:{port}": False for number in (1, 2, 3)}
    assert report.trace.steps[-1].stage is Stage.CONNECT
    assert len(connects(report)) == 3


NO_SERVICE = [send("421 4.3.2 too busy"), send("554 5.3.2 no service"), send("521 5.3.2 no mail here"), hang()]


@pytest.mark.parametrize("bad", NO_SERVICE, ids=["421", "554", "521", "silent"])
async def test_given_an_address_that_serves_nobody_when_there_is_another_then_that_one_is_used(
    line_server: StartLineServer, faulty_smtp: StartFaultySmtp, bad: object
) -> None:
    good = await faulty_smtp()
    await line_server([bad], host="127.0.0.2", port=good.port, repeat=True)
    sender = Sender(names={"mx.example.com": ("127.0.0.2", "127.0.0.1")})

    settings = some_settings(good.port, host="mx.example.com")
    report = await sender.submit(settings, patience=a_patience(0.5))

    assert report.failure is None
    assert len(good.messages) == 1
    assert [step.peer for step in connects(report)] == [f"127.0.0.2:{good.port}", f"127.0.0.1:{good.port}"]
    await sender.transport.aclose()


@pytest.mark.parametrize("security", [NONE, STARTTLS, IMPLICIT_TLS])
async def test_given_a_silent_first_address_when_a_reply_may_take_all_the_time_then_the_second_still_gets_some(
    ca: TestCA, line_server: StartLineServer, faulty_smtp: StartFaultySmtp, security: ConnectionSecurity
) -> None:
    """F13: the time for one reply is longer than that for the attempt, as with a caller's short deadline."""
    context = None if security is NONE else server_context(ca.issue("second", names=["mx.example.com"]))
    good = await faulty_smtp(context=context, implicit=security is IMPLICIT_TLS)
    await line_server([hang()], host="127.0.0.2", port=good.port, repeat=True)
    sender = Sender(ca_file=ca.path, names={"mx.example.com": ("127.0.0.2", "127.0.0.1")})

    patience = a_patience(60, until_content=timedelta(seconds=2))
    report = await sender.submit(some_settings(good.port, security=security, host="mx.example.com"), patience=patience)

    assert report.failure is None
    assert len(good.messages) == 1
    await sender.transport.aclose()


async def test_given_a_greeting_slower_than_others_may_wait_for_when_they_are_dead_then_it_gets_all_the_time(
    line_server: StartLineServer,
) -> None:
    """F13: leaving time for other addresses costs a slow server nothing when those are no better."""
    slow = send_slowly("220 mx", every=timedelta(milliseconds=150))
    server = await line_server([slow, ehlo(), mail(), farewell()], repeat=True)
    sender = Sender(names={"mx.example.com": ("127.0.0.1", "127.0.0.2")})

    patience = a_patience(60, until_content=timedelta(seconds=3))
    report = await sender.submit(some_settings(server.port, host="mx.example.com"), patience=patience)

    assert report.failure is None
    served, dead, again = connects(report)
    assert (served.peer, served.succeeded) == (again.peer, again.succeeded) == (f"127.0.0.1:{server.port}", True)
    assert (dead.peer, dead.succeeded) == (f"127.0.0.2:{server.port}", False)
    await sender.transport.aclose()


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [("554 5.3.2 no service", Reason.SERVICE_REFUSED), ("421 4.3.2 busy", Reason.SERVER_BUSY)],
)
@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("127.0.0.1", "127.0.0.2"), ("127.0.0.2", "127.0.0.1")])
async def test_given_a_refusing_greeting_when_no_other_address_is_reached_then_its_words_are_the_failure(
    line_server: StartLineServer, greeting: str, reason: Reason, addresses: tuple[str, ...]
) -> None:
    server = await line_server([send(greeting)], repeat=True)
    sender = Sender(names={"mx.example.com": addresses})

    report = await sender.submit(some_settings(server.port, host="mx.example.com"))

    failure = failure_of(report)
    assert (failure.reason, failure.stage) == (reason, Stage.EHLO)
    assert len(connects(report)) == len(addresses)
    await sender.transport.aclose()


@pytest.mark.parametrize("host_name", ["15b0717dc4c2", "a_b.example", "localhost", "localhost.localdomain", ""])
async def test_given_a_machine_without_a_proper_name_when_greeting_then_with_the_sockets_address(
    line_server: StartLineServer, host_name: str
) -> None:
    """F12."""
    sender = Sender(host_name=host_name)
    server = await line_server([send("220 mx"), expect(r"EHLO \[127\.0\.0\.1\]"), send("250 mx"), mail(), farewell()])

    report = await sender.submit(some_settings(server.port))

    assert report.failure is None
    await server.finished()


async def test_given_a_configured_ehlo_name_when_greeting_then_with_that(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F12."""
    server = await line_server([send("220 mx"), expect("EHLO out.example.com"), send("250 mx"), mail(), farewell()])

    report = await sender.submit(some_settings(server.port, ehlo_name="out.example.com"))

    assert report.failure is None
    await server.finished()


async def test_given_a_504_about_helo_at_rcpt_when_sent_then_it_is_the_ehlo_name_that_was_refused(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F12."""
    server = await line_server(
        [
            send("220 mx"),
            ehlo(),
            (expect("MAIL .*"), send("250 ok")),
            (expect("RCPT .*"), send("504 5.5.2 <15b0717dc4c2>: Helo command rejected: need fully-qualified hostname")),
            farewell(),
        ]
    )

    report = await sender.submit(some_settings(server.port))

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.EHLO_NAME_REFUSED, FailureKind.MISCONFIGURED)


async def test_given_a_server_without_ehlo_when_nothing_needs_it_then_helo_does(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server(
        [
            send("220 old"),
            (expect(r"EHLO \S+"), send("502 5.5.1 unknown")),
            (expect(r"HELO \S+"), send("250 hello")),
            (expect(r"MAIL FROM:<robot@example.test>"), send("250 ok")),
            (expect("RCPT .*"), send("250 ok")),
            (expect("DATA"), send("354 go"), hang()),
        ]
    )

    report = await sender.submit(some_settings(server.port), patience=a_patience(0.3))

    assert failure_of(report).kind is FailureKind.IN_DOUBT
    assert "HELO" in step_of(report, Stage.EHLO).detail


async def test_given_a_server_without_ehlo_when_signing_in_is_needed_then_it_is_refused(
    sender: Sender, line_server: StartLineServer
) -> None:
    server = await line_server([send("220 old"), (expect(r"EHLO \S+"), send("502 5.5.1 unknown")), farewell()])

    report = await sender.submit(some_settings(server.port, authentication=ROBOT))

    assert failure_of(report).stage is Stage.EHLO
    assert b"HELO " not in server.heard().replace(b"EHLO ", b"")


async def test_given_implicit_tls_when_the_server_greets_in_clear_then_the_mode_is_wrong(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F14 (a)."""
    server = await line_server([send("220 mx ESMTP"), hang()])

    settings = some_settings(server.port, security=IMPLICIT_TLS, authentication=ROBOT)
    report = await sender.submit(settings)

    failure = failure_of(report)
    assert (failure.reason, failure.kind) == (Reason.TLS_MODE_MISMATCH, FailureKind.MISCONFIGURED)
    assert failure.fixes == (Fix("settings.smtp.security", "STARTTLS"),)
    assert b"czNjcjN0IQ" not in server.heard()


@pytest.mark.parametrize("security", [STARTTLS, NONE])
async def test_given_a_server_that_waits_for_tls_when_the_mode_is_another_then_the_mode_is_wrong(
    ca: TestCA, sender: Sender, line_server: StartLineServer, security: ConnectionSecurity
) -> None:
    """F14 (b): told by one handshake on a second connection, well within the greeting's time."""
    first_tls = [tls(server_context(ca.issue("first-tls")), may_fail=True), hang()]
    server = await line_server(first_tls, repeat=True)

    settings = some_settings(server.port, security=security, authentication=ROBOT)
    start = time.monotonic()
    report = await sender.submit(settings, patience=a_patience(1))

    failure = failure_of(report)
    assert failure.reason is Reason.TLS_MODE_MISMATCH
    assert failure.fixes == (Fix("settings.smtp.security", "IMPLICIT_TLS"),)
    assert time.monotonic() - start < 1
    assert server.heard(encrypted=True) == b""


async def test_given_a_greeting_that_takes_long_when_it_comes_then_the_mail_is_sent(
    sender: Sender, line_server: StartLineServer
) -> None:
    """A tarpit is silent as a server that waits for TLS is, and must not be taken for one."""
    slow = send_slowly("220 mx", every=timedelta(milliseconds=80))
    server = await line_server([slow, ehlo(), mail(), farewell()], repeat=True)

    report = await sender.submit(some_settings(server.port), patience=a_patience(1))

    assert report.failure is None


@pytest.mark.parametrize("security", [STARTTLS, IMPLICIT_TLS])
async def test_given_an_unusual_port_when_sent_then_the_configured_mode_decides(
    ca: TestCA, sender: Sender, faulty_smtp: StartFaultySmtp, security: ConnectionSecurity
) -> None:
    """F14 (c), (d)."""
    context = server_context(ca.issue("unusual"))
    server = await faulty_smtp(
        context=context, implicit=security is IMPLICIT_TLS, passwords={"robot@example.test": "s3cr3t!"}
    )

    report = await sender.submit(some_settings(server.port, security=security, authentication=ROBOT))

    assert report.failure is None
    assert server.messages[0].is_encrypted
    assert server.commands.count("STARTTLS") == (security is STARTTLS)


async def test_given_a_server_that_says_nothing_when_sent_then_it_ends_in_time(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F25."""
    server = await line_server([hang()], repeat=True)

    start = time.monotonic()
    report = await sender.submit(some_settings(server.port), patience=a_patience(0.4))

    failure = failure_of(report)
    assert (failure.reason, failure.kind, failure.stage) == (
        Reason.SERVER_SILENT,
        FailureKind.TRANSIENT,
        Stage.EHLO,
    )
    assert time.monotonic() - start < 1.5


async def test_given_a_reply_in_drips_when_waiting_then_the_time_is_for_the_whole_reply(
    sender: Sender, line_server: StartLineServer
) -> None:
    """F25: one byte now and then does not prolong the wait."""
    server = await line_server([send_slowly("220 " + "m" * 60, every=timedelta(milliseconds=50))])

    start = time.monotonic()
    report = await sender.submit(some_settings(server.port), patience=a_patience(0.4))

    assert failure_of(report).reason is Reason.SERVER_SILENT
    assert time.monotonic() - start < 1.5


async def test_given_slow_replies_when_their_sum_is_too_much_then_the_attempt_ends_as_a_whole(
    sender: Sender, line_server: StartLineServer
) -> None:
    slow = timedelta(milliseconds=30)
    server = await line_server(
        [
            send_slowly("220 mx1", every=slow),
            (expect("EHLO .*"), send_slowly("250 mx1", every=slow)),
            (expect("MAIL .*"), send_slowly("250 ok1", every=slow)),
        ]
    )

    patience = a_patience(5, until_content=timedelta(seconds=0.5))
    report = await sender.submit(some_settings(server.port), patience=patience)

    failure = failure_of(report)
    assert failure.reason is Reason.SERVER_SILENT
    assert "whole attempt" in failure.cause


async def test_given_a_stuck_server_when_others_are_well_then_their_mail_is_sent_meanwhile(
    sender: Sender, line_server: StartLineServer, faulty_smtp: StartFaultySmtp
) -> None:
    """F25."""
    stuck = await line_server([hang()], repeat=True)
    well = await faulty_smtp()

    waiting = asyncio.gather(*(sender.submit(some_settings(stuck.port), patience=a_patience(1)) for _ in range(20)))
    healthy = await asyncio.gather(*(sender.submit(some_settings(well.port)) for _ in range(20)))

    assert not waiting.done()
    assert [report.failure for report in healthy] == [None] * 20
    assert {failure_of(report).reason for report in await waiting} == {Reason.SERVER_SILENT}
