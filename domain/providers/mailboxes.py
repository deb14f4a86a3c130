"""Other providers of mailboxes, as of 2026-11 (nodemailer's services list, email-oauth2-proxy, vendors' help pages)."""

from __future__ import annotations

from typing import Final

from domain.providers.preset import (
    Limits,
    OAuthPreset,
    OAuthProvider,
    PasswordKind,
    ProviderPreset,
    imaps,
    implicit_tls,
    starttls,
)

YAHOO: Final = ProviderPreset(
    provider_id="yahoo",
    display_name="Yahoo Mail",
    smtp_endpoints=(*implicit_tls("smtp.mail.yahoo.com"), *starttls("smtp.mail.yahoo.com")),
    imap_endpoint=imaps("imap.mail.yahoo.com"),
    password_kind=PasswordKind.APP,
    sign_in_hint="The full address and an app password.",
    oauth=OAuthPreset(
        provider=OAuthProvider.CUSTOM,
        authorization_endpoint="https://api.login.yahoo.com/oauth2/request_auth",
        token_endpoint="https://api.login.yahoo.com/oauth2/get_token",
        smtp_scopes=("mail-w",),
        mailbox_scopes=("mail-r",),
    ),
    limits=Limits(),
    spf_domains=("_spf.mail.yahoo.com",),
    notes=(
        "The from address must be the account or a verified alias.",
        "OAuth is for approved partners only; no new mail clients are taken.",
        "About 500 messages or 100 recipients an hour (unconfirmed).",
    ),
)
AOL: Final = ProviderPreset(
    provider_id="aol",
    display_name="AOL Mail",
    smtp_endpoints=(*implicit_tls("smtp.aol.com"), *starttls("smtp.aol.com")),
    imap_endpoint=imaps("imap.aol.com"),
    password_kind=PasswordKind.APP,
    sign_in_hint="The full address and an app password.",
    oauth=OAuthPreset(
        provider=OAuthProvider.CUSTOM,
        authorization_endpoint="https://api.login.aol.com/oauth2/request_auth",
        token_endpoint="https://api.login.aol.com/oauth2/get_token",
        smtp_scopes=("mail-w",),
        mailbox_scopes=("mail-r",),
    ),
    spf_domains=("_spf.mail.yahoo.com",),
    notes=(
        "The from address must be the account or a verified alias.",
        "OAuth is for approved partners only; no new mail clients are taken.",
    ),
)
_ZOHO_REGIONS: Final = (
    "zoho.com",
    "zoho.eu",
    "zoho.in",
    "zoho.com.au",
    "zoho.jp",
    "zoho.sa",
    "zoho.com.cn",
    "zohocloud.ca",
)
ZOHO: Final = ProviderPreset(
    provider_id="zoho",
    display_name="Zoho Mail (personal)",
    smtp_endpoints=(*implicit_tls("smtp.{region}"), *starttls("smtp.{region}")),
    imap_endpoint=imaps("imap.{region}"),
    password_kind=PasswordKind.ACCOUNT,
    sign_in_hint="The full address and the password; an app password where the account has a second factor.",
    limits=Limits(message_size_bytes=53_477_376),
    regions=_ZOHO_REGIONS,
    spf_domains=("zohomail.com", "zoho.com", "zoho.eu", "zoho.in"),
    notes=(
        "The region is the account's data centre, else the server answers 535 Authentication Failed.",
        "IMAP must be switched on for the account.",
        "Zoho's OAuth is for its REST API, not for SMTP or IMAP.",
    ),
)
ZOHO_ORGANISATION: Final = ProviderPreset(
    provider_id="zoho-organisation",
    display_name="Zoho Mail (organisation)",
    smtp_endpoints=(*implicit_tls("smtppro.{region}"), *starttls("smtppro.{region}")),
    imap_endpoint=imaps("imappro.{region}"),
    password_kind=PasswordKind.ACCOUNT,
    sign_in_hint="The full address and the password; an app password where the account has a second factor.",
    limits=Limits(message_size_bytes=53_477_376),
    regions=_ZOHO_REGIONS,
    spf_domains=("zohomail.com", "zoho.com", "zoho.eu", "zoho.in"),
    notes=ZOHO.notes,
)
FASTMAIL: Final = ProviderPreset(
    provider_id="fastmail",
    display_name="Fastmail",
    smtp_endpoints=(*implicit_tls("smtp.fastmail.com"), *starttls("smtp.fastmail.com")),
    imap_endpoint=imaps("imap.fastmail.com"),
    password_kind=PasswordKind.APP,
    sign_in_hint="The full address and an app password.",
    oauth=OAuthPreset(
        provider=OAuthProvider.CUSTOM,
        authorization_endpoint="https://api.fastmail.com/oauth/authorize",
        token_endpoint="https://api.fastmail.com/oauth/refresh",
        smtp_scopes=("https://www.fastmail.com/dev/protocol-smtp",),
        mailbox_scopes=("https://www.fastmail.com/dev/protocol-imap",),
        common_scopes=("offline_access",),
    ),
    spf_domains=("spf.messagingengine.com",),
    notes=("An OAuth client must be registered with Fastmail; its scope offline_access is unconfirmed.",),
)
ICLOUD: Final = ProviderPreset(
    provider_id="icloud",
    display_name="iCloud Mail",
    smtp_endpoints=starttls("smtp.mail.me.com"),
    imap_endpoint=imaps("imap.mail.me.com"),
    password_kind=PasswordKind.APP,
    sign_in_hint="The full address and an app-specific password; for IMAP the part before the @ may be needed.",
    limits=Limits(messages_per_day=1_000, recipients_per_message=500, message_size_bytes=20_000_000),
    spf_domains=("icloud.com",),
    notes=("There is no OAuth, and port 465 is not served.", "The limits are unconfirmed."),
)
GMX: Final = ProviderPreset(
    provider_id="gmx",
    display_name="GMX (international)",
    smtp_endpoints=(*starttls("mail.gmx.com"), *implicit_tls("mail.gmx.com")),
    imap_endpoint=imaps("imap.gmx.com"),
    password_kind=PasswordKind.ACCOUNT,
    sign_in_hint="The full address and the password; an app password where the account has a second factor.",
    notes=("POP3 and IMAP must be switched on in the account's settings first, also for sending.",),
)
GMX_NET: Final = ProviderPreset(
    provider_id="gmx-net",
    display_name="GMX (Germany, Austria, Switzerland)",
    smtp_endpoints=(*starttls("mail.gmx.net"), *implicit_tls("mail.gmx.net")),
    imap_endpoint=imaps("imap.gmx.net"),
    password_kind=PasswordKind.ACCOUNT,
    sign_in_hint="The full address and the password; an app password where the account has a second factor.",
    notes=GMX.notes,
)
_YANDEX_REGIONS: Final = ("com", "ru")
YANDEX: Final = ProviderPreset(
    provider_id="yandex",
    display_name="Yandex Mail",
    smtp_endpoints=implicit_tls("smtp.yandex.{region}"),
    imap_endpoint=imaps("imap.yandex.{region}"),
    password_kind=PasswordKind.APP,
    sign_in_hint="The full address, with an app password or with OAuth.",
    oauth=OAuthPreset(
        provider=OAuthProvider.CUSTOM,
        authorization_endpoint="https://oauth.yandex.com/authorize",
        token_endpoint="https://oauth.yandex.com/token",
        smtp_scopes=("mail:smtp",),
        mailbox_scopes=("mail:imap_full",),
    ),
    regions=_YANDEX_REGIONS,
    spf_domains=("_spf.yandex.net",),
    notes=("Mail programs must be allowed in the account's settings.", "Russian accounts sign in at oauth.yandex.ru."),
)
MAILBOX_PRESETS: Final = (
    YAHOO,
    AOL,
    ZOHO,
    ZOHO_ORGANISATION,
    FASTMAIL,
    ICLOUD,
    GMX,
    GMX_NET,
    YANDEX,
)
