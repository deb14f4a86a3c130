"""The service account that a JWT_BEARER client is: its key, and its address as the client ID."""

from __future__ import annotations

from domain.reasons import Reason
from domain.service_account import NotAKey, read_service_account_key
from domain.settings.endpoints import PREFIX
from domain.settings.findings import Findings
from domain.settings.keep import MAXIMUM_KEY
from domain.settings.model import GrantType, MailSettings, OAuthAuthentication
from domain.settings.written import WrittenOAuth


def account_of_key(written: WrittenOAuth, *, stored: MailSettings | None, findings: Findings) -> str:
    """
    Returns the account that the key names, "" when it names none; without a client ID and a key, the stored key's.

    Refuses a written key that is none, and a client ID that is another account's: the issuer of assertions is the
    account's address (Google, "Using OAuth 2.0 for Server to Server Applications").
    """
    if not written.client_secret:
        return "" if written.client_id else _stored_account(stored)
    text = written.client_secret.reveal()
    if len(text) > MAXIMUM_KEY:
        return ""
    try:
        email = read_service_account_key(text).client_email
    except NotAKey as trouble:
        findings.refuse(f"{PREFIX}.client_secret", Reason.VALUE_MALFORMED, trouble.message, trouble.remedy)
        return ""
    if email and written.client_id and written.client_id.strip().casefold() != email.casefold():
        findings.refuse(
            f"{PREFIX}.client_id",
            Reason.FIELD_CONFLICT,
            "The key belongs to another account than this client ID names.",
            "Leave the client ID empty: the service account's address is taken from the key.",
        )
    return email


def _stored_account(stored: MailSettings | None) -> str:
    former = stored.authentication if stored is not None else None
    if not isinstance(former, OAuthAuthentication) or former.grant_type is not GrantType.JWT_BEARER:
        return ""
    return former.client_id
