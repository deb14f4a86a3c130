"""Settings of a Graph transport, parsed: what it needs, and why it is not for Google."""

from __future__ import annotations

from typing import Final

from domain.address import EmailAddress, parse_address
from domain.errors import Violation
from domain.host import Host
from domain.providers import oauth_provider_of
from domain.providers.microsoft import CLOUDS, MicrosoftCloud
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.findings import Findings
from domain.settings.model import GraphTransport
from domain.settings.purpose import Purpose
from domain.settings.urls import Url, parse_url
from domain.settings.written import WrittenBasic, WrittenGraph, WrittenOAuth

PREFIX: Final = "settings.graph"
_GOOGLE_SCOPES: Final = ("https://mail.google.com", "https://www.googleapis.com/")


def written_base_host(written: WrittenGraph) -> Host | None:
    """Returns the host of the base URL as far as one was written and right."""
    url = parse_url(written.base_url, field=f"{PREFIX}.base_url") if written.base_url else None
    return url.host if isinstance(url, Url) else None


def parse_graph(
    written: WrittenGraph,
    *,
    authentication: WrittenBasic | WrittenOAuth | None,
    purpose: Purpose,
    plaintext_hosts: frozenset[str],
    findings: Findings,
) -> GraphTransport | None:
    """Returns the transport, its base URL filled in from Microsoft's cloud; None when a part of it is wrong."""
    mailbox = _mailbox(written.mailbox)
    if not isinstance(authentication, WrittenOAuth):
        findings.refuse(
            "settings.basic" if authentication else "settings.oauth",
            Reason.GRAPH_NEEDS_OAUTH,
            "Graph takes no password: it needs OAuth.",
            "Set settings.oauth with the provider MICROSOFT, or send over SMTP.",
        )
    provider = authentication.provider if isinstance(authentication, WrittenOAuth) else ""
    cloud = purpose.cloud(*_endpoint_hosts(authentication))
    base_url = (
        _base_url(written.base_url, is_custom=provider == OAuthProvider.CUSTOM, plaintext_hosts=plaintext_hosts)
        if written.base_url
        else cloud.graph_base_url
    )
    taken = findings.take(base_url)
    if isinstance(mailbox, Violation):
        findings.take(mailbox)
        return None
    if taken is None:
        return None
    return GraphTransport(base_url=taken, mailbox=mailbox, save_to_sent_items=written.save_to_sent_items is not False)


def refuse_google(written: WrittenGraph, oauth: WrittenOAuth, *, findings: Findings) -> bool:
    """Refuses Graph with Google, told by provider, endpoint host or scope; returns whether it was so (rule 4)."""
    fields = []
    if oauth.provider == OAuthProvider.GOOGLE:
        fields.append("settings.oauth.provider")
    fields += [
        field
        for field, text in (
            ("settings.oauth.authorization_endpoint", oauth.authorization_endpoint),
            ("settings.oauth.token_endpoint", oauth.token_endpoint),
            (f"{PREFIX}.base_url", written.base_url),
        )
        if _is_google(text)
    ]
    fields += [
        f"settings.oauth.scopes[{index}]"
        for index, scope in enumerate(oauth.scopes)
        if scope.lower().startswith(_GOOGLE_SCOPES)
    ]
    for field in fields:
        findings.refuse(
            field,
            Reason.GRAPH_NOT_FOR_GOOGLE,
            "The API communication type is Microsoft's and does not work for Google.",
            "Send over SMTP: smtp.gmail.com, port 587 with STARTTLS, scope https://mail.google.com/.",
        )
    return bool(fields)


def _is_google(text: str) -> bool:
    url = parse_url(text, field="")
    return isinstance(url, Url) and oauth_provider_of(url.host) is OAuthProvider.GOOGLE


def _endpoint_hosts(authentication: WrittenBasic | WrittenOAuth | None) -> list[Host]:
    if not isinstance(authentication, WrittenOAuth):
        return []
    texts = (authentication.token_endpoint, authentication.authorization_endpoint)
    urls = (parse_url(text, field="") for text in texts)
    return [url.host for url in urls if isinstance(url, Url)]


def _mailbox(text: str) -> EmailAddress | Violation | None:
    return parse_address(text, field=f"{PREFIX}.mailbox") if text else None


def _base_url(text: str, *, is_custom: bool, plaintext_hosts: frozenset[str]) -> str | Violation:
    field = f"{PREFIX}.base_url"
    url = parse_url(text, field=field)
    if isinstance(url, Violation):
        return url
    if not url.is_confidential and url.host.name not in plaintext_hosts:
        return Violation(
            field=field,
            reason=Reason.HTTPS_REQUIRED,
            message=f"Tokens and mail would travel to {url.host} unencrypted.",
            remedy="Use https; http is for loopback addresses and for hosts that the operator has named.",
        )
    cloud = _cloud_at(url.host)
    is_own = url.host.is_loopback or url.host.name in plaintext_hosts or is_custom
    if cloud is None and not is_own:
        roots = ", ".join(each.graph_base_url for each in CLOUDS)
        return _invalid(
            field, f"{url.host} is not the root of a Microsoft cloud.", f"Leave it empty, or use one of {roots}."
        )
    root = url.text.rstrip("/")
    if cloud is not None and root.lower() == cloud.graph_base_url:
        return cloud.graph_base_url
    if cloud is not None or url.query or root.lower().endswith(("/v1.0", "/beta")):
        return _invalid(
            field, "The base URL is more than a root.", "Remove what follows the host; the version is added."
        )
    return root


def _cloud_at(host: Host) -> MicrosoftCloud | None:
    return next((cloud for cloud in CLOUDS if cloud.graph_host == host.name), None)


def _invalid(field: str, message: str, remedy: str) -> Violation:
    return Violation(field=field, reason=Reason.URL_INVALID, message=message, remedy=remedy)
