"""An OAuth client and the account that consents, parsed: rules 4 and 5 of the settings."""

from __future__ import annotations

from datetime import datetime

from domain.address import EmailAddress, parse_address
from domain.errors import Violation
from domain.providers.google import GOOGLE
from domain.providers.microsoft import GRAPH_SEND, GRAPH_SEND_SHARED, MicrosoftCloud
from domain.providers.preset import CommunicationType, OAuthPreset, OAuthProvider
from domain.reasons import Reason
from domain.settings.app_scopes import app_scopes, require_app_scopes
from domain.settings.belonging import check_belonging, check_servers
from domain.settings.client_secret import parse_client_secret, parse_expire_time
from domain.settings.directory import parse_directory_tenant, require_one_directory
from domain.settings.endpoints import PREFIX, fill, fill_revocation, parse_written_endpoints
from domain.settings.findings import Findings, parse_choice, parse_line
from domain.settings.grant_type import check_grant_type, parse_grant_type, refuse_what_needs_a_person
from domain.settings.model import GrantType, MailSettings, OAuthAuthentication
from domain.settings.needed import require_scopes
from domain.settings.purpose import Purpose
from domain.settings.scopes import RESERVED, parse_scopes
from domain.settings.service_account import account_of_key
from domain.settings.urls import parse_redirect_url
from domain.settings.written import WrittenOAuth


def parse_oauth(
    written: WrittenOAuth,
    *,
    purpose: Purpose,
    is_google_graph: bool,
    stored: MailSettings | None,
    now: datetime,
    findings: Findings,
) -> OAuthAuthentication | None:
    """
    Returns the authentication with everything that the presets fill in; None when a part of it is wrong.

    *is_google_graph*: the pair has been refused already, so what only follows from it is not named again.
    """
    provider = _provider(written.provider, findings)
    grant_type = parse_grant_type(written.grant_type, findings=findings)
    needs_person = grant_type.needs_person
    endpoints = parse_written_endpoints(written, findings=findings)
    issuer = purpose.issuer(provider, *endpoints.hosts)
    cloud = purpose.cloud(*endpoints.hosts)
    is_known_there = check_grant_type(grant_type, issuer=issuer, findings=findings)
    if not needs_person:
        refuse_what_needs_a_person(written, findings=findings)
    username = findings.take(_username(written.username, issuer))
    preset = _preset(provider, cloud)
    tenant = parse_directory_tenant(
        written.directory_tenant,
        provider=provider,
        endpoints=endpoints,
        needs_person=needs_person,
        findings=findings,
    )
    if _is_microsoft_app(grant_type, issuer):
        require_one_directory(written.directory_tenant, tenant=tenant, endpoints=endpoints, findings=findings)
    known = _known_endpoints(preset, tenant)
    authorization, token = (
        fill(text, at_preset, name=name, findings=findings) if provider is not None and is_used else text
        for name, text, at_preset, is_used in (
            ("authorization_endpoint", written.authorization_endpoint, known[0], needs_person),
            ("token_endpoint", written.token_endpoint, known[1], True),
        )
    )
    is_own_mailbox = _is_own_mailbox(purpose.shared_mailbox, username)
    scopes = _scopes(
        written,
        provider=provider,
        preset=_preset_scopes(preset, purpose, cloud, is_own_mailbox=is_own_mailbox, grant_type=grant_type),
        issuer=issuer,
        needs_person=needs_person,
        findings=findings,
    )
    if not is_google_graph:
        check_belonging(endpoints, provider=provider, cloud=cloud, findings=findings)
        check_servers(purpose, issuer=issuer, cloud=cloud, findings=findings)
        if scopes is not None and _is_microsoft_app(grant_type, issuer):
            require_app_scopes(scopes, purpose=purpose, cloud=cloud, findings=findings)
        elif scopes is not None and is_known_there:
            require_scopes(
                scopes,
                issuer=issuer,
                purpose=purpose,
                cloud=cloud,
                from_own_mailbox=is_own_mailbox,
                findings=findings,
            )
    redirect_url = (
        findings.take(parse_redirect_url(written.redirect_url, field=f"{PREFIX}.redirect_url", provider=issuer))
        if written.redirect_url
        else ""
    )
    expire_time = parse_expire_time(written.client_secret_expire_time, now=now, findings=findings)
    account = (
        account_of_key(written, stored=stored, findings=findings)
        if grant_type is GrantType.JWT_BEARER and is_known_there
        else ""
    )
    client_id = findings.take(
        parse_line(account or written.client_id, field=f"{PREFIX}.client_id", what="The client ID")
    )
    secret = parse_client_secret(
        written,
        client_id=client_id,
        token_endpoint=token,
        grant_type=grant_type,
        stored=stored,
        findings=findings,
    )
    if provider is None or client_id is None or username is None or secret is None:
        return None
    if scopes is None or redirect_url is None:
        return None
    return OAuthAuthentication(
        provider=provider,
        client_id=client_id,
        client_secret=secret,
        client_secret_expire_time=expire_time,
        authorization_endpoint=authorization,
        token_endpoint=token,
        revocation_endpoint=fill_revocation(written, endpoints, preset) if needs_person else "",
        scopes=scopes,
        username=username,
        redirect_url=redirect_url,
        directory_tenant=tenant,
        grant_type=grant_type,
    )


