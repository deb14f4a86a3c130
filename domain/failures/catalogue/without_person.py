"""
What token endpoints say to apps and service accounts, for which nobody consents and nobody can consent again.

Provider pages and public transcripts, as of 2026-11: Google, "Using OAuth 2.0 for Server to Server Applications";
Microsoft, "Microsoft Entra authentication and authorization error codes".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from domain.failures.catalogue.entry import Entry
from domain.failures.catalogue.oauth_errors import OAUTH_STATUSES
from domain.failures.catalogue.oauth_symptoms import OAUTH_SYMPTOMS
from domain.failures.catalogue.wording import CONSENT_STAYS, CONSENT_STAYS_LONGER, WAIT, WAIT_LONGER
from domain.failures.evidence import Surface, Symptom
from domain.failures.failure import FailureKind
from domain.reasons import Reason

_TOKEN: Final = frozenset({Surface.OAUTH_TOKEN})
_DELEGATION: Final = "In the Google Admin console, under Security, API controls, Domain-wide delegation"


def _alike(entry: Entry) -> Entry:
    """Returns an entry that is true here too, but for what it says of the consent."""
    remedy = entry.remedy.replace(CONSENT_STAYS_LONGER, WAIT_LONGER).replace(CONSENT_STAYS, WAIT)
    return replace(entry, remedy=remedy, without_person=True)


def _entry(
    cause: str,
    remedy: str,
    *,
    reason: Reason = Reason.CLIENT_CONFIG,
    kind: FailureKind = FailureKind.MISCONFIGURED,
    code: str = "",
    error: str = "",
    numbers: str = "",
    text: str = "",
) -> Entry:
    return Entry(
        surfaces=_TOKEN,
        without_person=True,
        reason=reason,
        kind=kind,
        cause=cause,
        remedy=remedy,
        code=code,
        error=error,
        subcode=f"AADSTS({numbers})" if numbers else "",
        text=text,
    )


KEY_UNUSABLE: Final = Entry(
    symptom=Symptom.KEY_UNUSABLE,
    reason=Reason.CLIENT_CONFIG,
    kind=FailureKind.MISCONFIGURED,
    cause="The service account's key in the settings cannot sign: it is damaged, or no RSA key of 2,048 bits or more. "
    "Nothing was sent.",
    remedy="Enter the key again: make one of the type JSON for the service account, and give the whole file.",
)
"""No server's word, so that it goes before all of them."""

_MICROSOFT: Final = (
    _entry(
        "Microsoft gets the same request too often and refuses it for a while.",
        WAIT_LONGER,
        numbers="50196|90055",
        reason=Reason.THROTTLED,
        kind=FailureKind.THROTTLED,
    ),
    _entry(
        "Microsoft's sign-in service cannot answer just now{reply}.",
        WAIT,
        numbers="90006|90033|90012|90024",
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
    ),
    _entry(
        "The client secret is wrong; commonly the secret's ID was copied in place of its value.",
        "Create a client secret in the app registration and enter its Value, not its Secret ID.",
        numbers="7000215",
    ),
    _entry(
        "The client secret has expired.",
        "Create a new client secret in the app registration and enter its Value.",
        numbers="7000222",
    ),
    _entry(
        "The client ID is wrong, or the app is not in the directory of the settings.",
        "Check the application (client) ID, and that directory_tenant is the directory that the app is registered in.",
        numbers="700016",
    ),
    _entry(
        "The app is disabled in the directory.",
        "Have an administrator enable the app under Enterprise applications.",
        numbers="7000112",
    ),
    _entry(
        "The directory knows no enterprise application of this app.",
        "Have an administrator of the directory grant consent for the app's application permissions, which creates it.",
        numbers="7000229|700027",
    ),
    _entry(
        "The directory in the endpoint does not exist, or none was named.",
        "Correct directory_tenant: the directory's GUID, or one of its verified domains.",
        numbers="90002|50059|9001023|900023|9002332|90038|50194|50034|50020",
    ),
    _entry(
        "Microsoft takes one scope from an app on its own, /.default of one resource{reply}.",
        "Use https://outlook.office365.com/.default for SMTP and IMAP, https://graph.microsoft.com/.default for Graph.",
        numbers="1002012|70011|650053|28000|700022",
        reason=Reason.SCOPE_INVALID,
    ),
    _entry(
        "The directory does not have the resource that the scope names.",
        "Check the scope's host, and that the organisation has Exchange Online.",
        numbers="500011|65005[27]|65006",
    ),
    _entry(
        "The app was not given the permission{reply}.",
        "Have an administrator add the application permission, e.g. SMTP.SendAsApp, and grant admin consent.",
        numbers="501051|50105|65001|650056",
    ),
    _entry(
        "A Conditional Access policy for workload identities blocks the app, often by location.",
        "Have an administrator exempt the app or mailport's address from the policy.",
        numbers="53003|53003[0-9]|530003|5300[0124]",
        reason=Reason.SIGN_IN_BLOCKED,
    ),
)

