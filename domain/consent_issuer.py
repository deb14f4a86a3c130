"""Who speaks in a callback: the defence against a mix-up of authorization servers (RFC 9207)."""

from __future__ import annotations

import re
from typing import Final

from domain.errors import ProviderRefused, Violation
from domain.failures.failure import Failure, FailureKind, Stage
from domain.host import Host
from domain.providers.microsoft import CLOUDS, MicrosoftCloud
from domain.reasons import Reason
from domain.settings.urls import Url, parse_url
from domain.text import shown

GOOGLE_ISSUER: Final = "https://accounts.google.com"
_GOOGLE_HOST: Final = Host("accounts.google.com")
_MICROSOFT_PATH: Final = re.compile(r"/(?P<tenant>[0-9A-Za-z.-]+)/v2\.0/?")
_MICROSOFT_ENDPOINT: Final = re.compile(r"/(?P<tenant>[^/]+)/oauth2/")
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_issuer(iss: str, *, authorization_endpoint: str) -> None:
    """
    Raises ProviderRefused ISSUER_MISMATCH when a callback names another issuer than the one that was asked.

    *iss* empty: the server does not name itself, and there is nothing to compare. Google's is compared as a string.
    Microsoft's is a template, ``https://<login host>/<tenant id>/v2.0``: a login host of the same cloud, and the same
    tenant where the endpoint names one by its GUID. Elsewhere settings hold no issuer, so its origin has to be that of
    the authorization endpoint, as RFC 8414 lays it out.
    """
    if iss and not _is_asked(iss, authorization_endpoint):
        raise ProviderRefused(
            Failure(
                reason=Reason.ISSUER_MISMATCH,
                kind=FailureKind.REAUTHORIZE,
                stage=Stage.CONSENT,
                cause=f"The callback comes from {shown(iss)}, and not from the authorization server that was asked. "
                "Nothing was sent to anyone.",
                remedy="Start again with Authorize; if it happens twice, check the authorization endpoint.",
            )
        )


def _is_asked(iss: str, authorization_endpoint: str) -> bool:
    asked = parse_url(authorization_endpoint, field="")
    named = parse_url(iss, field="")
    if isinstance(asked, Violation) or isinstance(named, Violation):
        return False
    if asked.host == _GOOGLE_HOST:
        return iss == GOOGLE_ISSUER
    cloud = next((cloud for cloud in CLOUDS if asked.host.name in cloud.login_hosts), None)
    if cloud is not None:
        return _is_microsoft(named, asked, cloud)
    return _origin(named) == _origin(asked)


def _is_microsoft(named: Url, asked: Url, cloud: MicrosoftCloud) -> bool:
    path, endpoint = _MICROSOFT_PATH.fullmatch(named.path), _MICROSOFT_ENDPOINT.match(asked.path)
    if named.scheme != "https" or named.host.name not in cloud.login_hosts or path is None or named.query:
        return False
    tenant = endpoint["tenant"].lower() if endpoint else ""
    return not _GUID.fullmatch(tenant) or path["tenant"].lower() == tenant


def _origin(url: Url) -> str:
    """Returns scheme, host and port; a port that goes without saying is not said."""
    authority = url.text.partition("://")[2].partition("/")[0].partition("?")[0].lower()
    port = re.search(r":([0-9]+)$", authority)
    number = int(port[1]) if port else 443 if url.scheme == "https" else 80
    return f"{url.scheme}://{url.host}:{number}"
