"""One run of a consent, from the authorization request to the redirect that ends it."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

from service.sandbox.identity.behaviour import TRAITS, Behaviour
from service.sandbox.identity.counters import Statistics
from service.sandbox.identity.faults import Fault, PlannedFaults
from service.sandbox.identity.grants import Grant, Grants, Recent
from service.sandbox.identity.request import AuthorizationRequest, ReturnedError, ShownError
from service.sandbox.identity.scopes import OFFLINE_ACCESS, Resource, Scope

_PATIENCE: Final = timedelta(minutes=10)
_OPEN_CONSENTS: Final = 1_000


class SignInFailed(Exception):
    """No such account, or another password; the text is for the person."""


@dataclass(slots=True, eq=False)
class Pending:
    """A consent that somebody is at."""

    request: AuthorizationRequest
    expire_time: datetime
    account: str = ""
    """Empty until somebody has signed in."""


class Flow:
    """Takes the steps of consents; a finished one is forgotten, so that no step can be taken twice."""

    def __init__(
        self,
        *,
        grants: Grants,
        faults: PlannedFaults,
        statistics: Statistics,
        password: str,
        now: Callable[[], datetime],
    ) -> None:
        self._grants = grants
        self._faults = faults
        self._statistics = statistics
        self._password = password
        self._now = now
        self._pending: Recent[Pending] = Recent(_OPEN_CONSENTS)
        self._remembered: Recent[frozenset[tuple[Resource | None, str]]] = Recent()

    def begin(self, request: AuthorizationRequest) -> str:
        """Begins a consent and returns its handle, which only the browser's forms know."""
        handle = secrets.token_urlsafe(24)
        self._pending[handle] = Pending(request, self._now() + _PATIENCE)
        self._statistics[request.behaviour].authorizations += 1
        return handle

    def find(self, handle: str, behaviour: Behaviour) -> Pending | None:
        """Returns a consent that is under way, or None if it is over or took too long."""
        pending = self._pending.get(handle)
        if pending is None or pending.request.behaviour is not behaviour or self._now() >= pending.expire_time:
            return None
        return pending

    def sign_in(self, handle: str, pending: Pending, *, account: str, password: str) -> str:
        """
        Signs somebody in; returns the callback URL when nothing remains to be asked, else an empty text.

        Any address has an account. Raises SignInFailed, ShownError, ReturnedError.
        """
        account = account.strip()
        local_part, at, domain = account.rpartition("@")
        if not (local_part and at and domain) or " " in account:
            raise SignInFailed("Enter an email address.")
        if not hmac.compare_digest(password.encode(), self._password.encode()):
            raise SignInFailed("That password is wrong.")
        pending.account = account
        fault = self._faults.at_consent(pending.request.behaviour, account)
        if fault is not None:
            self._strike(fault, handle, pending)
        if "consent" not in pending.request.prompt and self._has_consented(pending):
            return self._grant(handle, pending, pending.request.scopes)
        return ""

    def consent(self, handle: str, pending: Pending, *, ticked: frozenset[str] | None = None) -> str:
        """Ends the consent with a code for the *ticked* scopes, None for all; returns the callback URL."""
        wanted = pending.request.scopes
        is_granular = TRAITS[pending.request.behaviour].is_granular and ticked is not None
        scopes = tuple(
            scope for scope in wanted if not is_granular or scope.resource is None or scope.text in (ticked or ())
        )
        if is_granular and wanted and not scopes:
            self.cancel(handle, pending)
        return self._grant(handle, pending, scopes)

    def cancel(self, handle: str, pending: Pending) -> None:
        """Ends the consent without one: raises ReturnedError."""
        self._pending.pop(handle)
        self._statistics[pending.request.behaviour].denials += 1
        self._statistics.changed()
        raise ReturnedError("access_denied", "The user did not consent.", aadsts=65004, request=pending.request)

    def forget_consents(self) -> None:
        """Forgets who has consented before."""
        self._remembered = Recent()

    def forget_consent(self, grant: Grant) -> None:
        """Forgets that the account of *grant* has consented: the next consent is a first one again."""
        self._remembered.pop(_key(grant.behaviour, grant.account))

    def _strike(self, fault: Fault, handle: str, pending: Pending) -> None:
        request = pending.request
        if fault is Fault.LESS_SCOPE:
            pending.request = request.without_mail()
            return
        self._pending.pop(handle)
        self._statistics[request.behaviour].denials += 1
        self._statistics.changed()
        if fault is Fault.ADMIN_CONSENT:
            is_microsoft = request.behaviour is Behaviour.MICROSOFT
            raise ShownError(
                "Need admin approval",
                "AADSTS90094" if is_microsoft else "Error 400: admin_policy_enforced",
                "This app needs permission that only an administrator can grant. Ask an administrator to grant it, "
                "then try again. The application that sent you here is not told.",
            )
        if fault is Fault.CONSENT_REQUIRED:
            raise ReturnedError("consent_required", "The account has not consented.", aadsts=65001, request=request)
        raise ReturnedError("access_denied", "A policy forbids the consent.", aadsts=65004, request=request)

    def _has_consented(self, pending: Pending) -> bool:
        before = self._remembered.get(_key(pending.request.behaviour, pending.account))
        return before is not None and {_meaning(scope) for scope in pending.request.scopes} <= before

    def _grant(self, handle: str, pending: Pending, scopes: tuple[Scope, ...]) -> str:
        request = pending.request
        key = _key(request.behaviour, pending.account)
        before = self._remembered.get(key)
        grant = Grant(
            grant_id=secrets.token_hex(8),
            behaviour=request.behaviour,
            client_id=request.client_id,
            account=pending.account,
            scopes=scopes,
            nonce=request.nonce,
            has_refresh_token=self._gives_refresh_token(request, scopes, is_first=before is None),
            access_token_lifetime=request.access_token_lifetime,
            refresh_token_lifetime=request.refresh_token_lifetime,
        )
        code = self._grants.add_code(
            grant, redirect_uri=request.redirect_uri, code_challenge=request.code_challenge, now=self._now()
        )
        self._pending.pop(handle)
        self._remembered[key] = (before or frozenset()) | {_meaning(scope) for scope in scopes}
        self._statistics[request.behaviour].consents += 1
        self._statistics.changed()
        fields = {"code": code}
        if request.behaviour is Behaviour.GOOGLE:
            fields["scope"] = " ".join(scope.text for scope in scopes)
        if request.behaviour is Behaviour.MICROSOFT:
            fields["session_state"] = secrets.token_hex(16)
        return callback_url(request, fields)

    @staticmethod
    def _gives_refresh_token(request: AuthorizationRequest, scopes: tuple[Scope, ...], *, is_first: bool) -> bool:
        if request.behaviour is Behaviour.GOOGLE:
            return request.is_offline and (is_first or "consent" in request.prompt)
        if request.behaviour is Behaviour.MICROSOFT:
            return any(scope.permission == OFFLINE_ACCESS for scope in scopes)
        return True


def callback_url(request: AuthorizationRequest, fields: dict[str, str]) -> str:
    """Returns the redirect URL with *fields*, ``state`` and, where it is sent, ``iss`` (RFC 9207)."""
    every = dict(fields)
    if request.state:
        every["state"] = request.state
    if TRAITS[request.behaviour].sends_issuer:
        every["iss"] = request.issuer
    # Unlike urlencode by itself, this encodes "/" too, as the providers do: a code must be decoded exactly once (F32).
    query = urlencode(every, quote_via=lambda text, _safe, *rest: quote(text, "", *rest))
    return f"{request.redirect_uri}{'&' if '?' in request.redirect_uri else '?'}{query}"


def _key(behaviour: Behaviour, account: str) -> str:
    return f"{behaviour} {account.casefold()}"


def _meaning(scope: Scope) -> tuple[Resource | None, str]:
    return scope.resource, scope.permission
