"""Microsoft: Exchange Online in its clouds, and personal accounts (provider pages as of 2026-11)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from domain.providers.preset import (
    CommunicationType,
    Limits,
    OAuthPreset,
    OAuthProvider,
    PasswordKind,
    PasswordsEnd,
    ProviderPreset,
    ServerEndpoint,
    imaps,
    starttls,
)

OFFLINE_ACCESS: Final = "offline_access"
"""Without it no refresh token is issued."""
SMTP_PERMISSION: Final = "SMTP.Send"
IMAP_PERMISSION: Final = "IMAP.AccessAsUser.All"
GRAPH_SEND: Final = "Mail.Send"
GRAPH_SEND_SHARED: Final = "Mail.Send.Shared"
GRAPH_WRITE: Final = "Mail.ReadWrite"
"""For files that one request does not take: they go by a draft."""
GRAPH_WRITE_SHARED: Final = "Mail.ReadWrite.Shared"
DEFAULT_PERMISSION: Final = ".default"
"""All that an administrator granted the app at the resource: the one scope of client credentials."""
REQUESTS_AT_ONCE: Final = 4
"""
Through Graph for one mailbox: above it "Application is over its MailboxConcurrency limit" is said.

Microsoft's pages disagree on whether each app is counted apart (Graph throttling limits, seen 2026-11); for the mailbox
as a whole is what holds either way.
"""
PERSONAL_SMTP_HOST: Final = "smtp-mail.outlook.com"


@dataclass(frozen=True, slots=True)
class MicrosoftCloud:
    """One cloud: apps are registered in it, and its tokens are worthless in another."""

    name: str
    login_hosts: tuple[str, ...]
    """The first is the present one."""
    graph_host: str
    mail_hosts: tuple[str, ...]
    outlook_hosts: tuple[str, ...]
    """What an Exchange scope may begin with, after ``https://``; the first is the one Microsoft writes."""

    @property
    def graph_base_url(self) -> str:
        """Returns the root of Graph, without a trailing slash."""
        return f"https://{self.graph_host}"

    def outlook_scope(self, permission: str) -> str:
        """Returns an Exchange permission in full, e.g. ``https://outlook.office.com/SMTP.Send``."""
        return f"https://{self.outlook_hosts[0]}/{permission}"

    @property
    def app_outlook_scope(self) -> str:
        """Returns the Exchange scope of an app on its own; Microsoft writes it with the mail servers' host."""
        return f"https://{self.outlook_hosts[-1]}/{DEFAULT_PERMISSION}"

    def graph_scope(self, permission: str) -> str:
        """Returns a Graph permission in full, e.g. ``https://graph.microsoft.com/Mail.Send``."""
        return f"https://{self.graph_host}/{permission}"

    def oauth(self) -> OAuthPreset:
        """Returns the cloud's endpoints and scopes; Microsoft has no revocation endpoint (RFC 7009)."""
        login = f"https://{self.login_hosts[0]}/{{directory_tenant}}/oauth2/v2.0"
        return OAuthPreset(
            provider=OAuthProvider.MICROSOFT,
            authorization_endpoint=f"{login}/authorize",
            token_endpoint=f"{login}/token",
            smtp_scopes=(self.outlook_scope(SMTP_PERMISSION),),
            graph_scopes=(self.graph_scope(GRAPH_SEND),),
            mailbox_scopes=(self.outlook_scope(IMAP_PERMISSION),),
            common_scopes=(OFFLINE_ACCESS, "openid", "profile", "email"),
        )

    def has(self, host: str) -> bool:
        """Tells whether *host* (lower case) belongs to the cloud."""
        return host in (*self.login_hosts, self.graph_host, *self.mail_hosts, *self.outlook_hosts)


