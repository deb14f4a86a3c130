"""Ids of records, as far as the edge judges them: present, and fit to be looked up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domain.errors import InputInvalid, Violation
from domain.reasons import Reason
from domain.text import has_control_character

_LONGEST: Final = 255


def parse_id(text: str, *, field: str) -> str:
    """
    Returns the id in *field*, which must not be empty.

    An id of another form than mailport's own is let through, so that it is answered as any record that is not there.
    Raises InputInvalid for an empty one, control characters (NUL among them), and more than 255 characters.
    """
    if text:
        return parse_optional_id(text, field=field)
    raise _refused(field, Reason.FIELD_REQUIRED, "The id is missing.", "Name the record that is meant.")


def parse_optional_id(text: str, *, field: str) -> str:
    """Returns the id in *field* as `parse_id` does; empty stays empty."""
    if len(text) > _LONGEST:
        message = f"The id has {len(text)} characters; at most {_LONGEST} are taken."
        raise _refused(field, Reason.VALUE_TOO_LONG, message, "Give the id as mailport answered it.")
    if has_control_character(text):
        message = "The id contains a line break or another control character."
        raise _refused(field, Reason.CONTROL_CHARACTER, message, "Give the id as mailport answered it.")
    return text


def keep_id(parse: Callable[..., str], text: str, *, field: str, found: list[Violation]) -> str:
    """Returns what *parse* makes of the id in *field*; what it refuses goes to *found*, and the id is empty then."""
    try:
        return parse(text, field=field)
    except InputInvalid as refused:
        found += refused.violations
        return ""


def _refused(field: str, reason: Reason, message: str, remedy: str) -> InputInvalid:
    return InputInvalid([Violation(field=field, reason=reason, message=message, remedy=remedy)])
