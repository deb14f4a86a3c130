"""Which changes of the settings cure a failure: the catalogue's fitted to the settings, and ways that were tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from domain.connection import ConnectionSecurity
from domain.failures.failure import Failure, Fix, Stage
from domain.grant import issuer_of
from domain.ports.probe import Offer
from domain.providers import preset_for_host
from domain.providers.microsoft import (
    GRAPH_SEND,
    GRAPH_SEND_SHARED,
    GRAPH_WRITE,
    GRAPH_WRITE_SHARED,
    IMAP_PERMISSION,
    OFFLINE_ACCESS,
    SMTP_PERMISSION,
    WORLDWIDE,
    MicrosoftCloud,
    cloud_of,
)
from domain.providers.preset import OAuthProvider
from domain.reasons import Reason
from domain.settings.model import (
    BasicAuthentication,
    GraphTransport,
    MailSettings,
    OAuthAuthentication,
    SmtpTransport,
)
from domain.settings.scopes import RESERVED
from domain.settings.urls import Url, parse_url
from domain.verdict import Report

_SECURITY: Final = "settings.smtp.security"
_PORT: Final = "settings.smtp.port"
_MINIMUM: Final = "settings.smtp.minimum_tls_version"
_GRAPH: Final = "settings.graph"
_SCOPES: Final = "settings.oauth.scopes"
_TENANT: Final = "settings.oauth.directory_tenant"
_GRAPH_PERMISSIONS: Final = {
    name.lower(): name for name in (GRAPH_SEND, GRAPH_SEND_SHARED, GRAPH_WRITE, GRAPH_WRITE_SHARED)
}
_WAY: Final = (_SECURITY, _PORT)
_USUAL: Final = ((587, ConnectionSecurity.STARTTLS), (465, ConnectionSecurity.IMPLICIT_TLS))
"""RFC 6409 section 3.1 and RFC 8314 section 7.3."""
_UNREACHED: Final = frozenset({Reason.CONNECTION_REFUSED, Reason.CONNECTION_TIMED_OUT, Reason.CONNECT_FAILED})
_BROKEN_OFF: Final = frozenset(
    {
        Reason.SERVER_SILENT,
        Reason.CONNECTION_LOST,
        Reason.PROTOCOL_ERROR,
        Reason.REPLY_TOO_LARGE,
        Reason.SERVICE_REFUSED,
        Reason.TLS_FAILED,
    }
)
"""These tell of the way only as long as the server was being greeted and the connection secured."""
_OPENING: Final = frozenset({Stage.EHLO, Stage.TLS})
_OF_THE_WAY: Final = frozenset(
    {
        Reason.TLS_MODE_MISMATCH,
        Reason.STARTTLS_UNAVAILABLE,
        Reason.TLS_REQUIRED,
        Reason.NO_USABLE_AUTH_MECHANISM,
    }
)
_FOR_PASSWORDS: Final = frozenset({"PLAIN", "LOGIN"})
_FOR_TOKENS: Final = frozenset({"XOAUTH2", "OAUTHBEARER"})


def other_ways(failure: Failure, settings: MailSettings) -> tuple[SmtpTransport, ...]:
    """
    Returns the ways to the same host that may work where *failure* was met, the most promising first.

    The same port secured the other way, then the ports that the provider documents, else the usual ones for submission.
    Each is encrypted. None when the failure says nothing about the way.
    """
    smtp = settings.transport
    if not isinstance(smtp, SmtpTransport) or not _is_about_the_way(failure):
        return ()
    preset = preset_for_host(smtp.host)
    known = [(each.port, each.security) for each in preset.smtp_endpoints_at(smtp.host.name)] if preset else _USUAL
    here = () if failure.reason in _UNREACHED else (ConnectionSecurity.STARTTLS, ConnectionSecurity.IMPLICIT_TLS)
    pairs = [*((smtp.port, security) for security in here), *known]
    ways = [replace(smtp, port=port, security=security) for port, security in dict.fromkeys(pairs)]
    return tuple(way for way in ways if way != smtp and way.security is not ConnectionSecurity.NONE)


def _is_about_the_way(failure: Failure) -> bool:
    if failure.stage is Stage.MAILBOX:  # the way to the mailbox, which is another server
        return False
    if failure.reason in _BROKEN_OFF:
        return failure.stage in _OPENING
    return failure.reason in _OF_THE_WAY or failure.reason in _UNREACHED


def with_ways(
    fixes: Iterable[Fix], settings: MailSettings, tried: Sequence[tuple[SmtpTransport, Offer | None]]
) -> tuple[Fix, ...]:
    """
    Returns *fixes* with those of the ways in *tried* at their head that serve, instead of what was only guessed of it.

    A way serves when what the account signs in with is offered on it. A port that speaks the other mode and shows a
    certificate that is not trusted comes last: it is the right mode, and the certificate is the next thing to see to.
    """
    smtp = settings.transport
    assert isinstance(smtp, SmtpTransport)
    good = [way for way, offer in tried if offer is not None and offer.is_trusted and _can_sign_in(settings, offer)]
    untrusted = [way for way, offer in tried if offer is not None and not offer.is_trusted and way.port == smtp.port]
    rest = (fix for fix in fixes if not all(change.field in _WAY for change in fix.changes))
    return (*(_to(way, smtp) for way in good or untrusted), *rest)


def _to(way: SmtpTransport, smtp: SmtpTransport) -> Fix:
    security = Fix(_SECURITY, way.security)
    if way.port == smtp.port:
        return security
    return Fix(_PORT, str(way.port), also=(security,) if way.security is not smtp.security else ())


def _can_sign_in(settings: MailSettings, offer: Offer) -> bool:
    match settings.authentication:
        case None:
            return True
        case BasicAuthentication():
            return not _FOR_PASSWORDS.isdisjoint(offer.mechanisms)
        case OAuthAuthentication():
            return not _FOR_TOKENS.isdisjoint(offer.mechanisms)


def fitted(failure: Failure, settings: MailSettings) -> Failure:
    """
    Returns *failure* with those of its fixes that Configure takes for *settings* and that change them.

    Scopes are those of the cloud that the settings live in, beside the ones that open no mail.
    """
    fixes = [fit for fix in failure.fixes if (fit := _fitted(fix, settings)) is not None]
    return replace(failure, fixes=tuple(fixes)) if tuple(fixes) != failure.fixes else failure


def fitted_report(report: Report, settings: MailSettings) -> Report:
    """Returns *report* with its failures `fitted`; as a rule there are none with fixes, and it is the same one."""
    failures = (report.failure, *(verdict.failure for verdict in report.verdicts))
    if not any(failure is not None and failure.fixes for failure in failures):
        return report
    verdicts = tuple(
        verdict if verdict.failure is None else replace(verdict, failure=fitted(verdict.failure, settings))
        for verdict in report.verdicts
    )
    whole = None if report.failure is None else fitted(report.failure, settings)
    return replace(report, verdicts=verdicts, failure=whole)


def _fitted(fix: Fix, settings: MailSettings) -> Fix | None:
    transport, client = settings.transport, settings.authentication
    if fix.field.startswith("settings.smtp."):
        return fix if isinstance(transport, SmtpTransport) and not _is_set(fix, transport) else None
    if fix.field.startswith("settings.mailbox.") and settings.mailbox is None:
        return None
    if not fix.field.startswith(("settings.oauth.", _GRAPH)):
        return fix
    if not isinstance(client, OAuthAuthentication) or issuer_of(client) is not OAuthProvider.MICROSOFT:
        return None
    if not client.grant_type.needs_person:
        return None  # an app of its own belongs to one directory and has one scope, which is the administrator's
    if fix.field == _TENANT:
        return _to_directory(fix, client)
    scopes = _scopes(fix, settings, client)
    if fix.field == _GRAPH:
        return None if isinstance(transport, GraphTransport) else replace(fix, also=(scopes,))
    return scopes if set(scopes.value.split()) != set(client.scopes) else None


def _is_set(fix: Fix, smtp: SmtpTransport) -> bool:
    present = {_SECURITY: smtp.security, _PORT: smtp.port, _MINIMUM: smtp.minimum_tls_version}
    return all(str(present.get(change.field)) == change.value for change in fix.changes)


def _to_directory(fix: Fix, client: OAuthAuthentication) -> Fix | None:
    """Takes the endpoints along that name the former directory in their path, so that they are filled in anew."""
    if client.directory_tenant == fix.value:
        return None
    endpoints = {
        "settings.oauth.authorization_endpoint": client.authorization_endpoint,
        "settings.oauth.token_endpoint": client.token_endpoint,
    }
    former = f"/{client.directory_tenant}/"
    also = tuple(Fix(field, "") for field, url in endpoints.items() if client.directory_tenant and former in url)
    return replace(fix, also=also)


def _scopes(fix: Fix, settings: MailSettings, client: OAuthAuthentication) -> Fix:
    """Returns the scopes that sending needs by *fix*, written for the cloud; what opens no mail is kept."""
    cloud = _cloud(client)
    to_graph = fix.field == _GRAPH or isinstance(settings.transport, GraphTransport)
    sending = _graph_scopes(fix, cloud) if to_graph else (cloud.outlook_scope(SMTP_PERMISSION),)
    reads = settings.mailbox is not None and settings.mailbox.use_oauth
    reading = (cloud.outlook_scope(IMAP_PERMISSION),) if reads else ()
    kept = (scope for scope in client.scopes if scope.lower() in RESERVED)
    return Fix(_SCOPES, " ".join(dict.fromkeys((*sending, *reading, *kept, OFFLINE_ACCESS))))


def _graph_scopes(fix: Fix, cloud: MicrosoftCloud) -> tuple[str, ...]:
    """Returns Graph's permissions that *fix* names, in full for the cloud; what sending needs where it names none."""
    names = (scope.rpartition("/")[2] for scope in fix.value.split()) if fix.field == _SCOPES else ()
    named = [_GRAPH_PERMISSIONS[name.lower()] for name in names if name.lower() in _GRAPH_PERMISSIONS]
    return tuple(cloud.graph_scope(name) for name in named or [GRAPH_SEND])


def _cloud(client: OAuthAuthentication) -> MicrosoftCloud:
    url = parse_url(client.token_endpoint, field="")
    return (cloud_of(url.host.name) if isinstance(url, Url) else None) or WORLDWIDE
