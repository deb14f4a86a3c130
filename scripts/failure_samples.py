"""What a person would paste for an entry of the failure catalogue: an answer that was met, else its marks in full."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from domain.failures.catalogue import Entry
from domain.failures.catalogue.exceptions import SIGNS
from domain.failures.explain import matching
from domain.failures.reading import read_answer
from domain.failures.wording import alike
from tests.unit.domain.failures.rows import catalogue_rows, further_rows

_LONGEST = 300
"""Characters; longer answers, whole pages as a rule, show nobody what to look for."""


def sample_of(entry: Entry) -> str:
    """Returns an answer that *entry* explains, of several lines as it may be; empty when none can be named."""
    sign = next((sign.sample for sign in SIGNS if entry.symptom and sign.symptom is entry.symptom), "")
    return entry.sample or sign or _met().get(id(entry), "") or _of_marks(entry)


@cache
def _met() -> Mapping[int, str]:
    """Returns the first of the answers that tests explain with an entry, by that entry's identity."""
    found: dict[int, str] = {}
    for row in (*catalogue_rows(), *further_rows()):
        evidence = read_answer(
            row.answer, surface=row.surface, provider=row.provider, stage=row.stage, http_status=row.http_status
        )
        if len(row.answer) <= _LONGEST:
            found.setdefault(id(matching(evidence, alike(evidence.text))), row.answer)
    return found


def _of_marks(entry: Entry) -> str:
    marks = [first_word(mark) for mark in (entry.code, entry.enhanced, entry.error, entry.subcode, entry.text) if mark]
    return " ".join(mark for mark in marks if mark) if None not in marks else ""


def first_word(pattern: str) -> str | None:
    r"""
    Returns the first word that *pattern* is about: first alternatives, nothing optional.

    None for one that leaves anything open (``.``, ``\d``, repetitions, look-arounds).
    """
    word, at = "", 0
    while at < len(pattern) and pattern[at] != "|":
        piece, at = _piece(pattern, at)
        following = pattern[at : at + 1]
        if following == "?":
            at += 1
        elif piece is None or following in ("*", "+", "{"):
            return None
        else:
            word += piece
    return word


def _piece(pattern: str, at: int) -> tuple[str | None, int]:
    """Returns the word of the group, class or character at *at*, and where the next one begins."""
    sign = pattern[at]
    if sign == "(":
        end = _end_of_group(pattern, at)
        inner = pattern[at + 1 : end].removeprefix("?:")
        return (None if inner.startswith("?") else first_word(inner)), end + 1
    if sign == "[":
        end = pattern.index("]", at + 1)
        first = pattern[at + 1]
        return (None if first in "^\\" else first), end + 1
    if sign == "\\":
        escaped = pattern[at + 1]
        return (None if escaped.isalnum() else escaped), at + 2
    return (None if sign in ".^$" else sign), at + 1


def _end_of_group(pattern: str, at: int) -> int:
    depth = 0
    for place in range(at, len(pattern)):
        if pattern[place - 1 : place] != "\\":
            depth += {"(": 1, ")": -1}.get(pattern[place], 0)
        if depth == 0:
            return place
    raise ValueError(f"{pattern!r} has a group without an end")
