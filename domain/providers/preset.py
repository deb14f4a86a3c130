"""The shape of what is known of a mail provider: servers, sign-in, OAuth endpoints, scopes, limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.connection import ConnectionSecurity


class OAuthProvider(StrEnum):
    """Whose consent; presets fill what is left empty for all but CUSTOM."""

    GOOGLE = "GOOGLE"
    MICROSOFT = "MICROSOFT"
    CUSTOM = "CUSTOM"


class CommunicationType(StrEnum):
    """The way mail leaves."""

    SMTP = "SMTP"
    GRAPH = "GRAPH"
    """Microsoft Graph, shown as "API"."""


class PasswordKind(StrEnum):
    """What a provider wants in the password field."""

    ACCOUNT = "ACCOUNT"
    """The account's own password, or an app password where the account has a second factor."""
    APP = "APP"
    """A password made for one program; the account's own is refused."""
    KEY = "KEY"
    """An API key, or a credential derived from one."""
    RETIRED = "RETIRED"
    """No password at all, or soon none: OAuth is the method."""


@dataclass(frozen=True, slots=True)
class ServerEndpoint:
    """A mail server to propose."""

    host: str
    """Lower-case name; ``{region}`` stands for one of the preset's regions, or for any label when it lists none."""
    port: int
    security: ConnectionSecurity


@dataclass(frozen=True, slots=True)
class Limits:
    """
    A provider's bounds for one account; None: not known.

    They belong to the provider and change without notice. What a provider states in megabytes is taken as so many
    million octets, the stricter reading.
    """

    messages_per_minute: int | None = None
    messages_per_day: int | None = None
    recipients_per_message: int | None = None
    recipients_per_day: int | None = None
    message_size_bytes: int | None = None
    """As sent, encoding included."""
    connections: int | None = None
    """Sessions that may submit at once."""
    mailbox_connections: int | None = None
    """IMAP sessions at once."""


@dataclass(frozen=True, slots=True)
class OAuthPreset:
    """An authorization server (RFC 6749) and the scopes to ask it for."""

    provider: OAuthProvider
    authorization_endpoint: str
    """``{directory_tenant}`` stands for that setting (Microsoft)."""
    token_endpoint: str
    revocation_endpoint: str = ""
    """Empty: there is none (RFC 7009); mailport forgets the grant, and the user removes the application."""
    smtp_scopes: tuple[str, ...] = ()
    graph_scopes: tuple[str, ...] = ()
    mailbox_scopes: tuple[str, ...] = ()
    common_scopes: tuple[str, ...] = ()
    """What any use needs: a refresh token, and to learn who consented."""

    def scopes(self, *, communication: CommunicationType, mailbox: bool) -> tuple[str, ...]:
        """Returns the scopes for these uses, each once, the common ones last."""
        sending = self.graph_scopes if communication is CommunicationType.GRAPH else self.smtp_scopes
        reading = self.mailbox_scopes if mailbox else ()
        return tuple(dict.fromkeys((*sending, *reading, *self.common_scopes)))


@dataclass(frozen=True, slots=True)
class PasswordsEnd:
    """When a provider stops taking passwords for SMTP."""

    time: datetime
    ahead: str
    """What is said before that time, one sentence."""
    gone_by: str
    """What is said from then on."""
    instead: str
    """What to do, one sentence."""

    def told(self, *, now: datetime) -> str:
        """Returns what is to be said at *now*."""
        return self.ahead if now < self.time else self.gone_by


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPreset:
    """One provider, or one cloud of it, as a settings form offers it."""

    provider_id: str
    """Stable and lower case, e.g. ``microsoft-gcc-high``."""
    display_name: str
    smtp_endpoints: tuple[ServerEndpoint, ...]
    """The recommended one first."""
    imap_endpoint: ServerEndpoint | None = None
    password_kind: PasswordKind
    sign_in_hint: str
    """What to enter as user name and password, for a person."""
    communication_types: tuple[CommunicationType, ...] = (CommunicationType.SMTP,)
    """The recommended one first."""
    oauth: OAuthPreset | None = None
    graph_base_url: str = ""
    """Empty: it has no Graph."""
    limits: Limits = field(default_factory=Limits)
    regions: tuple[str, ...] = ()
    """What may stand for ``{region}`` in its hosts; empty: any label."""
    is_relay: bool = False
    """Sends for whole domains, so that the user name says nothing about the from address."""
    spf_domains: tuple[str, ...] = ()
    """Whose SPF records name the hosts that mail leaves by (RFC 7208): the first is what the provider asks customers to
    include. Empty: not known, or beside the point for a relay, which puts a domain of its own into the envelope."""
    passwords_end: PasswordsEnd | None = None
    """None: no end is known."""
    notes: tuple[str, ...] = ()
    """Further things a person should know, one sentence each; what is unconfirmed says so."""

    def serves(self, host: str) -> bool:
        """Tells whether *host* (lower case) is one of the provider's servers."""
        known = self.smtp_endpoints if self.imap_endpoint is None else (*self.smtp_endpoints, self.imap_endpoint)
        return any(self._is_at(endpoint, host) for endpoint in known)

    def smtp_endpoints_at(self, host: str) -> tuple[ServerEndpoint, ...]:
        """Returns what the provider documents for submission at *host* (lower case); empty when it is none of its."""
        return tuple(endpoint for endpoint in self.smtp_endpoints if self._is_at(endpoint, host))

    def _is_at(self, endpoint: ServerEndpoint, host: str) -> bool:
        before, braces, after = endpoint.host.partition("{region}")
        if not braces:
            return endpoint.host == host
        region = "|".join(re.escape(region) for region in self.regions) or "[a-z0-9-]+"
        return re.fullmatch(f"{re.escape(before)}(?:{region}){re.escape(after)}", host) is not None


def starttls(host: str, *ports: int) -> tuple[ServerEndpoint, ...]:
    """Returns an endpoint with STARTTLS for each port, 587 when none is given."""
    return tuple(ServerEndpoint(host, port, ConnectionSecurity.STARTTLS) for port in ports or (587,))


def implicit_tls(host: str, *ports: int) -> tuple[ServerEndpoint, ...]:
    """Returns an endpoint with TLS from the first byte for each port, 465 when none is given."""
    return tuple(ServerEndpoint(host, port, ConnectionSecurity.IMPLICIT_TLS) for port in ports or (465,))


def imaps(host: str) -> ServerEndpoint:
    """Returns the IMAP endpoint on port 993."""
    return ServerEndpoint(host, 993, ConnectionSecurity.IMPLICIT_TLS)
