"""Settings as a caller wrote them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from domain.errors import Violation
from domain.secret import Secret
from domain.settings.written import (
    WrittenBasic,
    WrittenGraph,
    WrittenLimits,
    WrittenMailbox,
    WrittenOAuth,
    WrittenSettings,
    WrittenSmtp,
)
from mailport.v1 import configuration_pb2 as pb
from service.rpc.parse.values import choice, instant

_MOST_WRITTEN: Final = 10_000
"""Members of a list that are read: far above what any rule allows, so that what is left out changes no answer."""


def parse_settings(settings: pb.Settings) -> tuple[WrittenSettings, tuple[Violation, ...]]:
    """
    Returns what *settings* say, for the domain to judge, and what is wrong with them already.

    An empty secret counts as unset. What is output only (`password_set`, `client_secret_set`) is passed over. A
    timestamp that is none is a violation, and left out.
    """
    found: list[Violation] = []
    written = WrittenSettings(
        from_address=settings.from_address,
        from_name=settings.from_name,
        allowed_from=tuple(settings.allowed_from[:_MOST_WRITTEN]),
        data_center=settings.data_center,
        data_center_policy=choice(settings.data_center_policy, pb.DataCenterPolicy, prefix="DATA_CENTER_POLICY_"),
        transport=_transport(settings),
        authentication=_authentication(settings, found),
        mailbox=_mailbox(settings.mailbox) if settings.HasField("mailbox") else None,
        limits=_limits(settings.limits) if settings.HasField("limits") else None,
    )
    return written, tuple(found)


def _transport(settings: pb.Settings) -> WrittenSmtp | WrittenGraph | None:
    match settings.WhichOneof("transport"):
        case "smtp":
            return _smtp(settings.smtp)
        case "graph":
            return _graph(settings.graph)
        case None:
            return None


def _authentication(settings: pb.Settings, found: list[Violation]) -> WrittenBasic | WrittenOAuth | None:
    match settings.WhichOneof("authentication"):
        case "basic":
            return WrittenBasic(username=settings.basic.username, password=_secret(settings.basic.password))
        case "oauth":
            return _oauth(settings.oauth, found)
        case None:
            return None


def _smtp(smtp: pb.SmtpTransport) -> WrittenSmtp:
    return WrittenSmtp(
        host=smtp.host,
        port=smtp.port,
        security=_security(smtp.security),
        minimum_tls_version=choice(smtp.minimum_tls_version, pb.TlsVersion, prefix="TLS_VERSION_", stem="TLS_"),
        ca_certificates=smtp.ca_certificates,
        ehlo_name=smtp.ehlo_name,
    )


def _graph(graph: pb.GraphTransport) -> WrittenGraph:
    return WrittenGraph(
        base_url=graph.base_url,
        mailbox=graph.mailbox,
        save_to_sent_items=graph.save_to_sent_items if graph.HasField("save_to_sent_items") else None,
    )


def _oauth(oauth: pb.OAuthAuthentication, found: list[Violation]) -> WrittenOAuth:
    return WrittenOAuth(
        provider=choice(oauth.provider, pb.OauthProvider, prefix="OAUTH_PROVIDER_"),
        client_id=oauth.client_id,
        client_secret=_secret(oauth.client_secret),
        client_secret_expire_time=_expire_time(oauth, found),
        authorization_endpoint=oauth.authorization_endpoint,
        token_endpoint=oauth.token_endpoint,
        revocation_endpoint=oauth.revocation_endpoint,
        scopes=tuple(oauth.scopes[:_MOST_WRITTEN]),
        username=oauth.username,
        redirect_url=oauth.redirect_url,
        directory_tenant=oauth.directory_tenant,
        grant_type=choice(oauth.grant_type, pb.OauthGrantType, prefix="OAUTH_GRANT_TYPE_"),
    )


def _expire_time(oauth: pb.OAuthAuthentication, found: list[Violation]) -> datetime | None:
    if not oauth.HasField("client_secret_expire_time"):
        return None
    time = instant(oauth.client_secret_expire_time, field="settings.oauth.client_secret_expire_time")
    if isinstance(time, Violation):
        found.append(time)
        return None
    return time


def _mailbox(mailbox: pb.MailboxSettings) -> WrittenMailbox:
    return WrittenMailbox(
        email=mailbox.email,
        host=mailbox.host,
        port=mailbox.port,
        security=_security(mailbox.security),
        password=_secret(mailbox.password),
        use_oauth=mailbox.use_oauth,
        minimum_tls_version=choice(mailbox.minimum_tls_version, pb.TlsVersion, prefix="TLS_VERSION_", stem="TLS_"),
        ca_certificates=mailbox.ca_certificates,
    )


def _limits(limits: pb.SendingLimits) -> WrittenLimits:
    return WrittenLimits(
        max_connections=limits.max_connections,
        messages_per_minute=limits.messages_per_minute,
        messages_per_day=limits.messages_per_day,
        recipients_per_day=limits.recipients_per_day,
    )


def _security(number: int) -> str:
    return choice(number, pb.ConnectionSecurity, prefix="CONNECTION_SECURITY_")


def _secret(text: str) -> Secret | None:
    return Secret(text) if text else None
