"""What a caller wrote about its mail settings: plain values that may be wrong, in the words of the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.secret import Secret


@dataclass(frozen=True, slots=True)
class WrittenSmtp:
    host: str = ""
    port: int = 0
    security: str = ""
    """A ConnectionSecurity's value, or empty for the port's usual one."""
    minimum_tls_version: str = ""
    ca_certificates: str = ""
    ehlo_name: str = ""


@dataclass(frozen=True, slots=True)
class WrittenGraph:
    base_url: str = ""
    mailbox: str = ""
    save_to_sent_items: bool | None = None


@dataclass(frozen=True, slots=True)
class WrittenBasic:
    username: str = ""
    password: Secret | None = None
    """None: keep the stored one."""


@dataclass(frozen=True, slots=True)
class WrittenOAuth:
    provider: str = ""
    """An OAuthProvider's value, or empty."""
    client_id: str = ""
    client_secret: Secret | None = None
    """None: keep the stored one."""
    client_secret_expire_time: datetime | None = None
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    revocation_endpoint: str = ""
    scopes: tuple[str, ...] = ()
    username: str = ""
    redirect_url: str = ""
    directory_tenant: str = ""
    grant_type: str = ""
    """A GrantType's value, or empty for AUTHORIZATION_CODE."""


@dataclass(frozen=True, slots=True)
class WrittenMailbox:
    email: str = ""
    host: str = ""
    port: int = 0
    security: str = ""
    password: Secret | None = None
    use_oauth: bool = False
    minimum_tls_version: str = ""
    ca_certificates: str = ""


@dataclass(frozen=True, slots=True)
class WrittenLimits:
    """Limits as a caller wrote them, see `domain.limits.AccountLimits`; zero: the provider's."""

    max_connections: int = 0
    messages_per_minute: int = 0
    messages_per_day: int = 0
    recipients_per_day: int = 0


@dataclass(frozen=True, slots=True)
class WrittenSettings:
    """The settings as written; `domain.settings.parse` makes MailSettings of them or names every violation."""

    from_address: str = ""
    from_name: str = ""
    allowed_from: tuple[str, ...] = ()
    data_center: str = ""
    data_center_policy: str = ""
    transport: WrittenSmtp | WrittenGraph | None = None
    authentication: WrittenBasic | WrittenOAuth | None = None
    mailbox: WrittenMailbox | None = None
    limits: WrittenLimits | None = None
