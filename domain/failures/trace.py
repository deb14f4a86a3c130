"""The staged record of one attempt: safe to paste into a ticket."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.failures.explain import cut
from domain.failures.failure import Failure, Stage

LONGEST_TOLD: Final = 512
"""Characters of a step's detail, and of its reply."""


@dataclass(frozen=True, slots=True)
class TlsSession:
    """What was negotiated, and with whom."""

    version: str
    """As OpenSSL names it, e.g. ``TLSv1.3``."""
    cipher: str
    certificate_subject: str = ""
    """The subject's common name, else its first DNS name; empty when the peer showed none."""
    certificate_issuer: str = ""
    certificate_expire_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One stage of the attempt."""

    stage: Stage
    succeeded: bool
    duration: timedelta
    detail: str = ""
    """What happened in a few words, scrubbed: the command's outcome, the AUTH mechanism, the addresses found."""
    peer: str = ""
    """Address and port dialled, e.g. ``192.0.2.10:587``; only at CONNECT."""
    reply: str = ""
    """The peer's reply, scrubbed and bounded to 512 characters."""
    tls: TlsSession | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """The stages in order, from name look-up to the server's last word."""

    start_time: datetime
    steps: tuple[TraceStep, ...] = ()


def untried(failure: Failure, *, start_time: datetime, duration: timedelta) -> Trace:
    """Returns the record of an attempt that *failure* ended before anything was dialled: its stage alone, failed."""
    step = TraceStep(
        stage=failure.stage,
        succeeded=False,
        duration=duration,
        detail=cut(failure.cause, LONGEST_TOLD),
        reply=last_words(failure),
    )
    return Trace(start_time=start_time, steps=(step,))


def last_words(failure: Failure) -> str:
    """Returns what the peer said, code and text, as a step shows it; empty when it said nothing."""
    return cut(f"{failure.provider_code} {failure.provider_reply}".strip(), LONGEST_TOLD)
