"""Errors on request: accounts whose name brings one about, and ones that a script plans ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from service.sandbox.identity.behaviour import Behaviour


class Fault(StrEnum):
    """What goes wrong."""

    ACCESS_DENIED = "access_denied"
    CONSENT_REQUIRED = "consent_required"
    ADMIN_CONSENT = "admin_consent"
    LESS_SCOPE = "less_scope"
    NO_REFRESH_TOKEN = "no_refresh_token"
    INVALID_GRANT = "invalid_grant"
    INVALID_CLIENT = "invalid_client"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    SERVER_ERROR = "server_error"
    HTML_503 = "html_503"
    TOO_MANY_REQUESTS = "too_many_requests"
    TIMEOUT = "timeout"
    TRUNCATED_JSON = "truncated_json"
    LOST_ANSWER = "lost_answer"


CONSENT_FAULTS: Final = frozenset({Fault.ACCESS_DENIED, Fault.CONSENT_REQUIRED, Fault.ADMIN_CONSENT, Fault.LESS_SCOPE})
"""The others strike at the token endpoint."""


@dataclass(frozen=True, slots=True)
class MagicAccount:
    """An account, at any domain and with any ``+tag``, that something goes wrong for."""

    local_part: str
    fault: Fault
    meaning: str
    """For people: what a client sees."""
    only_refresh: bool = False
    """Whether the code exchange still works."""


MAGIC_ACCOUNTS: Final = (
    MagicAccount("denied", Fault.ACCESS_DENIED, "The callback says access_denied: a policy forbids the consent."),
    MagicAccount("consent", Fault.CONSENT_REQUIRED, "The callback says consent_required."),
    MagicAccount("admin", Fault.ADMIN_CONSENT, "A page says that an administrator must approve; no callback comes."),
    MagicAccount("less", Fault.LESS_SCOPE, "Consent is given, but to none of the mail scopes."),
    MagicAccount("norefresh", Fault.NO_REFRESH_TOKEN, "The code brings an access token and no refresh token."),
    MagicAccount("badcode", Fault.INVALID_GRANT, "The code is refused: invalid_grant."),
    MagicAccount("revoked", Fault.INVALID_GRANT, "The code works; each refresh is refused: invalid_grant.", True),
    MagicAccount("badclient", Fault.INVALID_CLIENT, "Each refresh is refused: invalid_client.", True),
    MagicAccount("unavailable", Fault.TEMPORARILY_UNAVAILABLE, "Each refresh: temporarily_unavailable.", True),
    MagicAccount("broken", Fault.SERVER_ERROR, "Each refresh: HTTP 500.", True),
    MagicAccount("maintenance", Fault.HTML_503, "Each refresh: HTTP 503 with a page instead of JSON.", True),
    MagicAccount("throttled", Fault.TOO_MANY_REQUESTS, "Each refresh: HTTP 429 with Retry-After.", True),
    MagicAccount("silent", Fault.TIMEOUT, "A refresh is not answered before a client gives up.", True),
    MagicAccount("cut", Fault.TRUNCATED_JSON, "Each refresh: JSON that ends in the middle.", True),
)

_BY_LOCAL_PART: Final = {magic.local_part: magic for magic in MAGIC_ACCOUNTS}


def magic_of(account: str) -> MagicAccount | None:
    """Returns the magic that *account* has: its local part without ``+tag``, case aside; the domain is free."""
    local_part, _, _ = account.rpartition("@")
    return _BY_LOCAL_PART.get(local_part.partition("+")[0].casefold())


@dataclass(slots=True)
class _Planned:
    fault: Fault
    behaviour: Behaviour | None
    grant_type: str
    times: int


class PlannedFaults:
    """Faults that a script asked for; the oldest that fits strikes first."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def plan(self, fault: Fault, *, behaviour: Behaviour | None = None, grant_type: str = "", times: int = 1) -> None:
        """
        Lets *fault* strike the next *times* it can: at *behaviour* (None: any), for *grant_type* ("": any).

        A fault of the consent ignores *grant_type*. Raises ValueError unless *times* is 1 or more.
        """
        if times < 1:
            raise ValueError("a fault strikes once at least")
        self._planned.append(_Planned(fault, behaviour, grant_type, times))

    def at_consent(self, behaviour: Behaviour, account: str) -> Fault | None:
        """Returns what goes wrong with this consent, and counts it."""
        magic = magic_of(account)
        if magic is not None and magic.fault in CONSENT_FAULTS:
            return magic.fault
        return self._take(lambda each: each.fault in CONSENT_FAULTS and each.behaviour in {None, behaviour})

    def at_token(self, behaviour: Behaviour, grant_type: str, account: str) -> Fault | None:
        """Returns what goes wrong with this token request, and counts it."""
        magic = magic_of(account)
        if (
            magic is not None
            and magic.fault not in CONSENT_FAULTS
            and (not magic.only_refresh or grant_type == "refresh_token")
        ):
            return magic.fault
        return self._take(
            lambda each: (
                each.fault not in CONSENT_FAULTS
                and each.behaviour in {None, behaviour}
                and each.grant_type in {"", grant_type}
            )
        )

    def clear(self) -> None:
        """Forgets what was planned."""
        self._planned.clear()

    def _take(self, fits: Callable[[_Planned], bool]) -> Fault | None:
        found = next((each for each in self._planned if fits(each)), None)
        if found is None:
            return None
        found.times -= 1
        if found.times == 0:
            self._planned.remove(found)
        return found.fault
