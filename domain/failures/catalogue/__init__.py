"""The failure catalogue: data alone, in the order of trust (design rule 9). Adding a case is adding an entry."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.classes import CLASSES
from domain.failures.catalogue.codes import ENHANCED_CODES
from domain.failures.catalogue.doubt import OUTCOME_UNKNOWN
from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.google import GOOGLE_TEXTS
from domain.failures.catalogue.microsoft import MICROSOFT_TEXTS
from domain.failures.catalogue.oauth import OAUTH
from domain.failures.catalogue.others import OTHER_PROVIDERS_TEXTS
from domain.failures.catalogue.symptoms import SYMPTOMS
from domain.failures.catalogue.texts import COMMON_TEXTS
from domain.failures.catalogue.token_sign_in import TOKEN_SIGN_IN
from domain.failures.catalogue.without_person import KEY_UNUSABLE

__all__ = ["CATALOGUE", "OUTCOME_UNKNOWN", "Entry"]

CATALOGUE: Final[tuple[Entry, ...]] = (
    KEY_UNUSABLE,
    *OAUTH,
    *SYMPTOMS,
    *TOKEN_SIGN_IN,
    *GOOGLE_TEXTS,
    *MICROSOFT_TEXTS,
    *OTHER_PROVIDERS_TEXTS,
    *COMMON_TEXTS,
    *ENHANCED_CODES,
    *CLASSES,
)
"""The first entry that fits explains; `CLASSES` fits whatever is left, so there always is one."""
