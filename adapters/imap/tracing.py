"""The staged record of the way to a mailbox, written as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.imap.failures import Stopped
from domain.failures.explain import cut
from domain.failures.failure import Stage
from domain.failures.trace import LONGEST_TOLD, TlsSession, Trace, TraceStep
from domain.ports.environment import Clock


@dataclass(slots=True)
class Step:
    """What a step under way notes; all of it scrubbed."""

    detail: str = ""
    reply: str = ""
    peer: str = ""
    tls: TlsSession | None = None


class TraceLog:
    """Collects the steps in the order in which they end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_time = clock.now()
        self._steps: list[TraceStep] = []

    @contextmanager
    def step(self, stage: Stage) -> Iterator[Step]:
        """Records what happens within as one step: failed when anything leaves it; Stopped also says the rest."""
        step, begin, succeeded = Step(), self._clock.monotonic(), False
        try:
            yield step
            succeeded = True
        except Stopped as stopped:
            step.reply = step.reply or stopped.reply
            step.detail = "; ".join(part for part in (step.detail, stopped.detail) if part)
            raise
        finally:
            self._steps.append(
                TraceStep(
                    stage=stage,
                    succeeded=succeeded,
                    duration=self._clock.monotonic() - begin,
                    detail=cut(step.detail, LONGEST_TOLD),
                    peer=step.peer,
                    reply=cut(step.reply, LONGEST_TOLD),
                    tls=step.tls,
                )
            )

    def trace(self) -> Trace:
        """Returns the record so far."""
        return Trace(start_time=self._start_time, steps=tuple(self._steps))
