"""Written settings that are valid by default, and what the tests of the rules ask about a parse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain.errors import ConfigInvalid, Violation
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import (
    BasicAuthentication,
    GraphTransport,
    MailboxSettings,
    MailSettings,
    OAuthAuthentication,
    SmtpTransport,
)
from domain.settings.parse import ParsedSettings, SettingsRules, parse_settings
from domain.settings.written import (
    WrittenBasic,
    WrittenGraph,
    WrittenMailbox,
    WrittenOAuth,
    WrittenSettings,
    WrittenSmtp,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RULES = SettingsRules(plaintext_hosts=frozenset({"relay.internal", "127.0.0.1"}), data_centers=("eu-1", "us-1"))


def smtp(**changes: Any) -> WrittenSmtp:
    return replace(WrittenSmtp(host="smtp.example.com", port=587), **changes)


def basic(**changes: Any) -> WrittenBasic:
    return replace(WrittenBasic(username="alerts@example.com", password=Secret("correct horse")), **changes)


def google(**changes: Any) -> WrittenOAuth:
    return replace(_oauth("GOOGLE"), **changes)


def microsoft(**changes: Any) -> WrittenOAuth:
    return replace(_oauth("MICROSOFT"), **changes)


def custom(**changes: Any) -> WrittenOAuth:
    endpoints = WrittenOAuth(
        provider="CUSTOM",
        client_id="client-1",
        client_secret=Secret("client secret"),
        username="alerts@example.com",
        authorization_endpoint="https://id.example.com/authorize",
        token_endpoint="https://id.example.com/token",
        scopes=("mail",),
    )
    return replace(endpoints, **changes)


def mailbox(**changes: Any) -> WrittenMailbox:
    valid = WrittenMailbox(
        email="alerts@example.com", host="imap.example.com", port=993, password=Secret("correct horse")
    )
    return replace(valid, **changes)


def written(**changes: Any) -> WrittenSettings:
    valid = WrittenSettings(from_address="alerts@example.com", transport=smtp(), authentication=basic())
    return replace(valid, **changes)


def gmail(**changes: Any) -> WrittenSettings:
    valid = written(transport=smtp(host="smtp.gmail.com"), authentication=google())
    return replace(valid, **changes)


def exchange(**changes: Any) -> WrittenSettings:
    valid = written(transport=smtp(host="smtp.office365.com"), authentication=microsoft())
    return replace(valid, **changes)


def graph(**changes: Any) -> WrittenSettings:
    return replace(written(transport=WrittenGraph(), authentication=microsoft()), **changes)


def parse(settings: WrittenSettings, *, stored: MailSettings | None = None, now: datetime = NOW) -> ParsedSettings:
    return parse_settings(settings, stored=stored, rules=RULES, now=now)


def violations(settings: WrittenSettings, *, stored: MailSettings | None = None) -> list[Violation]:
    try:
        parse(settings, stored=stored)
    except ConfigInvalid as refused:
        return list(refused.violations)
    return []


def refusals(settings: WrittenSettings, *, stored: MailSettings | None = None) -> set[tuple[str, Reason]]:
    return {(violation.field, violation.reason) for violation in violations(settings, stored=stored)}


def warnings(settings: WrittenSettings, *, now: datetime = NOW) -> set[tuple[str, Reason]]:
    return {(warning.field, warning.reason) for warning in parse(settings, now=now).warnings}


def as_read_back(settings: MailSettings) -> WrittenSettings:
    """Writes settings as a client would that got them from GetConfiguration: everything but the secrets."""
    box = settings.mailbox
    return WrittenSettings(
        from_address=str(settings.from_address),
        from_name=settings.from_name,
        allowed_from=tuple(str(address) for address in settings.allowed_from),
        data_center=settings.data_center,
        data_center_policy=settings.data_center_policy,
        transport=_transport(settings.transport),
        authentication=_authentication(settings.authentication),
        mailbox=_mailbox(box) if box is not None else None,
    )


def _oauth(provider: str) -> WrittenOAuth:
    return WrittenOAuth(
        provider=provider,
        client_id="client-1",
        client_secret=Secret("client secret"),
        username="alerts@example.com",
    )


def _transport(transport: SmtpTransport | GraphTransport) -> WrittenSmtp | WrittenGraph:
    if isinstance(transport, SmtpTransport):
        return WrittenSmtp(
            host=str(transport.host),
            port=transport.port,
            security=transport.security,
            minimum_tls_version=transport.minimum_tls_version,
            ca_certificates=transport.ca_certificates,
            ehlo_name=transport.ehlo_name,
        )
    return WrittenGraph(
        base_url=transport.base_url,
        mailbox=str(transport.mailbox or ""),
        save_to_sent_items=transport.save_to_sent_items,
    )


def _authentication(
    authentication: BasicAuthentication | OAuthAuthentication | None,
) -> WrittenBasic | WrittenOAuth | None:
    if isinstance(authentication, BasicAuthentication):
        return WrittenBasic(username=authentication.username)
    if authentication is None:
        return None
    return WrittenOAuth(
        provider=authentication.provider,
        client_id=authentication.client_id,
        client_secret_expire_time=authentication.client_secret_expire_time,
        authorization_endpoint=authentication.authorization_endpoint,
        token_endpoint=authentication.token_endpoint,
        revocation_endpoint=authentication.revocation_endpoint,
        scopes=authentication.scopes,
        username=authentication.username,
        redirect_url=authentication.redirect_url,
        directory_tenant=authentication.directory_tenant,
        grant_type=authentication.grant_type,
    )


def _mailbox(box: MailboxSettings) -> WrittenMailbox:
    return WrittenMailbox(
        email=str(box.email), host=str(box.host), port=box.port, security=box.security, use_oauth=box.use_oauth
    )
