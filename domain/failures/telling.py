"""A log too long to be read: its lines that tell what went wrong."""

from __future__ import annotations

import re
from typing import Final

_LONGEST_LOG: Final = 1024 * 1024
"""Characters from the end of a text that are looked through: what went wrong ended the log."""
_LONGEST_LINE: Final = 1024
_CODED: Final = re.compile(
    r"^\s*(?:S: ?|<{1,3} ?|<- ?)?[45]\d\d[ -]|(?<![\d.])[45]\d\d[ -]#?[45]\.\d{1,3}\.\d|\([45]\d\d, ?b?[\"']|"
    r"AADSTS\d{4}|\b(?:NO|BAD|BYE) \[|\bHTTP/[\d.]{1,4} [45]\d\d|\"error\"|\berror=|\bsaid: [45]\d\d"
)
_WORDED: Final = re.compile(
    r"error|exception|refused|time-?d? ?out|fail|denied|reject|certificate|unknown", re.IGNORECASE
)


def telling_lines(text: str, longest: int) -> str:
    """
    Returns the last lines of *text* that hold a refusal's code, at most *longest* characters of them.

    Where none does, those that speak of an error; where none does that either, the beginning of *text*.
    """
    lines = [line[:_LONGEST_LINE] for line in text[-_LONGEST_LOG:].splitlines()]
    for telling in (_CODED, _WORDED):
        found = _last([line for line in lines if telling.search(line)], longest)
        if found and len(lines) > 1:
            return "\n".join(found)
    return text[:longest]


def _last(lines: list[str], longest: int) -> list[str]:
    kept: list[str] = []
    room = longest
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]
