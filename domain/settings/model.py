"""Mail settings that cannot be wrong: built by `domain.settings.parse`, or by a repository from its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.address import EmailAddress, Host
from domain.connection import ConnectionSecurity, TlsVersion
from domain.limits import AccountLimits
from domain.providers.preset import OAuthProvider
from domain.secret import Secret, UnreadableSecret

__all__ = [
    "AccountLimits",
    "BasicAuthentication",
    "ConnectionSecurity",
    "DataCenterPolicy",
    "GrantType",
    "GraphTransport",
    "MailSettings",
    "MailboxSettings",
    "OAuthAuthentication",
    "OAuthProvider",
    "SmtpTransport",
    "TlsVersion",
    "unreadable_secrets",
]

_PRESETS: Final = AccountLimits()


class DataCenterPolicy(StrEnum):
    """What happens when the wanted data center has no live worker."""

    PREFERRED = "PREFERRED"
    """Another one takes over, and the result says so."""
    STRICT = "STRICT"
    """The mail waits."""


@dataclass(frozen=True, slots=True)
class SmtpTransport:
    """Submission to a mail server (RFC 6409)."""

    host: Host
    port: int
    security: ConnectionSecurity
    minimum_tls_version: TlsVersion = TlsVersion.TLS_1_2
    ca_certificates: str = ""
    """PEM of the CAs trusted for this server besides nothing else; empty: the system's."""
    ehlo_name: str = ""
    """What to greet with (RFC 5321 section 4.1.1.1); empty: the process's own host name, else an address literal."""


@dataclass(frozen=True, slots=True)
class GraphTransport:
    """Microsoft Graph, the "API" communication type."""

    base_url: str
    """Root of the cloud, e.g. ``https://graph.microsoft.com``, without a trailing slash."""
    mailbox: EmailAddress | None = None
    """Shared mailbox to send from; None: the consenting user."""
    save_to_sent_items: bool = True


@dataclass(frozen=True, slots=True)
class BasicAuthentication:
    """A user name and a password (SASL PLAIN or LOGIN, whatever the server offers)."""

    username: str
    password: Secret


class GrantType(StrEnum):
    """How the client comes by its tokens (RFC 6749 section 1.3)."""

    AUTHORIZATION_CODE = "AUTHORIZATION_CODE"
    """A person consents once, in a browser; a refresh token carries on."""
    CLIENT_CREDENTIALS = "CLIENT_CREDENTIALS"
    """The client stands for itself (RFC 6749 section 4.4), as Microsoft's app-only access."""
    JWT_BEARER = "JWT_BEARER"
    """A signed assertion (RFC 7523), as Google's service accounts with domain-wide delegation."""

    @property
    def needs_person(self) -> bool:
        """Tells whether somebody has to consent in a browser."""
        return self is GrantType.AUTHORIZATION_CODE


@dataclass(frozen=True, slots=True)
class OAuthAuthentication:
    """An OAuth client and the account that consents (RFC 6749)."""

    provider: OAuthProvider
    client_id: str
    client_secret: Secret
    authorization_endpoint: str
    token_endpoint: str
    scopes: tuple[str, ...]
    username: str
    revocation_endpoint: str = ""
    client_secret_expire_time: datetime | None = None
    redirect_url: str = ""
    directory_tenant: str = ""
    """Microsoft only: ``common``, ``organizations``, ``consumers``, a GUID or a verified domain."""
    grant_type: GrantType = GrantType.AUTHORIZATION_CODE


@dataclass(frozen=True, slots=True)
class MailboxSettings:
    """The "Email box": a mailbox read over IMAP."""

    email: EmailAddress
    host: Host
    port: int
    security: ConnectionSecurity
    password: Secret | None = None
    """None when `use_oauth`."""
    use_oauth: bool = False
    minimum_tls_version: TlsVersion = TlsVersion.TLS_1_2
    ca_certificates: str = ""
    """PEM of the CAs trusted for this server besides nothing else; empty: the system's."""


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Everything one configuration sends and reads with."""

    from_address: EmailAddress
    transport: SmtpTransport | GraphTransport
    authentication: BasicAuthentication | OAuthAuthentication | None = None
    """None: a server that needs no authentication."""
    from_name: str = ""
    allowed_from: tuple[EmailAddress, ...] = ()
    """Further addresses that a message may carry in From."""
    data_center: str = ""
    """Empty: any."""
    data_center_policy: DataCenterPolicy = DataCenterPolicy.PREFERRED
    mailbox: MailboxSettings | None = None
    limits: AccountLimits = _PRESETS
    """As set; what is None is the provider's, see `domain.settings.limits.limits_of`."""


def unreadable_secrets(settings: MailSettings) -> tuple[str, ...]:
    """Names the secrets that were stored and do not open any more, e.g. ``settings.basic.password``."""
    paths: list[str] = []
    match settings.authentication:
        case BasicAuthentication(password=UnreadableSecret()):
            paths.append("settings.basic.password")
        case OAuthAuthentication(client_secret=UnreadableSecret()):
            paths.append("settings.oauth.client_secret")
    if settings.mailbox is not None and isinstance(settings.mailbox.password, UnreadableSecret):
        paths.append("settings.mailbox.password")
    return tuple(paths)
