"""What consents gave: grants, and the codes and tokens that belong to them; in memory and bounded."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Generic, TypeVar

from service.sandbox.identity.behaviour import TRAITS, Behaviour
from service.sandbox.identity.scopes import Scope

CODE_LIFETIME: Final = timedelta(seconds=60)
_REMEMBERED: Final = 50_000
"""Tokens, codes and grants kept of each; the oldest are forgotten first."""

_T = TypeVar("_T")


class Recent(Generic[_T]):
    """Values by their key; past *limit*, the oldest are dropped."""

    def __init__(self, limit: int = _REMEMBERED) -> None:
        self._limit = limit
        self._values: OrderedDict[str, _T] = OrderedDict()

    def __setitem__(self, key: str, value: _T) -> None:
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[_T]:
        return iter(tuple(self._values.values()))

    def get(self, key: str) -> _T | None:
        """Returns the value, or None when there is none (any more)."""
        return self._values.get(key)

    def pop(self, key: str) -> _T | None:
        """Returns the value and forgets it."""
        return self._values.pop(key, None)


@dataclass(slots=True, eq=False, kw_only=True)
class Grant:
    """One consent, or one run of a grant without a user."""

    grant_id: str
    behaviour: Behaviour
    client_id: str
    account: str
    """Who consented; empty for a client on its own behalf."""
    scopes: tuple[Scope, ...]
    nonce: str
    has_refresh_token: bool
    access_token_lifetime: timedelta
    refresh_token_lifetime: timedelta | None
    """None: without an end."""
    is_alive: bool = True
    exchanges: int = 0
    """Codes of this grant that were exchanged."""
    refreshes: int = 0
    """Refreshes that brought a token."""
    reuse_detected: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class Code:
    """An authorization code (RFC 6749 section 4.1.2) and what it is bound to."""

    grant: Grant
    redirect_uri: str
    code_challenge: str
    expire_time: datetime
    is_used: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class RefreshToken:
    """A refresh token; *is_replaced* once a newer one was given for it."""

    grant: Grant
    expire_time: datetime | None
    is_replaced: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class AccessToken:
    """An access token."""

    grant: Grant
    scopes: tuple[Scope, ...]
    expire_time: datetime
    is_withdrawn: bool = False

    def is_active(self, now: datetime) -> bool:
        """Tells whether a resource server takes it."""
        return self.grant.is_alive and not self.is_withdrawn and now < self.expire_time


class Grants:
    """All that was granted."""

    def __init__(self) -> None:
        self.grants: Recent[Grant] = Recent()
        self.codes: Recent[Code] = Recent()
        self.refresh_tokens: Recent[RefreshToken] = Recent()
        self.access_tokens: Recent[AccessToken] = Recent()

    def add_code(self, grant: Grant, *, redirect_uri: str, code_challenge: str, now: datetime) -> str:
        """Keeps *grant* and returns a code for it, good once and for a minute."""
        self.grants[grant.grant_id] = grant
        code = TRAITS[grant.behaviour].code_form.format(secrets.token_urlsafe(32))
        self.codes[code] = Code(
            grant=grant, redirect_uri=redirect_uri, code_challenge=code_challenge, expire_time=now + CODE_LIFETIME
        )
        return code

    def add_access_token(self, grant: Grant, scopes: tuple[Scope, ...], *, now: datetime) -> str:
        """Returns a new access token."""
        self.grants[grant.grant_id] = grant
        traits = TRAITS[grant.behaviour]
        token = traits.access_token_form.format(secrets.token_urlsafe(traits.access_token_octets))
        self.access_tokens[token] = AccessToken(
            grant=grant, scopes=scopes, expire_time=now + grant.access_token_lifetime
        )
        return token

    def add_refresh_token(self, grant: Grant, *, now: datetime) -> str:
        """Returns a new refresh token."""
        token = f"1//{secrets.token_urlsafe(48)}"
        lifetime = grant.refresh_token_lifetime
        self.refresh_tokens[token] = RefreshToken(grant=grant, expire_time=now + lifetime if lifetime else None)
        return token

    def withdraw_access_tokens(self, account: str) -> int:
        """Makes every access token of *account* ("": of all) useless before its time; returns how many there were."""
        found = [
            token
            for token in self.access_tokens
            if not token.is_withdrawn and account.casefold() in {"", token.grant.account.casefold()}
        ]
        for token in found:
            token.is_withdrawn = True
        return len(found)

    def of(self, *, behaviour: Behaviour | None = None, account: str = "") -> list[Grant]:
        """Returns the grants that are alive, of one behaviour and account or of all."""
        return [
            grant
            for grant in self.grants
            if grant.is_alive
            and behaviour in {None, grant.behaviour}
            and account.casefold() in {"", grant.account.casefold()}
        ]
