"""What Google's authorization and token endpoints say (provider pages and public transcripts, as of 2026-11)."""

from __future__ import annotations

from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind
from domain.reasons import Reason

_TOKEN: Final = frozenset({Surface.OAUTH_TOKEN})
_AUTHORIZE: Final = frozenset({Surface.OAUTH_AUTHORIZE})
_AGAIN: Final = "Call Authorize and let the owner of the Google account consent again"

_AT_THE_TOKEN_ENDPOINT: Final = (
    Entry(
        surfaces=_TOKEN,
        error="invalid_grant",
        subcode="invalid_rapt",
        reason=Reason.REAUTH_REQUIRED,
        kind=FailureKind.REAUTHORIZE,
        cause="The Workspace customer limits the length of sessions, and Google wants a fresh sign-in.",
        remedy=f"{_AGAIN}, and have the administrator exempt this app, as a trusted one, from session control.",
    ),
    Entry(
        surfaces=_TOKEN,
        error="invalid_grant",
        text="malformed auth code",
        reason=Reason.REAUTH_REQUIRED,
        kind=FailureKind.REAUTHORIZE,
        cause="The authorization code was damaged on its way, usually by decoding it twice or not at all.",
        remedy="Call Authorize again and pass the callback URL on as it is.",
    ),
    Entry(
        surfaces=_TOKEN,
        error="invalid_grant",
        text="token has been expired or revoked",
        reason=Reason.REAUTH_REQUIRED,
        kind=FailureKind.REAUTHORIZE,
        cause="The refresh token is dead: access was withdrawn, the password changed, it was not used for six months, "
        "newer consents crowded it out, or it was seven days old and the app is in Testing.",
        remedy=f"{_AGAIN}. If it happens every week, publish the consent screen.",
    ),
    Entry(
        surfaces=_TOKEN,
        error="deleted_client",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The OAuth client was deleted at Google.",
        remedy="Create a new OAuth client, enter its ID and secret, and call Authorize.",
    ),
)

_ON_THE_PAGE: Final = (
    Entry(
        surfaces=_AUTHORIZE,
        text=r"redirect_uri_mismatch",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The redirect URL is not registered, character for character, for this OAuth client.",
        remedy="Add the callback URL that GetOptions shows to the client's authorised redirect URIs.",
    ),
    Entry(
        surfaces=_AUTHORIZE,
        text=r"has not completed the Google verification process|developer-approved testers|"
        r"developer has(n't| not) given you access",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The consent screen is in Testing, and this user is not on its list of testers.",
        remedy="Add the user as a test user, publish the app, or make it Internal for one Workspace organisation.",
    ),
    Entry(
        surfaces=_AUTHORIZE,
        text=r"admin_policy_enforced",
        reason=Reason.SIGN_IN_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="The Workspace administrator does not allow this app or its scopes.",
        remedy="Have the administrator mark the client ID as trusted under API controls, App access control.",
    ),
    Entry(
        surfaces=_AUTHORIZE,
        text=r"org_internal",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="The app is Internal, and the user belongs to another organisation.",
        remedy="Sign in with an account of the organisation that owns the client, or make the user type External.",
    ),
    Entry(
        surfaces=_AUTHORIZE,
        text=r"OAuth client was not found|deleted_client|Error 401: invalid_client",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="Google does not know the client ID: it is mistyped, has blanks, or was removed.",
        remedy="Copy the client ID again from the Google Cloud console.",
    ),
    Entry(
        surfaces=_AUTHORIZE,
        text=r"disallowed_useragent",
        reason=Reason.CLIENT_CONFIG,
        kind=FailureKind.MISCONFIGURED,
        cause="Google does not let people sign in in a browser that is built into another program.",
        remedy="Open the authorization URL in the system's own browser.",
    ),
)

GOOGLE_OAUTH: Final = (*_AT_THE_TOKEN_ENDPOINT, *_ON_THE_PAGE)
