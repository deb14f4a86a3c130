"""
What Microsoft's identity platform says (learn.microsoft.com and public transcripts, as of 2026-11).

Microsoft may change numbers and texts; they pick cause and remedy. What a grant's life hangs on is OAuth's `error`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.wording import CONSENT_STAYS, CONSENT_STAYS_LONGER, WAIT
from domain.failures.evidence import Surface
from domain.failures.failure import FailureKind, Fix
from domain.reasons import Reason

_BOTH: Final = frozenset({Surface.OAUTH_TOKEN, Surface.OAUTH_AUTHORIZE})
_AUTHORIZE: Final = frozenset({Surface.OAUTH_AUTHORIZE})
_AGAIN: Final = "Call Authorize and let the account's owner consent again"


def _reauthorize(numbers: str, cause: str, remedy: str = f"{_AGAIN}.") -> Entry:
    return _entry(numbers, Reason.REAUTH_REQUIRED, FailureKind.REAUTHORIZE, cause, remedy)


def _client(numbers: str, cause: str, remedy: str, *fixes: Fix, text: str = "") -> Entry:
    plain = _entry(numbers, Reason.CLIENT_CONFIG, FailureKind.MISCONFIGURED, cause, remedy)
    return replace(plain, fixes=fixes, text=text)


def _policy(numbers: str, cause: str, remedy: str, *, reason: Reason = Reason.SIGN_IN_BLOCKED) -> Entry:
    return _entry(numbers, reason, FailureKind.MISCONFIGURED, cause, remedy)


def _entry(numbers: str, reason: Reason, kind: FailureKind, cause: str, remedy: str) -> Entry:
    return Entry(surfaces=_BOTH, subcode=f"AADSTS({numbers})", reason=reason, kind=kind, cause=cause, remedy=remedy)


_PASSING: Final = (
    _entry(
        "50196|90055",
        Reason.THROTTLED,
        FailureKind.THROTTLED,
        "Microsoft gets the same request too often and refuses it for a while.",
        CONSENT_STAYS_LONGER,
    ),
    _entry(
        "90006|90033|90012|90024",
        Reason.AUTH_UNAVAILABLE,
        FailureKind.TRANSIENT,
        "Microsoft's sign-in service cannot answer just now{reply}.",
        CONSENT_STAYS,
    ),
)

_CONSENT: Final = (
    _reauthorize("700082", "The refresh token was not used for 90 days and has lapsed."),
    _reauthorize("50173|50132|50133", "The password was reset, or an administrator revoked the account's sessions."),
    _reauthorize("70008", "The code or the refresh token has expired."),
    _reauthorize(
        "70043",
        "A sign-in frequency policy wants a fresh sign-in.",
        f"{_AGAIN}, or have an administrator exempt this app from the policy.",
    ),
    _reauthorize(
        "70000",
        "The refresh token is not valid. With personal accounts the same token has worked again minutes later.",
        f"{WAIT} If it stays: {_AGAIN[0].lower()}{_AGAIN[1:]}.",
    ),
    _reauthorize(
        "54005",
        "The code was used twice, e.g. by a callback page that was loaded again.",
        "See whether the account is authorized already; otherwise call Authorize again.",
    ),
    _reauthorize(
        "5007[4689]|500111",
        "A policy demands a second factor that the earlier sign-in did not have.",
        f"{_AGAIN}, with multi-factor authentication.",
    ),
    _reauthorize("50055", "The account's password has expired.", f"Have the password changed. {_AGAIN}."),
    _reauthorize(
        "65001",
        "Consent to a scope was never given or was withdrawn.",
        f"{_AGAIN} and accept, or have an administrator grant the consent.",
    ),
    _reauthorize(
        "16000",
        "The browser is signed in with several accounts or with the wrong one.",
        "Call Authorize again and pick the right account.",
    ),
    _reauthorize(
        "700084",
        "The redirect URL is registered for a single-page app, whose refresh tokens end after 24 hours.",
        f"Register the redirect URL under platform Web. {_AGAIN}.",
    ),
    Entry(
        surfaces=_BOTH,
        subcode="AADSTS65004",
        reason=Reason.AUTHORIZATION_DENIED,
        kind=FailureKind.REAUTHORIZE,
        cause="The user declined the consent screen.",
        remedy="Call Authorize again and accept, or have an administrator consent for all users.",
    ),
)

_TENANT: Final = "settings.oauth.directory_tenant"
_SCOPES: Final = "settings.oauth.scopes"

_CLIENT: Final = (
    _client(
        "9002331",
        "The app is for personal Microsoft accounts, and the endpoint is not theirs.",
        "Set directory_tenant to consumers.",
        Fix(_TENANT, "consumers"),
    ),
    _client(
        "9002332",
        "The app is for accounts of organisations, and the endpoint is the one of personal accounts.",
        "Set directory_tenant to organizations.",
        Fix(_TENANT, "organizations"),
    ),
    _client(
        "50059",
        "The endpoint names no directory, and none could be told from the request.",
        "Set directory_tenant to common, or to the directory's ID.",
        Fix(_TENANT, "common"),
    ),
    _client(
        "50020",
        "A personal Microsoft account was used at the endpoint of one directory.",
        "Set directory_tenant to common if the app is for such accounts too, or use an account of the directory.",
        Fix(_TENANT, "common"),
        text=r"identity provider '?live\.com",
    ),
    *(
        _client(
            "650053|70011",
            "The scope lacks its resource and was looked up in Microsoft Graph.",
            f"Write the scope in full: {scope}.",
            Fix(_SCOPES, f"{scope} offline_access"),
            text=text,
        )
        for text, scope in (
            (r"scope '?smtp\.send", "https://outlook.office.com/SMTP.Send"),
            (r"scope '?imap\.accessasuser", "https://outlook.office.com/IMAP.AccessAsUser.All"),
        )
    ),
    _client(
        "7000215",
        "The client secret is wrong; commonly the secret's ID was copied in place of its value.",
        "Create a client secret and enter its Value, not its Secret ID; the consent stays valid.",
    ),
    _client(
        "7000222",
        "The client secret has expired.",
        "Create a new client secret and save it here; nobody needs to consent again.",
    ),
    _client(
        "7000218",
        "The client secret is missing, or the redirect URL is registered for a public client.",
        "Enter the client secret, and register the redirect URL under platform Web.",
    ),
    _client(
        "700025",
        "The app is registered as a public client, which has no secret.",
        "Register the redirect URL under platform Web.",
    ),
    _client(
        "700016|7000112",
        "The client ID is wrong, the app is disabled, or the directory in the URL does not know it.",
        "Check the application (client) ID, and the directory tenant of the settings.",
    ),
    _client(
        "50194",
        "The app is for a single directory, and the endpoint is the common one.",
        "Set directory_tenant to the directory's ID, or make the app multi-tenant.",
    ),
    _client(
        "90002|900023|9001023|90038",
        "The directory in the endpoints does not exist or does not fit the app's account types or cloud.",
        "Correct directory_tenant, or the app's supported account types.",
    ),
    _client(
        "50020|50034",
        "The account does not belong to this directory.",
        "Use an account of the directory, correct directory_tenant, or invite the account as a guest.",
    ),
    _client(
        "50011|9002327",
        "The redirect URL is not registered for the app under platform Web.",
        "Add the callback URL, character for character, to the app registration under platform Web.",
    ),
    _client(
        "28000|700022",
        "Scopes of two resources were asked for in one token.",
        "Report this with the settings' scopes: mailport asks for one resource at a time.",
    ),
    _client(
        "650053|70011",
        "A scope is misspelt, carries a stray character, or lacks its resource and is looked up in Graph.",
        "Write every scope in full, e.g. https://outlook.office.com/SMTP.Send.",
    ),
    _client(
        "65005[267]|65006|500011|50001",
        "The app has no permission for the resource, or the organisation does not have it.",
        "Add the API permission to the app registration and have an administrator consent.",
    ),
    _client("50147|501481", "The PKCE verifier does not belong to this code.", "Call Authorize again."),
    _client(
        "9002313|900561|50126|700023",
        "Microsoft does not take the request as the settings make it{reply}.",
        "Check the token endpoint and the client's settings, then call Authorize again.",
    ),
)

_POLICY: Final = (
    _policy(
        "53000|53003|53003[25]|530003|5300[12]|53004",
        "A Conditional Access policy or the security defaults block this sign-in, often by location or device.",
        "Have an administrator exempt the account or mailport's address from the policy, then call Authorize again.",
    ),
    _policy(
        "50105",
        "The account is not assigned to the app.",
        "Have an administrator assign the user under Enterprise applications.",
        reason=Reason.PERMISSION_MISSING,
    ),
    _policy(
        "50057",
        "The account is disabled.",
        "Have the account enabled, or use another one.",
        reason=Reason.ACCOUNT_LOCKED,
    ),
    _policy(
        "50053",
        "The account is locked, or mailport's address has a bad reputation.",
        "Unlock the account, wait for a while, then call Authorize again.",
        reason=Reason.ACCOUNT_LOCKED,
    ),
    _policy(
        "90094|90095",
        "Users may not consent by themselves in this directory.",
        "Have an administrator grant consent for the app under Enterprise applications.",
    ),
)

_ON_THE_PAGE: Final = (
    Entry(
        surfaces=_AUTHORIZE,
        text=r"need(s)? admin(istrator)? approval|approval required|only an admin(istrator)? can grant|"
        r"admin(istrator)? (has|must|needs to) .{0,40}(approve|consent|grant)",
        reason=Reason.SIGN_IN_BLOCKED,
        kind=FailureKind.MISCONFIGURED,
        cause="Users may not consent to this app by themselves in this directory.",
        remedy="Have an administrator grant consent for the app under Enterprise applications.",
        sample="Need admin approval. Mail Sender needs permission that only an admin can grant.",
    ),
)

MICROSOFT_OAUTH: Final = (*_PASSING, *_CONSENT, *_CLIENT, *_POLICY, *_ON_THE_PAGE)
