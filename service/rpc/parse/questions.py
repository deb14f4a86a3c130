"""What Explain is asked."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeVar

from domain.errors import InputInvalid, Violation
from domain.failures.evidence import Surface
from domain.failures.failure import Stage
from domain.failures.reading import LONGEST_ANSWER
from domain.reasons import Reason
from mailport.v1 import failure_pb2, mail_service_pb2
from service.rpc.parse.values import choice
from service.usecases.explain import PROVIDER_IDS, Question

_LONGEST_PROVIDER: Final = 63
_E = TypeVar("_E", bound=StrEnum)


def parse_question(request: mail_service_pb2.ExplainRequest) -> Question:
    """Returns the question. Raises InputInvalid for an empty or too long text, and for words that no enum has."""
    found: list[Violation] = []
    if not request.text.strip():
        found.append(
            Violation(
                "text", Reason.FIELD_REQUIRED, "There is no answer to explain.", "Paste the answer, or a part of it."
            )
        )
    if len(request.text.encode("utf-8", "replace")) > LONGEST_ANSWER:
        message = f"The text is longer than {LONGEST_ANSWER // 1024} KiB."
        found.append(Violation("text", Reason.VALUE_TOO_LONG, message, "Paste the part that says what went wrong."))
    if len(request.provider) > _LONGEST_PROVIDER:
        message = f"A provider's id has at most {_LONGEST_PROVIDER} characters."
        found.append(
            Violation("provider", Reason.VALUE_TOO_LONG, message, "Use one of GetOptions' ids, or leave it empty.")
        )
    provider = request.provider.strip().lower()
    if provider and len(request.provider) <= _LONGEST_PROVIDER and provider not in PROVIDER_IDS:
        message = "mailport does not know this provider."
        remedy = f"Leave it empty to have it guessed, or use one of: {', '.join(PROVIDER_IDS)}."
        found.append(Violation("provider", Reason.VALUE_MALFORMED, message, remedy))
    if request.http_status and not 100 <= request.http_status <= 599:
        message = f"{request.http_status} is no HTTP status; they run from 100 to 599."
        found.append(Violation("http_status", Reason.VALUE_OUT_OF_RANGE, message, "Leave it 0 where there was none."))
    surface = choice(request.surface, mail_service_pb2.Surface, prefix="SURFACE_")
    stage = choice(request.stage, failure_pb2.FailureStage, prefix="FAILURE_STAGE_")
    question = Question(
        text=request.text,
        surface=_member(Surface, surface.lower().replace("_", "-"), field="surface", found=found),
        provider=provider,
        stage=_member(Stage, stage, field="stage", found=found),
        http_status=request.http_status,
    )
    if found:
        raise InputInvalid(found)
    return question


def _member(enum: type[_E], word: str, *, field: str, found: list[Violation]) -> _E | None:
    if not word:
        return None
    try:
        return enum(word)
    except ValueError:
        message = f"{word} is not a value of this field that mailport knows."
        found.append(Violation(field, Reason.VALUE_MALFORMED, message, "Leave it unspecified to have it guessed."))
        return None