WORLDWIDE: Final = MicrosoftCloud(
    name="worldwide",
    login_hosts=("login.microsoftonline.com", "login.windows.net", "login.live.com"),
    graph_host="graph.microsoft.com",
    mail_hosts=(
        "smtp.office365.com",
        "smtp-legacy.office365.com",
        "outlook.office365.com",
        PERSONAL_SMTP_HOST,
        "imap-mail.outlook.com",
    ),
    outlook_hosts=("outlook.office.com", "outlook.office365.com"),
)
GCC_HIGH: Final = MicrosoftCloud(
    name="US Government GCC High",
    login_hosts=("login.microsoftonline.us",),
    graph_host="graph.microsoft.us",
    mail_hosts=("smtp.office365.us",),
    outlook_hosts=("outlook.office365.us",),
)
DOD: Final = MicrosoftCloud(
    name="US Government DoD",
    login_hosts=("login.microsoftonline.us",),
    graph_host="dod-graph.microsoft.us",
    mail_hosts=("outlook-dod.office365.us",),
    outlook_hosts=("outlook.office365.us", "outlook-dod.office365.us"),
)
CHINA: Final = MicrosoftCloud(
    name="China (21Vianet)",
    login_hosts=("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
    graph_host="microsoftgraph.chinacloudapi.cn",
    mail_hosts=("smtp.partner.outlook.cn",),
    outlook_hosts=("partner.outlook.cn",),
)
CLOUDS: Final = (WORLDWIDE, GCC_HIGH, DOD, CHINA)
"""In the order in which a shared host is given to one: the US sign-in host to GCC High."""

_LIMITS: Final = Limits(
    messages_per_minute=30,
    recipients_per_message=500,
    recipients_per_day=10_000,
    message_size_bytes=35_000_000,
    connections=3,
)
_NOTES: Final = (
    "SMTP AUTH must be switched on for the organisation and the mailbox, also for OAuth; Graph needs neither.",
    "Port 465 is not served.",
    "Sent mail is filed in Sent Items by Exchange itself.",
)


def cloud_of(host: str) -> MicrosoftCloud | None:
    """Returns the cloud that *host* (lower case) belongs to, or None when it is none of Microsoft's."""
    return next((cloud for cloud in CLOUDS if cloud.has(host)), None)


_SPF: Final = "spf.protection.outlook.com"
_OAUTH_INSTEAD: Final = "Use settings.oauth with the provider MICROSOFT."
_PASSWORDS_END: Final = PasswordsEnd(
    # Off by default from the end of December 2026 on (Exchange Team, 27 January 2026).
    time=datetime(2027, 1, 1, tzinfo=UTC),
    ahead="Exchange Online switches passwords for SMTP off by default at the end of December 2026; "
    "the second half of 2027 brings the date of their final removal.",
    gone_by="Exchange Online has had passwords for SMTP off by default since the end of December 2026; "
    "the second half of 2027 brings the date of their final removal.",
    instead=_OAUTH_INSTEAD,
)


def _exchange(
    provider_id: str,
    cloud: MicrosoftCloud,
    display_name: str,
    *,
    smtp: tuple[ServerEndpoint, ...],
    imap: str,
    spf: str = _SPF,
    notes: tuple[str, ...] = (),
) -> ProviderPreset:
    return ProviderPreset(
        provider_id=provider_id,
        display_name=display_name,
        smtp_endpoints=smtp,
        imap_endpoint=imaps(imap),
        password_kind=PasswordKind.RETIRED,
        sign_in_hint="The full address, with OAuth; passwords end for SMTP and have ended for IMAP.",
        communication_types=(CommunicationType.SMTP, CommunicationType.GRAPH),
        oauth=cloud.oauth(),
        graph_base_url=cloud.graph_base_url,
        limits=_LIMITS,
        spf_domains=(spf,),
        passwords_end=_PASSWORDS_END,
        notes=(*_NOTES, *notes),
    )


MICROSOFT: Final = _exchange(
    "microsoft",
    WORLDWIDE,
    "Microsoft 365 (Exchange Online)",
    smtp=(*starttls("smtp.office365.com", 587, 25), *starttls("smtp-legacy.office365.com", 587)),
    imap="outlook.office365.com",
)
MICROSOFT_GCC_HIGH: Final = _exchange(
    "microsoft-gcc-high",
    GCC_HIGH,
    "Microsoft 365 US Government GCC High",
    smtp=starttls("smtp.office365.us", 587, 25),
    imap="outlook.office365.us",
    spf="spf.protection.office365.us",
)
MICROSOFT_DOD: Final = _exchange(
    "microsoft-dod",
    DOD,
    "Microsoft 365 US Government DoD",
    smtp=starttls("outlook-dod.office365.us", 587, 25),
    imap="outlook-dod.office365.us",
    spf="spf.protection.office365.us",
    notes=("The SMTP host and the scope host of this cloud are unconfirmed.",),
)
MICROSOFT_CHINA: Final = _exchange(
    "microsoft-china",
    CHINA,
    "Microsoft 365 China (21Vianet)",
    smtp=(*starttls("partner.outlook.cn", 587, 25), *starttls("smtp.partner.outlook.cn", 587, 25)),
    imap="partner.outlook.cn",
    spf="spf.protection.partner.outlook.cn",
    notes=("Which of the two SMTP hosts is meant for submission is unconfirmed.",),
)
MICROSOFT_PERSONAL: Final = ProviderPreset(
    provider_id="microsoft-personal",
    display_name="Outlook.com (Hotmail, Live, MSN)",
    smtp_endpoints=starttls(PERSONAL_SMTP_HOST),
    imap_endpoint=imaps("outlook.office365.com"),
    password_kind=PasswordKind.RETIRED,
    sign_in_hint="The full address, with OAuth; passwords ended on 16 September 2024, app passwords included.",
    communication_types=(CommunicationType.SMTP, CommunicationType.GRAPH),
    oauth=WORLDWIDE.oauth(),
    graph_base_url=WORLDWIDE.graph_base_url,
    limits=Limits(recipients_per_message=500, recipients_per_day=5_000),
    spf_domains=(_SPF,),
    passwords_end=PasswordsEnd(
        time=datetime(2024, 9, 16, tzinfo=UTC),
        ahead="Outlook.com takes no passwords from 16 September 2024 on, app passwords neither.",
        gone_by="Outlook.com has taken no passwords since 16 September 2024, app passwords neither.",
        instead=_OAUTH_INSTEAD,
    ),
    notes=(
        "The directory tenant is consumers or common.",
        "The limits are unconfirmed, and lower for new accounts.",
    ),
)
MICROSOFT_PRESETS: Final = (MICROSOFT, MICROSOFT_PERSONAL, MICROSOFT_GCC_HIGH, MICROSOFT_DOD, MICROSOFT_CHINA)
