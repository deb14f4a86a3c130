"""One cause that the catalogue knows: how it is recognised, what it means, what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

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
    """Regular expression looked for in the reply's text, letter case aside."""
    code: str = ""
    """Regular expression for the whole reply code, e.g. ``5..``."""
    enhanced: str = ""
    """Regular expression for the whole enhanced status code, e.g. ``5\\.7\\.139``."""
    error: str = ""
    """Regular expression for the whole OAuth error, e.g. ``invalid_grant``."""
    subcode: str = ""
    """Regular expression for the whole subcode, e.g. ``AADSTS5017[34]``."""
    with_token: bool = False
    """Fits only sign-ins that were made with an access token."""
    without_person: bool = False
    """Fits only questions for tokens that take no person's consent."""
    stages: frozenset[Stage] = frozenset()
    surfaces: frozenset[Surface] = frozenset()
    security: str = ""
    """The configured connection security, as `domain.connection.ConnectionSecurity` writes it."""
    provider: str = ""
    """Id of the preset whose server it is; for words that others use too and mean more widely."""
    fixes: tuple[Fix, ...] = ()
    pause: timedelta | None = None
    """What the provider is known to want waited, counted from the evidence's `met_time`."""

    def fits(self, evidence: Evidence) -> bool:
        """Tells whether *evidence* shows this cause."""
        return (
            (self.symptom is None or self.symptom is evidence.symptom)
            and (not self.surfaces or evidence.surface in self.surfaces)
            and (not self.stages or evidence.stage in self.stages)
            and (not self.provider or self.provider == evidence.provider)
            and (not self.security or self.security == evidence.security)
            and (not self.code or re.fullmatch(self.code, f"{evidence.code:03d}") is not None)
            and (not self.enhanced or re.fullmatch(self.enhanced, evidence.enhanced_code) is not None)
            and (not self.error or re.fullmatch(self.error, evidence.error) is not None)
            and (not self.subcode or re.fullmatch(self.subcode, evidence.subcode) is not None)
            and (not self.with_token or evidence.with_token)
            and (not self.without_person or evidence.without_person)
            and (not self.text or re.search(self.text, evidence.text, re.IGNORECASE) is not None)
        )
