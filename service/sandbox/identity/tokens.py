"""The rules of the token endpoint: what a code or a refresh token is exchanged for, and what ends a grant."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.sandbox.identity.behaviour import TRAITS, Behaviour, Rotation
from service.sandbox.identity.counters import Statistics
from service.sandbox.identity.errors import TokenError
from service.sandbox.identity.grants import Code, Grant, Grants, RefreshToken
from service.sandbox.identity.scopes import GOOGLE_MAIL_SCOPE, Resource, Scope, read_scopes, same
from service.sandbox.identity.service_account import Asserted


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """What a token request brought."""

    grant: Grant
    access_token: str
    refresh_token: str
    """Empty: none."""
    scopes: tuple[Scope, ...]
    """What the access token opens."""


class Tokens:
    """Redeems codes and refresh tokens."""

    def __init__(self, *, grants: Grants, statistics: Statistics) -> None:
        self._grants = grants
        self._statistics = statistics

    def account_of(self, form: dict[str, str]) -> str:
        """Returns whose code or refresh token a request carries, empty when nobody's."""
        found = self._grants.codes.get(form.get("code", "")) or self._grants.refresh_tokens.get(
            form.get("refresh_token", "")
        )
        return found.grant.account if found else ""

    def exchange(self, form: dict[str, str], behaviour: Behaviour, *, now: datetime, with_refresh: bool) -> Issued:
        """Exchanges a code (RFC 6749 section 4.1.3, RFC 7636 section 4.6). Raises TokenError."""
        code = self._grants.codes.get(form.get("code", ""))
        if code is None or code.grant.behaviour is not behaviour:
            raise _invalid_grant("The code is malformed or not valid.", 70000, google="Malformed auth code.")
        if code.is_used:
            if TRAITS[behaviour].rotation is Rotation.STRICT:  # RFC 6749 section 4.1.2: "SHOULD revoke"
                self.end(code.grant)
            raise _invalid_grant("The code was already redeemed.", 54005, google="Bad Request")
        if now >= code.expire_time:
            raise _invalid_grant("The code has expired.", 70008, google="Bad Request")
        if form.get("redirect_uri", "") != code.redirect_uri:
            raise _invalid_grant("The redirect_uri is not the one of the request.", 500112, google="Bad Request")
        _check_verifier(code, form.get("code_verifier", ""))
        # Of the three only Microsoft knows a scope here; RFC 6749 section 4.1.3 has none.
        scopes = _one_resource(form.get("scope", "") if behaviour is Behaviour.MICROSOFT else "", code.grant)
        code.is_used = True
        code.grant.exchanges += 1
        return self._issue(code.grant, scopes, now=now, rotates=with_refresh and code.grant.has_refresh_token)

    def refresh(self, form: dict[str, str], behaviour: Behaviour, *, now: datetime) -> Issued:
        """Refreshes (RFC 6749 section 6). Raises TokenError."""
        token = self._grants.refresh_tokens.get(form.get("refresh_token", ""))
        if token is None or token.grant.behaviour is not behaviour:
            raise _invalid_grant("The refresh token is not valid.", 70000, suberror="bad_token")
        if not token.grant.is_alive:
            raise _invalid_grant("The grant was revoked; consent again.", 50173, suberror="bad_token")
        if token.expire_time is not None and now >= token.expire_time:
            raise _invalid_grant("The refresh token has expired for lack of use.", 700082, suberror="token_expired")
        self._check_reuse(token)
        scopes = _one_resource(form.get("scope", ""), token.grant)
        rotates = TRAITS[behaviour].rotation is not Rotation.NONE
        token.is_replaced = rotates
        token.grant.refreshes += 1
        return self._issue(token.grant, scopes, now=now, rotates=rotates)

    def on_its_own_behalf(
        self, form: dict[str, str], behaviour: Behaviour, *, now: datetime, lifetime: timedelta
    ) -> Issued:
        """Gives a client a token of its own (RFC 6749 section 4.4), not at Google. Raises TokenError."""
        if not TRAITS[behaviour].app_scope:
            raise TokenError("unauthorized_client", "This client may not use that grant type.", aadsts=700016)
        scopes, unknown = read_scopes(form.get("scope", ""), behaviour)
        is_microsoft = behaviour is Behaviour.MICROSOFT
        if is_microsoft and (unknown or len(scopes) != 1 or scopes[0].permission != ".default"):
            raise TokenError("invalid_scope", "The scope must be one resource with /.default.", aadsts=1002012)
        if unknown or not any(scope.resource for scope in scopes) or any(scope.resource is None for scope in scopes):
            raise TokenError("invalid_scope", "The scopes must be ones that open mail.", aadsts=70011)
        client_id = TRAITS[behaviour].client_id
        return self._without_person(behaviour, client_id, "", scopes, now=now, lifetime=lifetime)

    def for_service_account(
        self, client_id: str, asserted: Asserted, behaviour: Behaviour, *, now: datetime, lifetime: timedelta
    ) -> Issued:
        """
        Gives a service account a token for the user it acts for (RFC 7523 section 2.1). Raises TokenError.

        Of Google's scopes the administrator delegated the one that opens SMTP and IMAP.
        """
        scopes, unknown = read_scopes(asserted.scope, behaviour)
        if unknown or not scopes:
            text = "Invalid OAuth scope or ID token audience provided."
            raise TokenError("invalid_scope", text, aadsts=70011, google=text)
        if behaviour is Behaviour.GOOGLE and any(scope.permission != GOOGLE_MAIL_SCOPE for scope in scopes):
            text = (
                "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any "
                "of the scopes requested."
            )
            raise TokenError("unauthorized_client", text, aadsts=700016, google=text)
        return self._without_person(behaviour, client_id, asserted.account, scopes, now=now, lifetime=lifetime)

    def issue_unasked(
        self, behaviour: Behaviour, account: str, scope: str, *, now: datetime, lifetime: timedelta
    ) -> str:
        """Returns an access token that nobody consented to. Raises ValueError for a scope that is not known."""
        scopes, unknown = read_scopes(scope, behaviour)
        if unknown:
            raise ValueError(f"there is no scope {unknown[0]}")
        client_id = TRAITS[behaviour].client_id
        return self._without_person(behaviour, client_id, account, scopes, now=now, lifetime=lifetime).access_token

    def _without_person(
        self,
        behaviour: Behaviour,
        client_id: str,
        account: str,
        scopes: list[Scope],
        *,
        now: datetime,
        lifetime: timedelta,
    ) -> Issued:
        grant = Grant(
            grant_id=secrets.token_hex(8),
            behaviour=behaviour,
            client_id=client_id,
            account=account,
            scopes=tuple(scopes),
            nonce="",
            has_refresh_token=False,
            access_token_lifetime=lifetime,
            refresh_token_lifetime=None,
        )
        return self._issue(grant, grant.scopes, now=now, rotates=False)

    def end(self, grant: Grant) -> None:
        """Ends *grant* with all its tokens."""
        if grant.is_alive:
            grant.is_alive = False
            self._statistics[grant.behaviour].grants_ended += 1

    def _check_reuse(self, token: RefreshToken) -> None:
        if not token.is_replaced or TRAITS[token.grant.behaviour].rotation is not Rotation.STRICT:
            return
        token.grant.reuse_detected += 1
        self._statistics[token.grant.behaviour].reuse_detected += 1
        self.end(token.grant)
        raise _invalid_grant("The refresh token was used before; the whole grant has ended.", 70000)

    def _issue(self, grant: Grant, scopes: tuple[Scope, ...], *, now: datetime, rotates: bool) -> Issued:
        return Issued(
            grant=grant,
            access_token=self._grants.add_access_token(grant, scopes, now=now),
            refresh_token=self._grants.add_refresh_token(grant, now=now) if rotates else "",
            scopes=scopes,
        )


