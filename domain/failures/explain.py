"""The one explaining rule: evidence in, a Failure out that always names a next step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.failures.catalogue import CATALOGUE, FALLBACKS, OUTCOME_UNKNOWN, Entry
from domain.failures.catalogue.entry import code_of
from domain.failures.evidence import Evidence, Surface
from domain.failures.failure import HEALS_BY_WAITING, Failure, FailureKind
from domain.failures.wording import alike

LONGEST_REPLY: Final = 1024
"""Characters of a peer's text that a Failure keeps."""
_LONGEST_DETAIL: Final = 400
_UNNAMED: Final = "the server"
"""Where nobody knows which one."""
_LONGEST_QUOTE: Final = 200
_LONGEST_CODE: Final = 120
_HTTP: Final = frozenset({Surface.OAUTH_TOKEN, Surface.OAUTH_AUTHORIZE, Surface.GRAPH})
"""Where a code is an HTTP status, of which 4xx does not mean a passing refusal."""
_ASKED: Final = re.compile(
    r"(?:again|retry|wait|back|later|backoff time|after)\b[^0-9]{0,20}(\d{1,9}) ?(ms|milliseconds|s|sec|secs|"
    r"seconds?|min|"
    r"mins|minutes?|h|hours?)\b"
)
_SECONDS: Final = (("ms", 0.001), ("milli", 0.001), ("mi", 60.0), ("s", 1.0), ("h", 3600.0))
_LONGEST_PAUSE: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What an answer means, and what else the catalogue knows of it."""

    failure: Failure
    is_recognized: bool
    """Whether the catalogue knows this very answer; otherwise it went by code class and stage."""
    help_url: str = ""


def explain(evidence: Evidence) -> Failure:
    """
    Returns what *evidence* means, why it happened and what to do about it.

    Trusts a known text before the enhanced status code, that before the reply code's first digit, that before the stage
    (design rule 9). A 4yz is never PERMANENT (RFC 5321 section 4.2.1). Past the point of no return all but a complete
    4yz or 5yz reply is IN_DOUBT. Never raises, whatever the peer said.
    """
    return explain_fully(evidence).failure


def explain_fully(evidence: Evidence) -> Explanation:
    """Returns what `explain` returns, with what the catalogue knows besides."""
    words = alike(evidence.text)
    entry = matching(evidence, words)
    return Explanation(
        failure=_failure(entry, evidence, words), is_recognized=entry not in FALLBACKS, help_url=entry.help_url
    )


def matching(evidence: Evidence, words: str) -> Entry:
    """Returns the entry that explains *evidence*; *words*: its text as `alike` writes it."""
    if evidence.past_no_return and not _is_definite(evidence):
        return OUTCOME_UNKNOWN
    return next(entry for entry in CATALOGUE if entry.fits(evidence, words))


def _is_definite(evidence: Evidence) -> bool:
    return evidence.symptom is None and 400 <= code_of(evidence) <= 599


def _failure(entry: Entry, evidence: Evidence, words: str) -> Failure:
    places = _places(evidence)
    temporary = 400 <= code_of(evidence) <= 499 and evidence.surface not in _HTTP
    kind = FailureKind.TRANSIENT if temporary and entry.kind is FailureKind.PERMANENT else entry.kind
    return Failure(
        reason=entry.reason,
        kind=kind,
        stage=evidence.stage,
        cause=_sentence(entry.cause, places),
        remedy=_sentence(entry.remedy, places),
        provider_code=cut(_code(evidence), _LONGEST_CODE),
        provider_reply=cut(evidence.text, LONGEST_REPLY),
        retry_time=evidence.retry_time or _pause(entry, kind, evidence, words),
        fixes=entry.fixes,
    )


def _code(evidence: Evidence) -> str:
    parts = (str(evidence.code or ""), evidence.enhanced_code, evidence.error, evidence.subcode)
    return " ".join(part for part in parts if part)


def _pause(entry: Entry, kind: FailureKind, evidence: Evidence, words: str) -> datetime | None:
    """Returns when the text asks to be tried again, else when the provider is known to want it."""
    if evidence.met_time is None:
        return None
    asked = _asked(words) if kind in HEALS_BY_WAITING else None
    pause = asked or entry.pause
    return evidence.met_time + pause if pause else None


def _asked(words: str) -> timedelta | None:
    found = _ASKED.search(words)
    if found is None:
        return None
    unit = next(seconds for stem, seconds in _SECONDS if found[2].startswith(stem))
    return min(timedelta(seconds=int(found[1]) * unit), _LONGEST_PAUSE)


def _sentence(pattern: str, places: Mapping[str, str]) -> str:
    text = pattern.format_map(places)
    return text[:1].upper() + text[1:] if places["server"] == _UNNAMED else text


def _places(evidence: Evidence) -> dict[str, str]:
    host = f"[{evidence.host}]" if ":" in evidence.host else evidence.host
    return {
        "server": f"{host}:{evidence.port}" if host and evidence.port else host or _UNNAMED,
        "because": f" ({cut(evidence.detail, _LONGEST_DETAIL)})" if evidence.detail else "",
        "reply": f': "{cut(evidence.text, _LONGEST_QUOTE)}"' if evidence.text else "",
    }


def cut(text: str, longest: int) -> str:
    """Returns *text* with at most *longest* characters; an ellipsis shows that some are missing."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
