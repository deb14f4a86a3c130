"""Mail settings as a JSON column and sealed secrets beside it, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

from adapters.postgres.codec import Json, address_from, time_from, time_to
from domain.host import Host
from domain.limits import AccountLimits
from domain.secret import Secret, UnreadableSecret
from domain.settings.model import (
    BasicAuthentication,
    ConnectionSecurity,
    DataCenterPolicy,
    GrantType,
    GraphTransport,
    MailboxSettings,
    MailSettings,
    OAuthAuthentication,
    OAuthProvider,
    SmtpTransport,
    TlsVersion,
)


class Secrets(NamedTuple):
    """The secrets of one revision; None where the settings have none."""

    basic_password: Secret | None
    oauth_client_secret: Secret | None
    mailbox_password: Secret | None


def secrets_of(settings: MailSettings) -> Secrets:
    """Takes the secrets out of *settings*."""
    authentication = settings.authentication
    return Secrets(
        basic_password=authentication.password if isinstance(authentication, BasicAuthentication) else None,
        oauth_client_secret=authentication.client_secret if isinstance(authentication, OAuthAuthentication) else None,
        mailbox_password=settings.mailbox.password if settings.mailbox else None,
    )


def settings_to(settings: MailSettings) -> Json:
    """Returns *settings* without their secrets."""
    return {
        "from_address": str(settings.from_address),
        "from_name": settings.from_name,
        "allowed_from": [str(address) for address in settings.allowed_from],
        "data_center": settings.data_center,
        "data_center_policy": settings.data_center_policy.value,
        **_transport_to(settings.transport),
        **_authentication_to(settings.authentication),
        "mailbox": _mailbox_to(settings.mailbox),
        "limits": _limits_to(settings.limits),
    }


def settings_from(row: Json, secrets: Secrets) -> MailSettings:
    """Rebuilds settings from their row and their opened secrets."""
    return MailSettings(
        from_address=address_from(row["from_address"]),
        from_name=row["from_name"],
        allowed_from=tuple(address_from(text) for text in row["allowed_from"]),
        data_center=row["data_center"],
        data_center_policy=DataCenterPolicy(row["data_center_policy"]),
        transport=_transport_from(row),
        authentication=_authentication_from(row, secrets),
        mailbox=_mailbox_from(row["mailbox"], secrets),
        limits=_limits_from(row.get("limits") or {}),  # rows from before there were limits have none
    )


def _transport_to(transport: SmtpTransport | GraphTransport) -> dict[str, Any]:
    match transport:
        case SmtpTransport():
            return {
                "smtp": {
                    "host": transport.host.name,
                    "port": transport.port,
                    "security": transport.security.value,
                    "minimum_tls_version": transport.minimum_tls_version.value,
                    "ca_certificates": transport.ca_certificates,
                    "ehlo_name": transport.ehlo_name,
                }
            }
        case GraphTransport():
            return {
                "graph": {
                    "base_url": transport.base_url,
                    "mailbox": str(transport.mailbox) if transport.mailbox else None,
                    "save_to_sent_items": transport.save_to_sent_items,
                }
            }


def _transport_from(row: Json) -> SmtpTransport | GraphTransport:
    if smtp := row.get("smtp"):
        return SmtpTransport(
            host=Host(smtp["host"]),
            port=smtp["port"],
            security=ConnectionSecurity(smtp["security"]),
            minimum_tls_version=TlsVersion(smtp["minimum_tls_version"]),
            ca_certificates=smtp["ca_certificates"],
            ehlo_name=smtp["ehlo_name"],
        )
    graph = row["graph"]
    return GraphTransport(
        base_url=graph["base_url"],
        mailbox=address_from(graph["mailbox"]) if graph["mailbox"] else None,
        save_to_sent_items=graph["save_to_sent_items"],
    )


def _authentication_to(authentication: BasicAuthentication | OAuthAuthentication | None) -> dict[str, Any]:
    match authentication:
        case BasicAuthentication():
            return {"basic": {"username": authentication.username}}
        case OAuthAuthentication():
            return {
                "oauth": {
                    "provider": authentication.provider.value,
                    "client_id": authentication.client_id,
                    "client_secret_expire_time": time_to(authentication.client_secret_expire_time),
                    "authorization_endpoint": authentication.authorization_endpoint,
                    "token_endpoint": authentication.token_endpoint,
                    "revocation_endpoint": authentication.revocation_endpoint,
                    "scopes": list(authentication.scopes),
                    "username": authentication.username,
                    "redirect_url": authentication.redirect_url,
                    "directory_tenant": authentication.directory_tenant,
                    "grant_type": authentication.grant_type.value,
                }
            }
        case None:
            return {}


def _authentication_from(row: Json, secrets: Secrets) -> BasicAuthentication | OAuthAuthentication | None:
    if basic := row.get("basic"):
        return BasicAuthentication(username=basic["username"], password=_wanted(secrets.basic_password))
    if oauth := row.get("oauth"):
        return OAuthAuthentication(
            provider=OAuthProvider(oauth["provider"]),
            client_id=oauth["client_id"],
            client_secret=_wanted(secrets.oauth_client_secret),
            client_secret_expire_time=time_from(oauth["client_secret_expire_time"]),
            authorization_endpoint=oauth["authorization_endpoint"],
            token_endpoint=oauth["token_endpoint"],
            revocation_endpoint=oauth["revocation_endpoint"],
            scopes=tuple(oauth["scopes"]),
            username=oauth["username"],
            redirect_url=oauth["redirect_url"],
            directory_tenant=oauth["directory_tenant"],
            # Rows from before there were several kinds have none.
            grant_type=GrantType(oauth.get("grant_type", GrantType.AUTHORIZATION_CODE)),
        )
    return None


def _mailbox_to(mailbox: MailboxSettings | None) -> Json | None:
    if mailbox is None:
        return None
    return {
        "email": str(mailbox.email),
        "host": mailbox.host.name,
        "port": mailbox.port,
        "security": mailbox.security.value,
        "use_oauth": mailbox.use_oauth,
        "minimum_tls_version": mailbox.minimum_tls_version.value,
        "ca_certificates": mailbox.ca_certificates,
    }


def _mailbox_from(row: Json | None, secrets: Secrets) -> MailboxSettings | None:
    if row is None:
        return None
    return MailboxSettings(
        email=address_from(row["email"]),
        host=Host(row["host"]),
        port=row["port"],
        security=ConnectionSecurity(row["security"]),
        password=secrets.mailbox_password if row["use_oauth"] else _wanted(secrets.mailbox_password),
        use_oauth=row["use_oauth"],
        # Rows from before a mailbox had a say in it have neither.
        minimum_tls_version=TlsVersion(row.get("minimum_tls_version", TlsVersion.TLS_1_2)),
        ca_certificates=row.get("ca_certificates", ""),
    )


def _limits_to(limits: AccountLimits) -> Json:
    return {
        "connections": limits.connections,
        "messages_per_minute": limits.messages_per_minute,
        "messages_per_day": limits.messages_per_day,
        "recipients_per_day": limits.recipients_per_day,
    }


def _limits_from(row: Json) -> AccountLimits:
    return AccountLimits(
        connections=row.get("connections"),
        messages_per_minute=row.get("messages_per_minute"),
        messages_per_day=row.get("messages_per_day"),
        recipients_per_day=row.get("recipients_per_day"),
    )


def _wanted(secret: Secret | None) -> Secret:
    """A secret that should be there and is not must never pass for settings that need none."""
    return UnreadableSecret() if secret is None else secret
