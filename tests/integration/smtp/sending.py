"""What the tests of the SMTP adapter share: settings by one line, a transport, and an attempt run to its report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from adapters.smtp.pool import PoolLimits
from adapters.smtp.transport import SmtpMailTransport
from adapters.system.clock import SystemClock
from domain.address import EmailAddress
from domain.connection import ConnectionSecurity, TlsVersion
from domain.failures.failure import Failure, Stage
from domain.failures.trace import TraceStep
from domain.host import Host
from domain.message import Envelope
from domain.ports.network import ResolutionFailed
from domain.ports.transport import Patience, Report, TokenSource
from domain.secret import Secret
from domain.settings.model import BasicAuthentication, MailSettings, OAuthAuthentication, SmtpTransport
from tests.fakes.network import FakeResolver

ROBOT = BasicAuthentication(username="robot@example.test", password=Secret("s3cr3t!"))
CONTENT = b"From: robot@example.test\r\nTo: r@example.test\r\nSubject: Hello\r\n\r\nHello\r\n"
HOST_NAME = "mailport.example.test"


def an_address(text: str) -> EmailAddress:
    local_part, _, domain = text.rpartition("@")
    return EmailAddress(local_part, domain)


def an_envelope(*recipients: str, sender: str = "robot@example.test") -> Envelope:
    return Envelope(sender=an_address(sender), recipients=tuple(map(an_address, recipients or ("r@example.test",))))


def some_settings(
    port: int,
    *,
    security: ConnectionSecurity = ConnectionSecurity.NONE,
    authentication: BasicAuthentication | OAuthAuthentication | None = None,
    host: str = "localhost",
    **transport: Any,
) -> MailSettings:
    return MailSettings(
        from_address=an_address("robot@example.test"),
        transport=SmtpTransport(host=Host(host), port=port, security=security, **transport),
        authentication=authentication,
    )


def a_patience(seconds: float = 5, **others: timedelta) -> Patience:
    span = timedelta(seconds=seconds)
    return Patience(**{"until_content": span * 2, "each_reply": span, "content": span, "final_reply": span, **others})


def failure_of(report: Report) -> Failure:
    failure = report.first_failure
    assert failure is not None, "the message was taken"
    return failure


def step_of(report: Report, stage: Stage) -> TraceStep:
    """Returns the last step of *stage*."""
    return [step for step in report.trace.steps if step.stage is stage][-1]


@dataclass
class Sender:
    """A transport with short waits; `submit` also counts how often the point of no return was passed."""

    ca_file: Path | None = None
    names: Mapping[str, Sequence[str] | ResolutionFailed] = field(default_factory=dict)
    host_name: str = HOST_NAME
    linger: timedelta = timedelta(0)
    passed_no_return: int = 0
    limits: PoolLimits | None = None
    marks_early: bool = True

    def __post_init__(self) -> None:
        self.resolver = FakeResolver(self.names)
        self.transport = SmtpMailTransport(
            resolver=self.resolver,
            clock=SystemClock(),
            host_name=self.host_name,
            ca_file=self.ca_file,
            linger=self.linger,
            limits=self.limits,
            marks_early=self.marks_early,
        )

    async def submit(
        self,
        settings: MailSettings,
        *recipients: str,
        content: bytes = CONTENT,
        envelope: Envelope | None = None,
        patience: Patience | None = None,
        before_content: Callable[[], Awaitable[None]] | None = None,
        tokens: TokenSource | None = None,
        lane: str = "",
    ) -> Report:
        async def mark() -> None:
            self.passed_no_return += 1
            if before_content is not None:
                await before_content()

        return await self.transport.submit(
            settings,
            envelope or an_envelope(*recipients),
            content,
            before_content=mark,
            patience=patience or a_patience(),
            tokens=tokens,
            lane=lane,
        )


STARTTLS, IMPLICIT_TLS, NONE = ConnectionSecurity.STARTTLS, ConnectionSecurity.IMPLICIT_TLS, ConnectionSecurity.NONE
__all__ = [
    "CONTENT",
    "HOST_NAME",
    "IMPLICIT_TLS",
    "NONE",
    "ROBOT",
    "STARTTLS",
    "Sender",
    "TlsVersion",
    "a_patience",
    "an_address",
    "an_envelope",
    "failure_of",
    "some_settings",
    "step_of",
]
