"""Collects what is wrong and what may bite, so that one look names everything."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeVar

from domain.errors import Violation, Warning
from domain.reasons import Reason
from domain.text import has_control_character, shown

_T = TypeVar("_T")
_Choice = TypeVar("_Choice", bound=StrEnum)

MAXIMUM_LINE: Final = 512


class Findings:
    """The violations and warnings of one parse, in the order in which they were found."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.warnings: list[Warning] = []

    def take(self, result: _T | Violation) -> _T | None:
        """Returns a parsed value, or records the Violation and returns None."""
        if isinstance(result, Violation):
            self.violations.append(result)
            return None
        return result

    def refuse(self, field: str, reason: Reason, message: str, remedy: str) -> None:
        """Records a violation."""
        self.violations.append(Violation(field=field, reason=reason, message=message, remedy=remedy))

    def warn(self, field: str, reason: Reason, message: str, remedy: str) -> None:
        """Records a warning."""
        self.warnings.append(Warning(field=field, reason=reason, message=message, remedy=remedy))


def parse_choice(text: str, choices: type[_Choice], *, field: str) -> _Choice | Violation:
    """Returns the member that *text* names, else a Violation that lists them."""
    try:
        return choices(text)
    except ValueError:
        return Violation(
            field=field,
            reason=Reason.VALUE_MALFORMED,
            message=f"{shown(text)} is none of the choices.",
            remedy=f"Choose one of {', '.join(choices)}.",
        )


def parse_line(text: str, *, field: str, what: str, maximum: int = MAXIMUM_LINE) -> str | Violation:
    """
    Returns a mandatory one-line value as it is, e.g. a user name.

    Refuses an empty one, control characters, blanks around it, and more than *maximum* characters. *what* names the
    value at the beginning of a sentence.
    """
    if not text.strip():
        return Violation(
            field=field, reason=Reason.FIELD_REQUIRED, message=f"{what} is missing.", remedy="Fill in this field."
        )
    if len(text) > maximum:
        return Violation(
            field=field,
            reason=Reason.VALUE_TOO_LONG,
            message=f"{what} has {len(text)} characters; at most {maximum} are taken.",
            remedy="Check what was pasted here.",
        )
    if has_control_character(text):
        return Violation(
            field=field,
            reason=Reason.CONTROL_CHARACTER,
            message=f"{what} contains a line break or another control character.",
            remedy="Type it again on one line.",
        )
    if text != text.strip():
        return Violation(
            field=field,
            reason=Reason.VALUE_MALFORMED,
            message=f"{what} has blanks around it.",
            remedy="Remove the blanks before and after it.",
        )
    return text
