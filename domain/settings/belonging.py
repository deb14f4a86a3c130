"""Endpoints and servers that cannot belong together: another provider's, another Microsoft cloud's."""

from __future__ import annotations

import re
from typing import Final

from domain.providers import oauth_provider_of
from domain.providers.microsoft import MicrosoftCloud
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.endpoints import PREFIX, WrittenEndpoints
from domain.settings.findings import Findings
from domain.settings.purpose import Purpose
from domain.settings.urls import Url

_VERSION_ONE: Final = re.compile(r"/[^/]+/oauth2/(?:authorize|token)/?")


def check_belonging(
    endpoints: WrittenEndpoints, *, provider: OAuthProvider | None, cloud: MicrosoftCloud, findings: Findings
) -> None:
    """Refuses endpoints of another provider than the declared one, of another Microsoft cloud, and Microsoft's v1.0."""
    for name, url in (
        ("authorization_endpoint", endpoints.authorization),
        ("token_endpoint", endpoints.token),
        ("revocation_endpoint", endpoints.revocation),
    ):
        owner = oauth_provider_of(url.host) if url else None
        if url is None or owner is None or provider is None:
            continue
        if owner is not provider and provider is not OAuthProvider.CUSTOM:
            findings.refuse(
                f"{PREFIX}.{name}",
                Reason.FIELD_CONFLICT,
                f"{url.host} does not belong to the provider {provider}.",
                f"Leave the endpoint empty to use that of {provider}, or choose the right provider.",
            )
        elif owner is OAuthProvider.MICROSOFT:
            _check_microsoft(url, cloud, field=f"{PREFIX}.{name}", findings=findings)


def _check_microsoft(url: Url, cloud: MicrosoftCloud, *, field: str, findings: Findings) -> None:
    if _VERSION_ONE.fullmatch(url.path):
        findings.refuse(
            field,
            Reason.URL_INVALID,
            "This is Microsoft's endpoint of version 1.0, which knows no scopes.",
            "Write /oauth2/v2.0/ in its path, or leave the endpoint empty.",
        )
    elif url.host.name not in cloud.login_hosts:
        findings.refuse(
            field,
            Reason.FIELD_CONFLICT,
            f"{url.host} belongs to another Microsoft cloud than the servers ({cloud.name}); tokens do not cross.",
            f"Use https://{cloud.login_hosts[0]}, or leave the endpoint empty.",
        )


def check_servers(purpose: Purpose, *, issuer: OAuthProvider | None, cloud: MicrosoftCloud, findings: Findings) -> None:
    """Refuses a consent of Google or Microsoft for a server that is known to belong to somebody else."""
    for field, host in (
        (f"{PREFIX}.provider", purpose.transport_host),
        ("settings.mailbox.use_oauth", purpose.mailbox_host),
    ):
        owner = oauth_provider_of(host) if host is not None else None
        if host is None or owner is None or issuer is None:
            continue
        if owner is not issuer:
            findings.refuse(
                field,
                Reason.FIELD_CONFLICT,
                f"{host} does not take the tokens of {issuer}.",
                "Choose the provider that the server belongs to, or the server of that provider.",
            )
        elif issuer is OAuthProvider.MICROSOFT and not cloud.has(host.name):
            findings.refuse(
                field,
                Reason.FIELD_CONFLICT,
                f"{host} belongs to another Microsoft cloud than the rest of these settings ({cloud.name}).",
                "Use servers and endpoints of one cloud.",
            )
