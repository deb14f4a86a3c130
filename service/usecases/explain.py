"""Explain: what a provider's answer means, from the text alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from domain.failures.evidence import Surface
from domain.failures.explain import Explanation, explain_fully
from domain.failures.failure import Stage
from domain.failures.reading import read_answer
from domain.providers import PROVIDERS

PROVIDER_IDS: Final = tuple(preset.provider_id for preset in PROVIDERS)
"""Whose answers can be asked about by name."""
_OFF_LOOP_LENGTH: Final = 1024
"""Characters from which on an answer is read in a thread; the longest take a tenth of a second and more."""


@dataclass(frozen=True, slots=True)
class Question:
    """An answer as a person has it at hand, and what is known besides; what is not given is guessed."""

    text: str
    surface: Surface | None = None
    provider: str = ""
    """One of `PROVIDER_IDS`; empty: guessed."""
    stage: Stage | None = None
    http_status: int = 0
    """0: not known, or none."""


class Explain:
    """Answers the same to every caller; needs no record and opens no connection."""

    async def __call__(self, question: Question) -> Explanation:
        """Returns the explanation; secrets in the text are masked in it."""
        if len(question.text) > _OFF_LOOP_LENGTH:
            return await asyncio.to_thread(explained, question)
        return explained(question)


def explained(question: Question) -> Explanation:
    """Returns the explanation, for callers without an event loop."""
    evidence = read_answer(
        question.text,
        surface=question.surface,
        provider=question.provider,
        stage=question.stage,
        http_status=question.http_status,
    )
    return explain_fully(evidence)
