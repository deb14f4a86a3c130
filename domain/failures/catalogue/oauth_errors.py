"""What OAuth's own words mean, at the token endpoint and in the callback (RFC 6749, OpenID Connect Core, RFC 7009)."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import CONSENT_STAYS, CONSENT_STAYS_LONGER, WAIT
from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind
from domain.reasons import Reason

TOKEN: Final = frozenset({Surface.OAUTH_TOKEN})
AUTHORIZE: Final = frozenset({Surface.OAUTH_AUTHORIZE})
BOTH: Final = TOKEN | AUTHORIZE
_AGAIN: Final = "Call Authorize and let the account's owner consent again; held mail goes out then."

OAUTH_STATUSES: Final = (
    Entry(
        surfaces=TOKEN,
        code="429",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="{server} gets more requests from this client than it takes{reply}.",
        remedy=CONSENT_STAYS_LONGER,
    ),
    Entry(
        surfaces=TOKEN,
        code="5..",
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="The provider's endpoint at {server}, or a proxy before it, is out of order{reply}.",
        remedy=CONSENT_STAYS,
    ),
    Entry(
        surfaces=TOKEN,
        code="3..",
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="{server} sends token requests elsewhere{because}; secrets are not sent after a redirect.",
        remedy="Enter the address of the token endpoint itself, with https and without a redirect.",
    ),
)
"""Statuses that count whatever else the answer says."""

OAUTH_ERRORS: Final = (
    Entry(
        surfaces=TOKEN,
        error="invalid_grant",
        reason=Reason.REAUTH_REQUIRED,
        kind=FailureKind.REAUTHORIZE,
        cause="{server} no longer takes this code or refresh token{reply}.",
        remedy=_AGAIN,
    ),
    Entry(
        surfaces=TOKEN,
        error="invalid_code|interaction_required|login_required|consent_required|account_selection_required",
        reason=Reason.REAUTH_REQUIRED,
        kind=FailureKind.REAUTHORIZE,
        cause="{server} wants the account's owner to sign in again{reply}.",
        remedy=_AGAIN,
    ),
    Entry(
        surfaces=AUTHORIZE,
        error="invalid_client(_id)?|deleted_client",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider does not know the client ID{reply}: it is mistyped, or the client was removed.",
        remedy="Copy the client ID from the provider's own page into the settings, then call Authorize again.",
    ),
    Entry(
        surfaces=BOTH,
        error="invalid_client(_secret|_id)?|deleted_client",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider does not accept the client: its ID or its secret is wrong or has expired{reply}.",
        remedy="Enter the client's current ID and secret; the consent stays valid, nobody has to consent again.",
    ),
    Entry(
        surfaces=BOTH,
        error="unauthorized_client|unsupported_grant_type|unsupported_response_type",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider does not let this client use the authorization code flow with refresh tokens{reply}.",
        remedy="Register the client at the provider as a web application with the authorization code and refresh token "
        "grants, and check that the client ID is the right one.",
    ),
    Entry(
        surfaces=BOTH,
        error="redirect_uri_mismatch|invalid_redirect_uri",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The redirect URL is not one that the provider knows for this client, or not the one of the first step.",
        remedy="Register the callback URL, character for character, at the provider and call Authorize again.",
    ),
    Entry(
        surfaces=BOTH,
        error="invalid_scope|invalid_target|invalid_resource",
        reason=Reason.SCOPE_INVALID,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider does not know a scope that was asked for, or does not give it to this client{reply}.",
        remedy="Write every scope in full as the provider names it, and permit it for the client there.",
    ),
    Entry(
        surfaces=BOTH,
        error="temporarily_unavailable|server_error|slow_down|internal_(failure|error)|backend_?error|service_unavailable|try_again",
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
        cause="The provider cannot answer just now{reply}; this is a temporary refusal.",
        remedy=f"{WAIT} A consent that was under way has to be started again.",
    ),
    Entry(
        surfaces=AUTHORIZE,
        error="access_denied",
        reason=Reason.AUTHORIZATION_DENIED,
        kind=FailureKind.REAUTHORIZE,
        cause="The consent was refused: somebody pressed Cancel, or may not consent to this{reply}.",
        remedy="Call Authorize again and allow every permission; if an administrator has to consent, ask for it first.",
    ),
    Entry(
        surfaces=AUTHORIZE,
        error="interaction_required|login_required|consent_required|account_selection_required",
        reason=Reason.AUTHORIZATION_DENIED,
        kind=FailureKind.REAUTHORIZE,
        cause="The provider wants the account's owner to do something that did not happen{reply}.",
        remedy="Call Authorize again, sign in with the right account and answer each of the provider's questions.",
    ),
    Entry(
        surfaces=TOKEN,
        error="access_denied",
        text=r"too many requests",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
        cause="{server} gets more requests from this client than it takes{reply}.",
        remedy=CONSENT_STAYS_LONGER,
    ),
    Entry(
        surfaces=BOTH,
        error="invalid_request",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider does not take the request as the settings make it{reply}.",
        remedy="Check endpoints, client ID, redirect URL and scopes against the provider's documentation.",
    ),
)

OAUTH_CLASSES: Final = (
    Entry(
        surfaces=BOTH,
        subcode=r"AADSTS\d+",
        error="",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="Microsoft refused with a number that mailport does not know{reply}.",
        remedy="Look the number up at https://login.microsoftonline.com/error, and check client, scopes and directory.",
        help_url="https://login.microsoftonline.com/error",
    ),
    Entry(
        surfaces=TOKEN,
        code="401",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="{server} does not accept the client{reply}.",
        remedy="Check client ID and client secret; they are sent in the request's body (client_secret_post).",
    ),
    Entry(
        surfaces=BOTH,
        error=".+",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The provider refused with a word of its own{because}{reply}.",
        remedy="Look the word up in the provider's documentation; check client ID, secret, redirect URL and scopes.",
    ),
    Entry(
        surfaces=AUTHORIZE,
        reason=Reason.AUTHORIZATION_DENIED,
        kind=FailureKind.REAUTHORIZE,
        cause="The provider ended the consent and did not say why in a way that mailport knows{because}{reply}.",
        remedy="Call Authorize again; if it ends the same way, check the client's settings at the provider.",
    ),
    Entry(
        surfaces=TOKEN,
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
        cause="{server} answered in a way that is not OAuth's{because}{reply}.",
        remedy=f"{CONSENT_STAYS} If it lasts, check that the URL is the provider's token endpoint.",
    ),
)
"""What is left: one entry for each of the two surfaces fits anything."""