def _provider(text: str, findings: Findings) -> OAuthProvider | None:
    if not text:
        findings.refuse(
            f"{PREFIX}.provider",
            Reason.FIELD_REQUIRED,
            "The OAuth provider is missing.",
            "Choose GOOGLE, MICROSOFT, or CUSTOM with endpoints of your own.",
        )
        return None
    return findings.take(parse_choice(text, OAuthProvider, field=f"{PREFIX}.provider"))


def _preset(provider: OAuthProvider | None, cloud: MicrosoftCloud) -> OAuthPreset | None:
    if provider is OAuthProvider.MICROSOFT:
        return cloud.oauth()
    return GOOGLE.oauth if provider is OAuthProvider.GOOGLE else None


def _known_endpoints(preset: OAuthPreset | None, tenant: str) -> tuple[str, str]:
    if preset is None:
        return "", ""
    directory = tenant or "common"
    return (
        preset.authorization_endpoint.replace("{directory_tenant}", directory),
        preset.token_endpoint.replace("{directory_tenant}", directory),
    )


def _is_microsoft_app(grant_type: GrantType, issuer: OAuthProvider | None) -> bool:
    return grant_type is GrantType.CLIENT_CREDENTIALS and issuer is OAuthProvider.MICROSOFT


def _preset_scopes(
    preset: OAuthPreset | None,
    purpose: Purpose,
    cloud: MicrosoftCloud,
    *,
    is_own_mailbox: bool,
    grant_type: GrantType,
) -> tuple[str, ...]:
    if preset is None:
        return ()
    if _is_microsoft_app(grant_type, preset.provider):
        return app_scopes(purpose, cloud)
    communication = purpose.communication or CommunicationType.SMTP
    scopes = preset.scopes(communication=communication, mailbox=purpose.reads_mailbox)
    if not grant_type.needs_person:
        return tuple(scope for scope in scopes if scope not in RESERVED)
    if is_own_mailbox:
        return scopes
    shared = {cloud.graph_scope(GRAPH_SEND): cloud.graph_scope(GRAPH_SEND_SHARED)}
    return tuple(shared.get(scope, scope) for scope in scopes)


def _scopes(
    written: WrittenOAuth,
    *,
    provider: OAuthProvider | None,
    preset: tuple[str, ...],
    issuer: OAuthProvider | None,
    needs_person: bool,
    findings: Findings,
) -> tuple[str, ...] | None:
    """Returns the scopes; without a provider nobody can tell whether empty ones are wrong."""
    if provider is None and not written.scopes:
        return None
    return parse_scopes(written.scopes, preset=preset, issuer=issuer, needs_person=needs_person, findings=findings)


def _username(text: str, issuer: OAuthProvider | None) -> str | Violation:
    field = f"{PREFIX}.username"
    line = parse_line(text, field=field, what="The user name")
    if isinstance(line, Violation) or issuer is None:
        return line
    address = parse_address(line, field=field)
    return address if isinstance(address, Violation) else line


def _is_own_mailbox(shared_mailbox: str, username: str | None) -> bool:
    if not shared_mailbox:
        return True
    mailbox, account = (parse_address(text, field="") for text in (shared_mailbox, username or ""))
    if isinstance(mailbox, EmailAddress) and isinstance(account, EmailAddress):
        return mailbox.same_account(account)
    return False
