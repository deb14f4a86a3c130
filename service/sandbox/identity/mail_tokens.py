"""What the sandbox's mail server asks the identity provider: may this token sign this user in?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from service.sandbox.identity.behaviour import Behaviour
from service.sandbox.identity.counters import Statistics
from service.sandbox.identity.grants import Grants
from service.sandbox.identity.scopes import (
    GOOGLE_MAIL_SCOPE,
    MICROSOFT_SMTP_SCOPE,
    STRICT_MAIL_SCOPE,
    Scope,
    opens_imap,
    opens_smtp,
)

Opens: TypeAlias = Callable[[Iterable[Scope], Behaviour], bool]

_SCOPES: Final = {
    Behaviour.GOOGLE: GOOGLE_MAIL_SCOPE,
    Behaviour.MICROSOFT: MICROSOFT_SMTP_SCOPE,
    Behaviour.STRICT: STRICT_MAIL_SCOPE,
}


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Why a token does not sign a user in."""

    outcome: str
    """``invalid_token``, ``expired``, ``wrong_scope``, ``wrong_user``: for tests, the client is not told."""
    behaviour: Behaviour
    """Whose token it is; Google's for one that is nobody's."""

    @property
    def challenge(self) -> bytes:
        """The JSON of the error challenge to XOAUTH2, as Google writes it."""
        return _json({"status": "400", "schemes": "Bearer", "scope": _SCOPES[self.behaviour]})

    @property
    def oauthbearer_challenge(self) -> bytes:
        """The JSON of the error challenge to OAUTHBEARER (RFC 7628 section 3.2.2)."""
        status = "insufficient_scope" if self.outcome == "wrong_scope" else "invalid_token"
        return _json({"status": status, "scope": _SCOPES[self.behaviour]})

    @property
    def reply(self) -> str:
        """The reply line that follows."""
        if self.behaviour is Behaviour.MICROSOFT:
            return "535 5.7.3 Authentication unsuccessful"
        return "535 5.7.8 Username and Password not accepted"


class MailTokens:
    """Checks access tokens: known, alive, for mail over SMTP or IMAP, and the user's own."""

    def __init__(self, *, grants: Grants, statistics: Statistics, now: Callable[[], datetime]) -> None:
        self._grants = grants
        self._statistics = statistics
        self._now = now

    def check(self, *, username: str, token: str) -> TokenRefused | None:
        """Returns None when *token* signs *username* (case aside) in to send, else why not."""
        return self._check(username, token, opens_smtp)

    def check_imap(self, *, username: str, token: str) -> TokenRefused | None:
        """Returns None when *token* signs *username* (case aside) in to read, else why not."""
        return self._check(username, token, opens_imap)

    def time_left(self, token: str) -> timedelta:
        """Returns how long *token* will be good; nothing once it is not."""
        found, now = self._grants.access_tokens.get(token), self._now()
        return found.expire_time - now if found is not None and found.is_active(now) else timedelta(0)

    def _check(self, username: str, token: str, opens: Opens) -> TokenRefused | None:
        found = self._grants.access_tokens.get(token)
        if found is None:
            return TokenRefused("invalid_token", Behaviour.GOOGLE)
        behaviour, account = found.grant.behaviour, found.grant.account
        outcome = "ok"
        if not found.grant.is_alive or found.is_withdrawn:
            outcome = "invalid_token"
        elif not found.is_active(self._now()):
            outcome = "expired"
        elif not opens(found.scopes, behaviour):
            outcome = "wrong_scope"
        elif account and account.casefold() != username.casefold():  # a client's own token opens any mailbox
            outcome = "wrong_user"
        self._statistics[behaviour].mail_sign_ins[outcome] += 1
        self._statistics.changed()
        return None if outcome == "ok" else TokenRefused(outcome, behaviour)


def _json(content: dict[str, str]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
