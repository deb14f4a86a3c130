"""Where a provider tells more of a failure: found again by its words, which are all that is stored of it."""

from __future__ import annotations

import re
from functools import cache
from string import Formatter
from typing import Final

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN, Entry
from domain.failures.failure import Failure
from domain.reasons import Reason

_LONGEST: Final = 2048
"""Characters of a cause or remedy that are looked at; the catalogue's own are far shorter."""


def help_url_of(failure: Failure) -> str:
    """
    Returns the provider's own page about *failure*; empty when the catalogue has none.

    A failure has the cause and the remedy of the entry that explains it, with the server's name and words put in; what
    the call needs may have been added to the remedy. Where several entries have the same words, the first one's page
    counts, as the catalogue's order is that of trust.
    """
    cause, remedy = failure.cause[:_LONGEST], failure.remedy[:_LONGEST]
    for entry in _with_help(failure.reason):
        if _pattern(entry.cause).fullmatch(cause) and _pattern(entry.remedy).match(remedy):
            return entry.help_url
    return ""


@cache
def _with_help(reason: Reason) -> tuple[Entry, ...]:
    return tuple(entry for entry in (*CATALOGUE, OUTCOME_UNKNOWN) if entry.reason is reason and entry.help_url)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Returns what matches *template* with anything in its places; case aside, as a sentence may begin with one."""
    parts = Formatter().parse(template)
    words = (re.escape(literal) + (".*" if place is not None else "") for literal, place, _, _ in parts)
    joined = "".join(words).replace(".*.*", ".*")  # places side by side would be tried in every split
    return re.compile(joined, re.IGNORECASE | re.DOTALL)
