"""One cause that the catalogue knows: how it is recognised, what it means, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from domain.failures.evidence import Evidence, Surface, Symptom
from domain.failures.failure import FailureKind, Fix, Stage
from domain.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """
    A cause with the marks by which it is known; every mark that is given must fit, and one that is empty fits anything.

    *cause* and *remedy* are templates: ``{server}`` is host and port, ``{because}`` the evidence's detail in brackets
    or nothing, ``{reply}`` the peer's words in quotes or nothing.
    """

    reason: Reason
    kind: FailureKind
    cause: str
    remedy: str
    symptom: Symptom | None = None
    text: str = ""
    """Regular expression looked for in the reply's text as `domain.failures.wording.alike` writes it: lower case, no
    accents. No part of it may repeat without a bound inside of another repetition."""
    unless: str = ""
    """Regular expression that must not be found in the text."""
    code: str = ""
    """Regular expression for the whole reply code, e.g. ``5..``; an unknown one is ``000``, and ``500`` or ``400``
    where the enhanced code alone is known."""
    enhanced: str = ""
    """Regular expression for the whole enhanced status code, e.g. ``5\\.7\\.139``."""
    error: str = ""
    """Regular expression for the whole of `Evidence.error`, letter case aside, e.g. ``invalid_grant``."""
    subcode: str = ""
    """Regular expression for the whole subcode, e.g. ``AADSTS5017[34]``."""
    with_token: bool = False
    """Fits only sign-ins that were made with an access token."""
    perhaps_token: bool = False
    """Fits sign-ins but for those that are known to have been made with a password."""
    without_person: bool = False
    """Fits only questions for tokens that take no person's consent."""
    pasted: bool = False
    """Fits only answers that somebody pasted: no server is known that gave them."""
    stages: frozenset[Stage] = frozenset()
    surfaces: frozenset[Surface] = frozenset()
    security: str = ""
    """The configured connection security, as `domain.connection.ConnectionSecurity` writes it; one that nobody knows
    fits."""
    provider: str = ""
    """Id of the preset whose server it is; for words that others use too and mean more widely."""
    fixes: tuple[Fix, ...] = ()
    pause: timedelta | None = None
    """What the provider is known to want waited, counted from the evidence's `met_time`."""
    help_url: str = ""
    """The provider's own page about it."""
    sample: str = ""
    """An answer that shows this cause, as a person would paste it; secrets and addresses made up."""

    def fits(self, evidence: Evidence, words: str) -> bool:
        """Tells whether *evidence* shows this cause; *words*: its text as `alike` writes it."""
        return (
            (self.symptom is None or self.symptom is evidence.symptom)
            and (not self.surfaces or evidence.surface in self.surfaces)
            and (not self.stages or evidence.stage in self.stages)
            and (not self.provider or self.provider == evidence.provider)
            and (not self.security or evidence.security in ("", self.security))
            and (not self.code or _whole(self.code, f"{code_of(evidence):03d}"))
            and (not self.enhanced or _whole(self.enhanced, evidence.enhanced_code))
            and (not self.error or _whole(self.error, evidence.error))
            and (not self.subcode or _whole(self.subcode, evidence.subcode))
            and (not self.with_token or evidence.with_token is True)
            and (not self.perhaps_token or evidence.with_token is not False)
            and (not self.without_person or evidence.without_person)
            and (not self.pasted or not evidence.host)
            and (not self.text or _compiled(self.text).search(words) is not None)
            and (not self.unless or _compiled(self.unless).search(words) is None)
        )


def code_of(evidence: Evidence) -> int:
    """Returns the reply code; where only an enhanced code is known, the class it belongs to (RFC 3463 section 2)."""
    return evidence.code or (int(evidence.enhanced_code[0]) * 100 if evidence.enhanced_code else 0)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Returns *pattern* compiled once: there are more of them than `re` itself remembers."""
    return re.compile(pattern, re.IGNORECASE)


def _whole(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None
