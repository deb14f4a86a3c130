"""OAuth endpoints, written or filled in from the preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from domain.host import Host
from domain.providers import oauth_provider_of
from domain.providers.preset import OAuthPreset
from domain.reasons import Reason
from domain.settings.findings import Findings
from domain.settings.urls import Url, parse_endpoint
from domain.settings.written import WrittenOAuth

PREFIX: Final = "settings.oauth"


@dataclass(frozen=True, slots=True)
class WrittenEndpoints:
    """The endpoints that a caller wrote; None where none was written or it was wrong."""

    authorization: Url | None
    token: Url | None
    revocation: Url | None

    @property
    def hosts(self) -> tuple[Host | None, Host | None]:
        """Returns the hosts that tell whose endpoints these are, the token endpoint's first."""
        return self.token.host if self.token else None, self.authorization.host if self.authorization else None


def parse_written_endpoints(written: WrittenOAuth, *, findings: Findings) -> WrittenEndpoints:
    """Returns the endpoints that were written; the empty ones are left to the preset."""
    return WrittenEndpoints(
        authorization=_written(written.authorization_endpoint, "authorization_endpoint", findings),
        token=_written(written.token_endpoint, "token_endpoint", findings),
        revocation=_written(written.revocation_endpoint, "revocation_endpoint", findings),
    )


def _written(text: str, name: str, findings: Findings) -> Url | None:
    return findings.take(parse_endpoint(text, field=f"{PREFIX}.{name}")) if text else None


def fill(written: str, known: str, *, name: str, findings: Findings) -> str:
    """Returns the endpoint *written*, else the *known* one of the preset; refuses to be left with neither."""
    if not written and not known:
        findings.refuse(
            f"{PREFIX}.{name}",
            Reason.FIELD_REQUIRED,
            f"The {name.replace('_', ' ')} is missing.",
            "Enter the https URL from the provider's documentation.",
        )
    return written or known


def fill_revocation(written: WrittenOAuth, endpoints: WrittenEndpoints, preset: OAuthPreset | None) -> str:
    """
    Returns the revocation endpoint, empty when there is none.

    The preset's is for its own tokens: beside a foreign token endpoint it would be sent a stranger's.
    """
    if written.revocation_endpoint or preset is None:
        return written.revocation_endpoint
    is_own = endpoints.token is None or oauth_provider_of(endpoints.token.host) is preset.provider
    return preset.revocation_endpoint if is_own else ""
