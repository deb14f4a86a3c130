"""The staged record of one attempt, written as it happens."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from domain.failures.explain import cut
from domain.failures.failure import Failure, Stage
from domain.failures.trace import LONGEST_TOLD, TlsSession, Trace, TraceStep, last_words
from domain.ports.environment import Clock

_DATE: Final = "%b %d %H:%M:%S %Y GMT"


class Stopped(Exception):
    """The attempt cannot go on, and *failure* says why; caught where the report is made."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


@dataclass(slots=True)
class Step:
    """What a step under way notes; all of it scrubbed."""

    detail: str = ""
    reply: str = ""
    tls: TlsSession | None = None
    succeeded: bool = True

    def note(self, words: str) -> None:
        """Adds *words* to the detail."""
        self.detail = f"{self.detail}; {words}" if self.detail else words


class TraceLog:
    """Collects the steps in the order in which they end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_time = clock.now()
        self._steps: list[TraceStep] = []

    @contextmanager
    def step(self, stage: Stage, detail: str = "") -> Iterator[Step]:
        """Records what happens within as one step: failed when an exception leaves it; Stopped says the rest."""
        step, begin = Step(detail=detail), self._clock.monotonic()
        try:
            yield step
        except BaseException as error:
            step.succeeded = False
            if isinstance(error, Stopped):
                step.reply = step.reply or last_words(error.failure)
                stage = error.failure.stage
            raise
        finally:
            self._steps.append(
                TraceStep(
                    stage=stage,
                    succeeded=step.succeeded,
                    duration=self._clock.monotonic() - begin,
                    detail=cut(step.detail, LONGEST_TOLD),
                    reply=cut(step.reply, LONGEST_TOLD),
                    tls=step.tls,
                )
            )

    def trace(self) -> Trace:
        """Returns the record so far."""
        return Trace(start_time=self._start_time, steps=tuple(self._steps))


def describe_tls(extensions: Mapping[str, Any], clean: Callable[[str], str]) -> TlsSession | None:
    """Returns what was negotiated on the connection of an answer, as far as it tells; None without TLS."""
    stream = extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    if not isinstance(tls, ssl.SSLObject | ssl.SSLSocket):
        return None
    certificate: Mapping[str, Any] = tls.getpeercert() or {}
    cipher = tls.cipher()
    return TlsSession(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        certificate_subject=clean(_common_name(certificate.get("subject", ())) or _first_name(certificate)),
        certificate_issuer=clean(_common_name(certificate.get("issuer", ()))),
        certificate_expire_time=_expiry(certificate.get("notAfter")),
    )


def _common_name(name: Any) -> str:
    return next((str(value) for group in name for key, value in group if key == "commonName"), "")


def _first_name(certificate: Mapping[str, Any]) -> str:
    return next((str(value) for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"), "")


def _expiry(written: object) -> datetime | None:
    try:
        return datetime.strptime(str(written), _DATE).replace(tzinfo=UTC)
    except ValueError:
        return None
