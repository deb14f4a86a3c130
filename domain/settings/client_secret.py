"""The OAuth client's secret, and when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.endpoints import PREFIX
from domain.settings.findings import Findings
from domain.settings.keep import secret_for
from domain.settings.model import GrantType, MailSettings, OAuthAuthentication
from domain.settings.written import WrittenOAuth

EXPIRY_NOTICE: Final = timedelta(days=30)
"""How far ahead the end of a client secret is a warning."""


def parse_client_secret(
    written: WrittenOAuth,
    *,
    client_id: str | None,
    token_endpoint: str,
    grant_type: GrantType,
    stored: MailSettings | None,
    findings: Findings,
) -> Secret | None:
    """Returns the client secret; left unset, the stored one while client, endpoint and kind are the same."""
    former = stored.authentication if stored is not None else None
    kept = former.client_secret if isinstance(former, OAuthAuthentication) else None
    changes: list[str] | None = None
    if isinstance(former, OAuthAuthentication) and client_id is not None and token_endpoint:
        changes = ["client ID"] if former.client_id != client_id else []
        changes += ["token endpoint"] if former.token_endpoint != token_endpoint else []
        changes += ["grant type"] if former.grant_type is not grant_type else []
    is_key = grant_type is GrantType.JWT_BEARER
    return secret_for(
        written.client_secret,
        field=f"{PREFIX}.client_secret",
        what="The service account's key" if is_key else "The client secret",
        stored=kept,
        changes=changes,
        findings=findings,
        is_key=is_key,
    )


def parse_expire_time(time: datetime | None, *, now: datetime, findings: Findings) -> datetime | None:
    """Returns the end of the client secret in UTC, None when unknown; warns from 30 days before it."""
    if time is None:
        return None
    field = f"{PREFIX}.client_secret_expire_time"
    try:
        moment = time.astimezone(UTC) if time.tzinfo is not None else None
    except (OverflowError, ValueError):
        moment = None
    if moment is None:
        findings.refuse(
            field,
            Reason.VALUE_MALFORMED,
            "The time has no zone, or lies outside the calendar.",
            "Give the time in UTC, as the provider shows it.",
        )
    elif moment <= now:
        findings.warn(
            field,
            Reason.CLIENT_SECRET_EXPIRING,
            f"The client secret ended on {moment:%Y-%m-%d}: tokens can no longer be refreshed.",
            "Make a new client secret at the provider and enter it here; no new consent is needed.",
        )
    elif moment - now <= EXPIRY_NOTICE:
        findings.warn(
            field,
            Reason.CLIENT_SECRET_EXPIRING,
            f"The client secret ends on {moment:%Y-%m-%d}; sending stops then.",
            "Make a new client secret at the provider and enter it here; no new consent is needed.",
        )
    return moment
