"""
What a kept connection and commands in groups are worth: the SMTP transport alone against a sink on this machine.

``python -m tests.bench.bench_smtp_lanes [--mails 2000] [--runs 5] [--only TEXT] [--profile]`` prints, for plain SMTP
and for STARTTLS with XOAUTH2, the median of the runs and their spread. The sink is a process of its own; ten messages
are on their way at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.smtp.pool import PoolLimits
from adapters.smtp.transport import SmtpMailTransport
from adapters.system.clock import SystemClock
from domain.address import EmailAddress
from domain.connection import ConnectionSecurity
from domain.host import Host
from domain.message import Envelope
from domain.ports.transport import Patience
from domain.secret import Secret
from domain.settings.model import MailSettings, OAuthAuthentication, OAuthProvider, SmtpTransport
from tests.fakes.network import FakeResolver
from tests.fakes.tokens import FakeTokens
from tests.peers.ca import TestCA

LANES: Final = 10
SENDER: Final = EmailAddress("robot", "example.test")
ENVELOPE: Final = Envelope(sender=SENDER, recipients=(EmailAddress("r", "example.test"),))
CONTENT: Final = (
    b"From: robot@example.test\r\nTo: r@example.test\r\nSubject: Hello\r\n\r\n" + b"x" * 70 + b"\r\n"
).ljust(2046, b"y") + b"\r\n"
TOKEN: Final = FakeTokens("t" * 2000)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to send."""

    name: str
    is_pooled: bool
    is_pipelined: bool
    is_secured: bool


CASES: Final = tuple(
    Case(f"{'STARTTLS+XOAUTH2' if secured else 'plain':<17} {name}", pooled, pipelined, secured)
    for secured in (False, True)
    for name, pooled, pipelined in (
        ("connection per mail", False, False),
        ("connection per mail, groups", False, True),
        ("kept", True, False),
        ("kept, groups", True, True),
    )
)


@contextmanager
def a_sink(case: Case, ca: TestCA) -> Iterator[int]:
    """Runs a sink and gives its port."""
    command = [sys.executable, "-m", "tests.bench.smtp_sink"]
    if not case.is_pipelined:
        command.append("--hide-pipelining")
    if case.is_secured:
        issued = ca.issue("sink")
        command += ["--certificate", str(issued.certificate), "--key", str(issued.key)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            assert process.stdin is not None
            process.stdin.close()


def settings_for(case: Case, port: int, ca: TestCA) -> MailSettings:
    """Returns settings for a sink on *port*."""
    if not case.is_secured:
        return MailSettings(SENDER, SmtpTransport(Host("localhost"), port, ConnectionSecurity.NONE))
    oauth = OAuthAuthentication(
        provider=OAuthProvider.CUSTOM,
        client_id="mailport",
        client_secret=Secret("secret"),
        authorization_endpoint="https://id.example.test/authorize",
        token_endpoint="https://id.example.test/token",
        scopes=("mail",),
        username="robot@example.test",
    )
    secured = SmtpTransport(Host("localhost"), port, ConnectionSecurity.STARTTLS, ca_certificates=ca.pem)
    return MailSettings(SENDER, secured, oauth)


async def nothing() -> None:
    """Marks nothing."""


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run."""

    rate: float
    """Mails a second."""
    seconds: float
    """Of one mail, the median."""
    cpu_seconds: float
    """Of this process, for one mail: what other load on the machine changes least."""


async def send(case: Case, settings: MailSettings, mails: int) -> Result:
    """Sends *mails*, ten at a time."""
    transport = SmtpMailTransport(
        resolver=FakeResolver(),
        clock=SystemClock(),
        host_name="mailport.example.test",
        linger=timedelta(0),
        limits=PoolLimits(connections=LANES),
    )
    took: list[float] = []
    left = iter(range(mails))

    async def work() -> None:
        for _ in left:
            begin = time.perf_counter()
            report = await transport.submit(
                settings,
                ENVELOPE,
                CONTENT,
                before_content=nothing,
                patience=Patience(),
                tokens=TOKEN if case.is_secured else None,
                lane="bench" if case.is_pooled else "",
            )
            took.append(time.perf_counter() - begin)
            assert report.first_failure is None, report.first_failure

    begin, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(LANES)))
    seconds = time.perf_counter() - begin
    await transport.aclose()
    return Result(mails / seconds, statistics.median(took), (time.process_time() - cpu) / mails)


def run(case: Case, ca: TestCA, *, mails: int, runs: int) -> None:
    """Prints one line of the table."""
    with a_sink(case, ca) as port:
        settings = settings_for(case, port, ca)
        asyncio.run(send(case, settings, min(mails, 200)))
        results = [asyncio.run(send(case, settings, mails)) for _ in range(runs)]
    rates = sorted(result.rate for result in results)
    each = statistics.median(result.seconds for result in results) * 1000
    cpu = statistics.median(result.cpu_seconds for result in results) * 1000
    spread = f"{rates[0]:.0f}-{rates[-1]:.0f}"
    sys.stdout.write(
        f"{case.name:<46} {statistics.median(rates):>7.0f}/s {spread:>11} {each:>7.2f} ms {cpu:>6.3f} ms CPU\n"
    )
    sys.stdout.flush()


def profile(case: Case, ca: TestCA, *, mails: int) -> None:
    """Prints where the time goes."""
    with a_sink(case, ca) as port:
        settings = settings_for(case, port, ca)
        profiler = cProfile.Profile()
        profiler.enable()
        asyncio.run(send(case, settings, mails))
        profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


def main() -> None:
    """Runs all cases, or profiles one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--profile", action="store_true", help="of the first such case")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ca = TestCA(Path(folder))
        if options.profile:
            profile(next(case for case in CASES if options.only in case.name), ca, mails=options.mails)
            return
        for case in (case for case in CASES if options.only in case.name):
            run(case, ca, mails=options.mails, runs=options.runs)


if __name__ == "__main__":
    main()
