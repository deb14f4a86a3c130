"""The staged record of one attempt, written as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from domain.failures.evidence import Evidence
from domain.failures.explain import cut, explain
from domain.failures.failure import Failure, Stage
from domain.failures.trace import LONGEST_TOLD, TlsSession, Trace, TraceStep, last_words
from domain.ports.environment import Clock


class Stopped(Exception):
    """
    The attempt cannot go on, and *evidence* says why; caught where the report is made.

    *failure* is the explanation where somebody else has given it already.
    """

    def __init__(self, evidence: Evidence, *, failure: Failure | None = None) -> None:
        super().__init__(evidence.symptom or evidence.code)
        self.evidence = evidence
        self.failure = failure or explain(evidence)
        self.reply = last_words(failure) if failure else _reply(evidence)
        """The last thing that the peer said, as a step of the trace shows it."""

    @property
    def is_answer(self) -> bool:
        """Tells whether the server said so itself, and is still there to be told goodbye."""
        return self.evidence.symptom is None and self.evidence.code != 421


@dataclass(slots=True)
class Step:
    """What a step under way notes; all of it scrubbed."""

    detail: str = ""
    reply: str = ""
    tls: TlsSession | None = None
    succeeded: bool = field(default=True)


class TraceLog:
    """Collects the steps in the order in which they end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_time = clock.now()
        self._steps: list[TraceStep] = []

    @contextmanager
    def step(self, stage: Stage) -> Iterator[Step]:
        """Records what happens within as one step: failed when Stopped leaves it, which also says the rest."""
        step, begin = Step(), self._clock.monotonic()
        try:
            yield step
        except Stopped as stopped:
            step.succeeded = False
            step.reply = step.reply or stopped.reply
            step.detail = "; ".join(part for part in (step.detail, _symptom(stopped.evidence)) if part)
            raise
        finally:
            self.add(
                TraceStep(
                    stage=stage,
                    succeeded=step.succeeded,
                    duration=self._clock.monotonic() - begin,
                    detail=step.detail,
                    reply=step.reply,
                    tls=step.tls,
                )
            )

    def add(self, step: TraceStep) -> None:
        """Records a step that is over already."""
        if len(step.detail) > LONGEST_TOLD or len(step.reply) > LONGEST_TOLD:
            step = replace(step, detail=cut(step.detail, LONGEST_TOLD), reply=cut(step.reply, LONGEST_TOLD))
        self._steps.append(step)

    def amend(self, *, tls: TlsSession, detail: str) -> None:
        """Adds to the last step, which has failed, what was found out about it afterwards."""
        last = self._steps.pop()
        self.add(replace(last, tls=tls, detail=f"{last.detail}; {detail}" if last.detail else detail))

    def trace(self) -> Trace:
        """Returns the record so far."""
        return Trace(start_time=self._start_time, steps=tuple(self._steps))


def _reply(evidence: Evidence) -> str:
    words = (str(evidence.code) if evidence.code else "", evidence.enhanced_code, evidence.text)
    return " ".join(word for word in words if word)


def _symptom(evidence: Evidence) -> str:
    if evidence.symptom is None:
        return evidence.detail
    name = evidence.symptom.replace("_", " ")
    return f"{name}: {evidence.detail}" if evidence.detail else name