_GOOGLE: Final = (
    _entry(
        "Google does not let the service account act for this user: domain-wide delegation is missing, lacks the "
        "scope, or belongs to another account.",
        f"{_DELEGATION}, authorise the service account's client ID (the long number) for exactly the scopes of the "
        "settings, then wait some minutes.",
        error="unauthorized_client|access_denied",
        text=r"unauthorized to retrieve access tokens|not authorized",
    ),
    _entry(
        "Google does not accept the key's signature: the key was deleted, or belongs to another service account.",
        "Make a new key for the service account and enter its JSON file.",
        error="invalid_grant",
        text=r"invalid jwt signature",
    ),
    _entry(
        "Google finds the assertion's times wrong: the clock where mailport runs is off.",
        "Set the clock where mailport runs, by NTP for instance.",
        error="invalid_grant",
        text=r"short-lived token|reasonable timeframe|check your iat and exp",
    ),
    _entry(
        "Google does not know the service account: it was deleted, or the client ID is not its address.",
        "Check the client ID, the service account's address; if it was deleted, make a new one with a new key.",
        error="invalid_grant",
        text=r"account not found",
    ),
    _entry(
        "Google does not know the user to act for, or the user is suspended{reply}.",
        "Check the user name: the full address of an active user of the organisation, not an alias or a group.",
        error="invalid_grant",
        text=r"invalid email or user id|not a valid email",
    ),
    _entry(
        "The service account or its project is disabled at Google.",
        "Enable the service account in the Google Cloud console.",
        error="disabled_client|deleted_client",
    ),
    _entry(
        "The Workspace administrator does not allow this service account{reply}.",
        f"{_DELEGATION}, authorise the service account's client ID, and allow it under App access control.",
        error="admin_policy_enforced|org_internal",
        reason=Reason.SIGN_IN_BLOCKED,
    ),
)

_OAUTH: Final = (
    _entry(
        "{server} does not take the assertion or the client{reply}.",
        "Check client ID, key or secret, and user name against the provider's documentation.",
        error="invalid_grant|invalid_code|(interaction|login|consent|account_selection)_required",
    ),
    _entry(
        "The provider does not accept the client: its ID or its secret is wrong or has expired{reply}.",
        "Enter the client's current ID and secret.",
        error="invalid_client(_secret|_id)?",
    ),
    _entry(
        "The provider does not let this client have tokens without a person{reply}.",
        "Permit the client the grant type of the settings at the provider, and check that the client ID is right.",
        error="unauthorized_client|unsupported_grant_type|access_denied",
    ),
    _entry(
        "The provider does not know a scope that was asked for, or does not give it to this client{reply}.",
        "Write every scope in full as the provider names it, and permit it for the client there.",
        error="invalid_scope|invalid_target|invalid_resource",
        reason=Reason.SCOPE_INVALID,
    ),
    _entry(
        "The provider cannot answer just now{reply}; this is a temporary refusal.",
        WAIT,
        error="temporarily_unavailable|server_error|slow_down",
        reason=Reason.AUTH_UNAVAILABLE,
        kind=FailureKind.TRANSIENT,
    ),
    _entry(
        "The provider does not take the request as the settings make it{reply}.",
        "Check token endpoint, client ID and scopes against the provider's documentation.",
        error="invalid_request",
    ),
    _entry(
        "{server} does not accept the client{reply}.",
        "Check client ID and client secret; they are sent in the request's body (client_secret_post).",
        code="401",
    ),
    _entry(
        "The provider refused with a word of its own{because}{reply}.",
        "Look the word up in the provider's documentation; check client ID, secret or key, and scopes.",
        error=".+",
    ),
    _entry(
        "{server} answered in a way that is not OAuth's{because}{reply}.",
        f"{WAIT} If it lasts, check that the URL is the provider's token endpoint.",
        reason=Reason.PROTOCOL_ERROR,
        kind=FailureKind.TRANSIENT,
    ),
)

WITHOUT_PERSON: Final = (
    *(_alike(entry) for entry in (*OAUTH_SYMPTOMS, *OAUTH_STATUSES)),
    *_MICROSOFT,
    *_GOOGLE,
    *_OAUTH,
)
"""The last one fits whatever is left at a token endpoint where no person is asked."""
