"""Settings, without their secrets: whether one is set is all that anybody learns (AIP-147)."""

from __future__ import annotations

from domain.limits import AccountLimits
from domain.settings.model import (
    BasicAuthentication,
    GraphTransport,
    MailboxSettings,
    MailSettings,
    OAuthAuthentication,
    SmtpTransport,
)
from mailport.v1 import configuration_pb2 as pb
from service.rpc.render.values import enum_value, timestamp


def render_settings(settings: MailSettings) -> pb.Settings:
    """
    Returns the settings as callers may see them.

    A secret that is stored and does not open counts as not set, since it has to be entered again.
    """
    rendered = pb.Settings(
        from_address=str(settings.from_address),
        from_name=settings.from_name,
        allowed_from=[str(address) for address in settings.allowed_from],
        data_center=settings.data_center,
        data_center_policy=enum_value(pb.DataCenterPolicy, "DATA_CENTER_POLICY_", settings.data_center_policy),
        mailbox=_mailbox(settings.mailbox) if settings.mailbox is not None else None,
        limits=render_limits(settings.limits) if not settings.limits.are_none else None,
    )
    match settings.transport:
        case SmtpTransport() as smtp:
            rendered.smtp.CopyFrom(_smtp(smtp))
        case GraphTransport() as graph:
            rendered.graph.CopyFrom(_graph(graph))
    match settings.authentication:
        case BasicAuthentication() as basic:
            rendered.basic.CopyFrom(pb.BasicAuthentication(username=basic.username, password_set=bool(basic.password)))
        case OAuthAuthentication() as oauth:
            rendered.oauth.CopyFrom(_oauth(oauth))
        case None:
            pass
    return rendered


def render_limits(limits: AccountLimits) -> pb.SendingLimits:
    """Returns the limits; what is not bounded is 0."""
    return pb.SendingLimits(
        max_connections=limits.connections or 0,
        messages_per_minute=limits.messages_per_minute or 0,
        messages_per_day=limits.messages_per_day or 0,
        recipients_per_day=limits.recipients_per_day or 0,
    )


def _smtp(smtp: SmtpTransport) -> pb.SmtpTransport:
    return pb.SmtpTransport(
        host=str(smtp.host),
        port=smtp.port,
        security=enum_value(pb.ConnectionSecurity, "CONNECTION_SECURITY_", smtp.security),
        minimum_tls_version=enum_value(pb.TlsVersion, "TLS_VERSION_", smtp.minimum_tls_version, stem="TLS_"),
        ca_certificates=smtp.ca_certificates,
        ehlo_name=smtp.ehlo_name,
    )


def _graph(graph: GraphTransport) -> pb.GraphTransport:
    return pb.GraphTransport(
        base_url=graph.base_url,
        mailbox=str(graph.mailbox or ""),
        save_to_sent_items=graph.save_to_sent_items,
    )


def _oauth(oauth: OAuthAuthentication) -> pb.OAuthAuthentication:
    return pb.OAuthAuthentication(
        provider=enum_value(pb.OauthProvider, "OAUTH_PROVIDER_", oauth.provider),
        client_id=oauth.client_id,
        client_secret_set=bool(oauth.client_secret),
        client_secret_expire_time=timestamp(oauth.client_secret_expire_time),
        authorization_endpoint=oauth.authorization_endpoint,
        token_endpoint=oauth.token_endpoint,
        revocation_endpoint=oauth.revocation_endpoint,
        scopes=oauth.scopes,
        username=oauth.username,
        redirect_url=oauth.redirect_url,
        directory_tenant=oauth.directory_tenant,
        grant_type=enum_value(pb.OauthGrantType, "OAUTH_GRANT_TYPE_", oauth.grant_type),
    )


def _mailbox(mailbox: MailboxSettings) -> pb.MailboxSettings:
    return pb.MailboxSettings(
        email=str(mailbox.email),
        host=str(mailbox.host),
        port=mailbox.port,
        security=enum_value(pb.ConnectionSecurity, "CONNECTION_SECURITY_", mailbox.security),
        password_set=bool(mailbox.password),
        use_oauth=mailbox.use_oauth,
        minimum_tls_version=enum_value(pb.TlsVersion, "TLS_VERSION_", mailbox.minimum_tls_version, stem="TLS_"),
        ca_certificates=mailbox.ca_certificates,
    )
