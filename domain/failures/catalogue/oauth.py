"""Everything about token and authorization endpoints, in the order of trust; nothing of it fits mail servers."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.google_token import GOOGLE_OAUTH
from domain.failures.catalogue.microsoft_token import MICROSOFT_OAUTH
from domain.failures.catalogue.oauth_errors import OAUTH_CLASSES, OAUTH_ERRORS, OAUTH_STATUSES
from domain.failures.catalogue.oauth_symptoms import OAUTH_SYMPTOMS
from domain.failures.catalogue.without_person import WITHOUT_PERSON

OAUTH: Final[tuple[Entry, ...]] = (
    *WITHOUT_PERSON,
    *OAUTH_SYMPTOMS,
    *OAUTH_STATUSES,
    *GOOGLE_OAUTH,
    *MICROSOFT_OAUTH,
    *OAUTH_ERRORS,
    *OAUTH_CLASSES,
)
"""
Where no person is asked, only the first ones fit: nobody can consent again. A 5xx or 429 goes before any word: it says
nothing about the grant, whatever the body holds (F29). Then the provider's own codes and texts, then OAuth's errors;
the classes fit whatever is left on these two surfaces.
"""
