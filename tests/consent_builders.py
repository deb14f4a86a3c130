"""Consent sessions and grants that are valid by default; a test changes the one field it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

from domain.consent import CONSENT_LIFETIME, ConsentSession
from domain.consent_request import ConsentChances
from domain.failures.failure import Failure, FailureKind, Stage
from domain.grant import AccessToken, Grant, GrantBasis, basis_of
from domain.reasons import Reason
from domain.resource import SINGLE
from domain.secret import Secret
from domain.token import TokenAnswer, TokenRefusal
from tests.builders import CONFIGURATION_ID, NOW, TENANT, an_oauth_authentication

VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""The verifier of RFC 7636 appendix B."""
CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

_NUMBERS = count(1)


def a_basis(**changes: Any) -> GrantBasis:
    """Returns what a consent for `an_oauth_authentication` rests on."""
    return replace(basis_of(an_oauth_authentication()), **changes)


def some_chances(**changes: Any) -> ConsentChances:
    """Returns a session's random values."""
    valid = ConsentChances(
        state="state-" + "s" * 43, state_digest=b"\x01" * 32, verifier=Secret(VERIFIER), nonce="nonce-1"
    )
    return replace(valid, **changes)


def a_consent_session(*, now: datetime = NOW, **changes: Any) -> ConsentSession:
    """Returns a session with a state of its own, begun at *now*, for plain RFC 6749."""
    valid = ConsentSession(
        tenant=TENANT,
        configuration_id=CONFIGURATION_ID,
        revision=1,
        state_digest=next(_NUMBERS).to_bytes(32, "big"),
        verifier=Secret(VERIFIER),
        nonce="",
        redirect_url="https://mail.example.com/oauth/callback",
        save=False,
        scopes=("mail",),
        basis=a_basis(),
        create_time=now,
        expire_time=now + CONSENT_LIFETIME,
    )
    return replace(valid, **changes)


def an_access_token(*, now: datetime = NOW, **changes: Any) -> AccessToken:
    """Returns a token of the single resource that lives for an hour."""
    valid = AccessToken(
        resource=SINGLE,
        token=Secret("AT1"),
        issue_time=now,
        expire_time=now + timedelta(hours=1),
        generation=1,
    )
    return replace(valid, **changes)


def a_grant(*, now: datetime = NOW, **changes: Any) -> Grant:
    """Returns a grant of generation 1 with a fresh access token, consented to at *now*."""
    valid = Grant(
        tenant=TENANT,
        configuration_id=CONFIGURATION_ID,
        grant_id="grant-1",
        basis=a_basis(),
        account="robot@example.com",
        granted_scopes=("mail",),
        refresh_token=Secret("RT1"),
        authorize_time=now,
        access_tokens=(an_access_token(now=now),),
    )
    return replace(valid, **changes)


def a_token_answer(**changes: Any) -> TokenAnswer:
    """Returns an access token for an hour and a new refresh token."""
    valid = TokenAnswer(
        access_token=Secret("AT2"),
        expires_in=timedelta(hours=1),
        refresh_token=Secret("RT2"),
        account="robot@example.com",
    )
    return replace(valid, **changes)


def a_token_failure(**changes: Any) -> Failure:
    """Returns the failure of a refresh token that is no longer accepted."""
    valid = Failure(
        reason=Reason.REAUTH_REQUIRED,
        kind=FailureKind.REAUTHORIZE,
        stage=Stage.TOKEN,
        cause="The refresh token is no longer accepted.",
        remedy="Call Authorize.",
        provider_code="400 invalid_grant",
    )
    return replace(valid, **changes)


def a_token_refusal(error: str = "invalid_grant", **changes: Any) -> TokenRefusal:
    """Returns a definite refusal; by default one that ends a grant."""
    kind = FailureKind.REAUTHORIZE if error == "invalid_grant" else FailureKind.TRANSIENT
    return replace(TokenRefusal(failure=a_token_failure(kind=kind), error=error), **changes)
