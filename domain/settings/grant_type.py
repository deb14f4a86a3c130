"""How the client comes by its tokens, and what cannot apply where no person consents."""

from __future__ import annotations

from typing import Final

from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.endpoints import PREFIX
from domain.settings.findings import Findings, parse_choice
from domain.settings.model import GrantType
from domain.settings.written import WrittenOAuth

_FIELD: Final = f"{PREFIX}.grant_type"
_ELSEWHERE: Final = {
    (GrantType.CLIENT_CREDENTIALS, OAuthProvider.GOOGLE): (
        "Google gives no access to mail for client credentials: an account without a person is a service account.",
        "Choose JWT_BEARER with a service account's key, or AUTHORIZATION_CODE.",
    ),
    (GrantType.JWT_BEARER, OAuthProvider.MICROSOFT): (
        "Microsoft has no service accounts that sign assertions for users: an app without a person has a secret.",
        "Choose CLIENT_CREDENTIALS, or AUTHORIZATION_CODE.",
    ),
}


def parse_grant_type(text: str, *, findings: Findings) -> GrantType:
    """Returns the grant type, AUTHORIZATION_CODE when empty or when it is none, which is refused."""
    if not text:
        return GrantType.AUTHORIZATION_CODE
    return findings.take(parse_choice(text, GrantType, field=_FIELD)) or GrantType.AUTHORIZATION_CODE


def check_grant_type(grant_type: GrantType, *, issuer: OAuthProvider | None, findings: Findings) -> bool:
    """Tells whether *issuer* knows the grant type; refuses one that it does not."""
    if issuer is None or (grant_type, issuer) not in _ELSEWHERE:
        return True
    message, remedy = _ELSEWHERE[grant_type, issuer]
    findings.refuse(_FIELD, Reason.FIELD_CONFLICT, message, remedy)
    return False


def refuse_what_needs_a_person(written: WrittenOAuth, *, findings: Findings) -> None:
    """Refuses what only a consent uses: where the browser goes and comes back to, and where a grant is revoked."""
    for name, text in (
        ("authorization_endpoint", written.authorization_endpoint),
        ("revocation_endpoint", written.revocation_endpoint),
        ("redirect_url", written.redirect_url),
    ):
        if text:
            findings.refuse(
                f"{PREFIX}.{name}",
                Reason.FIELD_NOT_APPLICABLE,
                f"With {written.grant_type} nobody consents, so that there is no use for it.",
                "Leave the field empty, or choose the grant type AUTHORIZATION_CODE.",
            )