def _check_verifier(code: Code, verifier: str) -> None:
    if not code.code_challenge:
        if verifier:  # RFC 9700 section 2.1.1: a verifier without a challenge is a downgrade attempt
            raise _invalid_grant("A code_verifier came for a code without challenge.", 501481, google="Bad Request")
        return
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not hmac.compare_digest(challenge, code.code_challenge):
        raise _invalid_grant(
            "The code_verifier does not match the code_challenge.", 501481, google="Invalid code verifier."
        )


def _one_resource(text: str, grant: Grant) -> tuple[Scope, ...]:
    """Returns what an access token opens: the granted scopes of the resource asked for. Raises TokenError."""
    asked, unknown = read_scopes(text, grant.behaviour)
    if unknown:
        raise TokenError("invalid_scope", f"The scope {unknown[0]} is not known.", aadsts=70011)
    resources = {scope.resource for scope in asked} - {None}
    if len(resources) > 1:
        raise TokenError(
            "invalid_request", "The scopes name more than one resource; ask for one token each.", aadsts=28000
        )
    opening = [scope for scope in asked if scope.resource is not None]
    missing = [scope for scope in opening if not any(same(scope, granted) for granted in grant.scopes)]
    if missing and grant.behaviour is Behaviour.MICROSOFT:
        raise _invalid_grant(f"Nobody consented to {missing[0].text}.", 65001, suberror="consent_required")
    if missing:
        raise TokenError("invalid_scope", f"The scope {missing[0].text} was not granted.", aadsts=70011)
    if grant.behaviour is not Behaviour.MICROSOFT:
        return tuple(scope for scope in grant.scopes if not asked or any(same(scope, each) for each in asked))
    resource = next(iter(resources), None) or _first_resource(grant)
    return tuple(scope for scope in grant.scopes if scope.resource in {None, resource})


def _first_resource(grant: Grant) -> Resource | None:
    return next((scope.resource for scope in grant.scopes if scope.resource is not None), None)


def _invalid_grant(text: str, aadsts: int, *, suberror: str = "", google: str = "") -> TokenError:
    return TokenError("invalid_grant", text, aadsts=aadsts, suberror=suberror, google=google)
