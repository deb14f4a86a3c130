"""The one explaining rule: evidence in, a Failure out that always names a next step."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.failures.catalogue import CATALOGUE, OUTCOME_UNKNOWN, Entry
from domain.failures.evidence import Evidence, Surface
from domain.failures.failure import Failure, FailureKind

LONGEST_REPLY: Final = 1024
"""Characters of a peer's text that a Failure keeps."""
_LONGEST_QUOTE: Final = 200
_HTTP: Final = frozenset({Surface.OAUTH_TOKEN, Surface.OAUTH_AUTHORIZE})
"""Where a code is an HTTP status, of which 4xx does not mean a passing refusal."""


def explain(evidence: Evidence) -> Failure:
    """
    Returns what *evidence* means, why it happened and what to do about it.

    Trusts a known text before the enhanced status code, that before the reply code's first digit, that before the stage
    (design rule 9). A 4yz is never PERMANENT (RFC 5321 section 4.2.1). Past the point of no return all but a complete
    4yz or 5yz reply is IN_DOUBT. Never raises, whatever the peer said.
    """
    if evidence.past_no_return and not _is_definite(evidence):
        return _failure(OUTCOME_UNKNOWN, evidence)
    return _failure(next(entry for entry in CATALOGUE if entry.fits(evidence)), evidence)


def _is_definite(evidence: Evidence) -> bool:
    return evidence.symptom is None and 400 <= evidence.code <= 599


def _failure(entry: Entry, evidence: Evidence) -> Failure:
    words = _words(evidence)
    temporary = 400 <= evidence.code <= 499 and evidence.surface not in _HTTP
    return Failure(
        reason=entry.reason,
        kind=FailureKind.TRANSIENT if temporary and entry.kind is FailureKind.PERMANENT else entry.kind,
        stage=evidence.stage,
        cause=entry.cause.format_map(words),
        remedy=entry.remedy.format_map(words),
        provider_code=_code(evidence),
        provider_reply=cut(evidence.text, LONGEST_REPLY),
        retry_time=evidence.retry_time or _known_pause(entry, evidence),
        fixes=entry.fixes,
    )


def _code(evidence: Evidence) -> str:
    parts = (str(evidence.code or ""), evidence.enhanced_code, evidence.error, evidence.subcode)
    return " ".join(part for part in parts if part)


def _known_pause(entry: Entry, evidence: Evidence) -> datetime | None:
    return evidence.met_time + entry.pause if evidence.met_time and entry.pause else None


def _words(evidence: Evidence) -> dict[str, str]:
    host = f"[{evidence.host}]" if ":" in evidence.host else evidence.host
    return {
        "server": f"{host}:{evidence.port}" if host and evidence.port else host or "The server",
        "because": f" ({cut(evidence.detail, LONGEST_REPLY)})" if evidence.detail else "",
        "reply": f': "{cut(evidence.text, _LONGEST_QUOTE)}"' if evidence.text else "",
    }


def cut(text: str, longest: int) -> str:
    """Returns *text* with at most *longest* characters; an ellipsis shows that some are missing."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
