"""What a caller wrote becomes MailSettings, or every Violation at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.address import parse_address
from domain.errors import ConfigInvalid, Warning
from domain.host import Host
from domain.providers.preset import CommunicationType
from domain.reasons import Reason
from domain.settings.advice import advise
from domain.settings.basic import parse_basic
from domain.settings.connection import refuse_plaintext_credentials
from domain.settings.findings import Findings
from domain.settings.graph import parse_graph, refuse_google, written_base_host
from domain.settings.limits import parse_limits
from domain.settings.mailbox import parse_mailbox
from domain.settings.model import (
    BasicAuthentication,
    GraphTransport,
    MailboxSettings,
    MailSettings,
    OAuthAuthentication,
    SmtpTransport,
)
from domain.settings.oauth import parse_oauth
from domain.settings.purpose import Purpose
from domain.settings.sender import (
    parse_allowed_from,
    parse_data_center,
    parse_data_center_policy,
    parse_from_name,
)
from domain.settings.smtp import PREFIX as SMTP
from domain.settings.smtp import parse_smtp
from domain.settings.written import WrittenBasic, WrittenGraph, WrittenOAuth, WrittenSettings, WrittenSmtp

_COMMUNICATION: Final = {WrittenSmtp: CommunicationType.SMTP, WrittenGraph: CommunicationType.GRAPH}


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsRules:
    """What the operator of this mailport decided about settings."""

    plaintext_hosts: frozenset[str] = frozenset()
    """Hosts to which credentials may go without TLS, written as `Host.name` is: lower case, no brackets."""
    data_centers: tuple[str, ...] = ()
    """All that exist, in order of preference."""


@dataclass(frozen=True, slots=True)
class ParsedSettings:
    """Settings that keep every rule, and what may still bite."""

    settings: MailSettings
    warnings: tuple[Warning, ...]


def parse_settings(
    written: WrittenSettings, *, stored: MailSettings | None, rules: SettingsRules, now: datetime
) -> ParsedSettings:
    """
    Returns the settings that *written* stands for, defaults and presets filled in.

    Secrets left unset are those of *stored* while the account they belong to is unchanged. *now* is an aware time and
    serves the warnings alone. Raises ConfigInvalid with every violation at once, and nothing else.
    """
    findings = Findings()
    parsed = _Parse(written, stored, rules, now, findings).run()
    if parsed is None or findings.violations:
        raise ConfigInvalid(findings.violations)
    advise(parsed, now=now, findings=findings)
    return ParsedSettings(parsed, tuple(dict.fromkeys(findings.warnings)))


class _Parse:
    """One pass over the settings: sender, transport, mailbox, authentication."""

    def __init__(
        self,
        written: WrittenSettings,
        stored: MailSettings | None,
        rules: SettingsRules,
        now: datetime,
        findings: Findings,
    ) -> None:
        self._written = written
        self._stored = stored
        self._rules = rules
        self._now = now
        self._findings = findings

    def run(self) -> MailSettings | None:
        written, findings = self._written, self._findings
        from_address = findings.take(parse_address(written.from_address, field="settings.from_address"))
        from_name = parse_from_name(written.from_name, findings=findings)
        allowed_from = parse_allowed_from(written.allowed_from, findings=findings)
        transport, smtp_host = self._smtp()
        mailbox, mailbox_host = self._mailbox()
        purpose = self._purpose(smtp_host, mailbox_host)
        if isinstance(written.transport, WrittenGraph):
            transport = self._graph(written.transport, purpose)
        authentication = self._authentication(smtp_host, purpose)
        data_center = parse_data_center(written.data_center, self._rules.data_centers, findings=findings)
        limits = parse_limits(written.limits, findings=findings)
        policy = parse_data_center_policy(written.data_center_policy, data_center=data_center, findings=findings)
        if from_address is None or transport is None:
            return None
        return MailSettings(
            from_address=from_address,
            from_name=from_name,
            allowed_from=allowed_from,
            transport=transport,
            authentication=authentication,
            mailbox=mailbox,
            data_center=data_center,
            data_center_policy=policy,
            limits=limits,
        )

    def _smtp(self) -> tuple[SmtpTransport | GraphTransport | None, Host | None]:
        written, findings = self._written, self._findings
        if written.transport is None:
            findings.refuse(
                "settings.transport",
                Reason.FIELD_REQUIRED,
                "The settings say nothing about how mail leaves.",
                "Set settings.smtp, or settings.graph for Microsoft's API.",
            )
        if not isinstance(written.transport, WrittenSmtp):
            return None, None
        transport, connection = parse_smtp(written.transport, findings=findings)
        if written.authentication is not None:
            refuse_plaintext_credentials(connection, self._rules.plaintext_hosts, prefix=SMTP, findings=findings)
        return transport, connection.host

    def _mailbox(self) -> tuple[MailboxSettings | None, Host | None]:
        written = self._written
        if written.mailbox is None:
            return None, None
        mailbox, connection = parse_mailbox(
            written.mailbox,
            has_oauth=isinstance(written.authentication, WrittenOAuth),
            stored=self._stored,
            plaintext_hosts=self._rules.plaintext_hosts,
            findings=self._findings,
        )
        return mailbox, connection.host if written.mailbox.use_oauth else None

    def _purpose(self, smtp_host: Host | None, mailbox_host: Host | None) -> Purpose:
        transport, mailbox = self._written.transport, self._written.mailbox
        return Purpose(
            communication=_COMMUNICATION[type(transport)] if transport is not None else None,
            transport_host=written_base_host(transport) if isinstance(transport, WrittenGraph) else smtp_host,
            mailbox_host=mailbox_host,
            reads_mailbox=mailbox is not None and mailbox.use_oauth,
            shared_mailbox=transport.mailbox if isinstance(transport, WrittenGraph) else "",
        )

    def _graph(self, graph: WrittenGraph, purpose: Purpose) -> GraphTransport | None:
        return parse_graph(
            graph,
            authentication=self._written.authentication,
            purpose=purpose,
            plaintext_hosts=self._rules.plaintext_hosts,
            findings=self._findings,
        )

    def _authentication(
        self, smtp_host: Host | None, purpose: Purpose
    ) -> BasicAuthentication | OAuthAuthentication | None:
        transport, authentication = self._written.transport, self._written.authentication
        if isinstance(authentication, WrittenBasic) and not isinstance(transport, WrittenGraph):
            return parse_basic(authentication, host=smtp_host, stored=self._stored, findings=self._findings)
        if not isinstance(authentication, WrittenOAuth):
            return None
        is_google_graph = isinstance(transport, WrittenGraph) and refuse_google(
            transport, authentication, findings=self._findings
        )
        return parse_oauth(
            authentication,
            purpose=purpose,
            is_google_graph=is_google_graph,
            stored=self._stored,
            now=self._now,
            findings=self._findings,
        )
