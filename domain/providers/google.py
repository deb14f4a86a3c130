"""Google: Gmail and Workspace (provider pages as of 2026-11)."""

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

MAIL_SCOPE: Final = "https://mail.google.com/"
"""The only scope that opens SMTP and IMAP; its trailing slash is part of it (Google, "XOAUTH2 mechanism")."""
API_SCOPE_PREFIX: Final = "https://www.googleapis.com/auth/"
"""Scopes of Google's REST APIs, useless for SMTP and IMAP."""
DOMAINS: Final = ("google.com", "googleapis.com", "gmail.com", "googlemail.com")
"""Where Google's mail servers and authorization servers live."""

GOOGLE: Final = ProviderPreset(
    provider_id="google",
    display_name="Google (Gmail, Workspace)",
    smtp_endpoints=(
        *starttls("smtp.gmail.com"),
        *implicit_tls("smtp.gmail.com"),
        *starttls("smtp-relay.gmail.com", 587, 25),
        *implicit_tls("smtp-relay.gmail.com"),
    ),
    imap_endpoint=imaps("imap.gmail.com"),
    password_kind=PasswordKind.APP,
    sign_in_hint="The full address, with OAuth or with an app password of 16 letters; never the account's password.",
    oauth=OAuthPreset(
        provider=OAuthProvider.GOOGLE,
        authorization_endpoint="https://accounts.google.com/o/oauth2/v2/auth",
        token_endpoint="https://oauth2.googleapis.com/token",
        revocation_endpoint="https://oauth2.googleapis.com/revoke",
        smtp_scopes=(MAIL_SCOPE,),
        mailbox_scopes=(MAIL_SCOPE,),
        common_scopes=("openid", "email"),
    ),
    # Personal accounts' bounds, the lower ones: 500 messages and recipients a day. Workspace allows 2,000 and 10,000.
    limits=Limits(
        messages_per_day=500,
        recipients_per_message=100,
        recipients_per_day=500,
        message_size_bytes=35_882_577,
        mailbox_connections=15,
    ),
    spf_domains=("_spf.google.com",),
    notes=(
        "Workspace accounts may send 2,000 messages to 10,000 recipients a day.",
        "A from address that is neither the account nor a verified alias is replaced by it, without an error.",
        "Sent mail is filed by Gmail itself.",
        "The mail scope is restricted: user type Internal spares a company Google's verification.",
    ),
)
