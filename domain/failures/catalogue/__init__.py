"""The failure catalogue: data alone, in the order of trust (design rule 9). Adding a case is adding an entry."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from domain.failures.catalogue.classes import CLASSES
from domain.failures.catalogue.codes import LEFT_CODES, MICROSOFT_CODES, REGISTERED_CODES
from domain.failures.catalogue.doubt import OUTCOME_UNKNOWN
from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.google import GOOGLE_TEXTS
from domain.failures.catalogue.graph import GRAPH, GRAPH_CLASSES
from domain.failures.catalogue.graph_symptoms import GRAPH_SYMPTOMS
from domain.failures.catalogue.imap import IMAP, IMAP_CLASSES
from domain.failures.catalogue.mailbox import MAILBOX_SYMPTOMS
from domain.failures.catalogue.microsoft import MICROSOFT_TEXTS
from domain.failures.catalogue.oauth import OAUTH
from domain.failures.catalogue.others import OTHER_PROVIDERS_TEXTS
from domain.failures.catalogue.smtp_messages import MESSAGES, POLICIES, SERVERS
from domain.failures.catalogue.smtp_rates import RATES
from domain.failures.catalogue.smtp_reputation import GREETING, REPUTATION
from domain.failures.catalogue.smtp_senders import BLOCKED_SENDERS, RECIPIENTS, SENDERS, UNAVAILABLE_RECIPIENTS
from domain.failures.catalogue.smtp_sign_in import AUTHENTICATE_FIRST, SIGN_IN
from domain.failures.catalogue.symptoms import SYMPTOMS
from domain.failures.catalogue.token_sign_in import TOKEN_SIGN_IN
from domain.failures.catalogue.without_person import KEY_UNUSABLE
from domain.failures.failure import Stage
from domain.reasons import Reason

__all__ = ["CATALOGUE", "FALLBACKS", "OUTCOME_UNKNOWN", "Entry"]

COMMON_TEXTS: Final = (
    *RATES,
    *GREETING,
    *SIGN_IN,
    *BLOCKED_SENDERS,
    *REPUTATION,
    *SENDERS,
    *RECIPIENTS,
    *AUTHENTICATE_FIRST,
    *MESSAGES,
    *SERVERS,
    *UNAVAILABLE_RECIPIENTS,
)
"""By topic, the narrower words first: what many servers say for one cause must not be taken for another."""

_WHATEVER_IS_SHOWN: Final = frozenset(
    {
        Reason.ACCOUNT_LOCKED,
        Reason.CLIENT_ADDRESS_REFUSED,
        Reason.PASSWORD_EXPIRED,
        Reason.SIGN_IN_BLOCKED,
        Reason.SMTP_AUTH_DISABLED,
    }
)
"""What keeps an account out with a password as with a token."""

KEPT_OUT: Final = tuple(
    replace(entry, with_token=True)
    for entry in (*GOOGLE_TEXTS, *MICROSOFT_TEXTS, *OTHER_PROVIDERS_TEXTS, *COMMON_TEXTS)
    if entry.text
    and (entry.reason in _WHATEVER_IS_SHOWN or (entry.perhaps_token and entry.reason is Reason.BROWSER_SIGN_IN_NEEDED))
    and (not entry.stages or Stage.AUTH in entry.stages)
)
"""
The texts that say so, for sign-ins with a token: before those that take a refusal for the token's own fault, since no
other token and no new consent would help.
"""

FALLBACKS: Final = (*GRAPH_CLASSES, *IMAP_CLASSES, *CLASSES)
"""What explains answers that nobody has seen yet, by code class and stage."""

CATALOGUE: Final[tuple[Entry, ...]] = (
    KEY_UNUSABLE,
    *OAUTH,
    *GRAPH_SYMPTOMS,
    *MAILBOX_SYMPTOMS,
    *SYMPTOMS,
    *GRAPH,
    *GRAPH_CLASSES,
    *IMAP,
    *KEPT_OUT,
    *TOKEN_SIGN_IN,
    *GOOGLE_TEXTS,
    *MICROSOFT_TEXTS,
    *OTHER_PROVIDERS_TEXTS,
    *COMMON_TEXTS,
    *IMAP_CLASSES,
    *MICROSOFT_CODES,
    *REGISTERED_CODES,
    *POLICIES,
    *LEFT_CODES,
    *CLASSES,
)
"""The first entry that fits explains; `CLASSES` fits whatever is left, so there always is one."""
