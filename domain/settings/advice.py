"""Warnings that take several settings to see: passwords that providers no longer take, senders they replace."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from domain.address import EmailAddress, parse_address
from domain.host import Host
from domain.providers import oauth_provider_of, preset_for_host
from domain.providers.google import GOOGLE
from domain.providers.microsoft import MICROSOFT
from domain.providers.preset import OAuthProvider, PasswordKind
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.findings import Findings
from domain.settings.model import BasicAuthentication, GraphTransport, MailSettings, SmtpTransport

_APP_PASSWORD: Final = re.compile(r"[A-Za-z]{16}")


def advise(settings: MailSettings, *, now: datetime, findings: Findings) -> None:
    """Adds the warnings about whole, valid settings."""
    transport, authentication = settings.transport, settings.authentication
    if isinstance(authentication, BasicAuthentication) and isinstance(transport, SmtpTransport):
        _on_smtp_password(transport.host, authentication.password, now=now, findings=findings)
    if settings.mailbox is not None and settings.mailbox.password is not None:
        _on_mailbox_password(settings.mailbox.host, settings.mailbox.password, findings=findings)
    _on_sender(settings, findings=findings)


def _on_smtp_password(host: Host, password: Secret, *, now: datetime, findings: Findings) -> None:
    preset = preset_for_host(host)
    if preset is None and oauth_provider_of(host) is OAuthProvider.MICROSOFT:
        preset = MICROSOFT  # a host of its clouds that is not among those documented for submission
    if preset is None or preset.passwords_end is None:
        _on_app_password(host, password, field="settings.basic.password", findings=findings)
        return
    findings.warn(
        "settings.basic",
        Reason.BASIC_AUTHENTICATION_RETIRED,
        preset.passwords_end.told(now=now),
        preset.passwords_end.instead,
    )


def _on_mailbox_password(host: Host, password: Secret, *, findings: Findings) -> None:
    field = "settings.mailbox.password"
    if oauth_provider_of(host) is OAuthProvider.MICROSOFT:
        findings.warn(
            field,
            Reason.BASIC_AUTHENTICATION_RETIRED,
            "Microsoft has taken no passwords for IMAP since 2023, for personal accounts since 2024.",
            "Set settings.oauth with the provider MICROSOFT, and use_oauth for the mailbox.",
        )
    else:
        _on_app_password(host, password, field=field, findings=findings)


def _on_app_password(host: Host, password: Secret, *, field: str, findings: Findings) -> None:
    preset = preset_for_host(host)
    if preset is None or preset.password_kind is not PasswordKind.APP:
        return
    message = f"{preset.display_name} takes app passwords only, never the account's own."
    remedy = "Make an app password in the account's security settings and enter it here."
    if preset is GOOGLE:
        message, remedy = _google_words(password.reveal(), message, remedy)
    findings.warn(field, Reason.APP_PASSWORD_NEEDED, message, remedy)


def _google_words(password: str, message: str, remedy: str) -> tuple[str, str]:
    """Judges the shape alone; a secret is never altered."""
    if _APP_PASSWORD.fullmatch(password):
        return f"{message} It ends when the account's password is changed.", "Use OAuth to be independent of that."
    if _APP_PASSWORD.fullmatch("".join(password.split())):
        return "Google's app passwords have 16 letters; the blanks they are shown with are not part of them.", (
            "Enter the app password without blanks."
        )
    return f"{message} This is none: an app password has 16 letters.", remedy


def _on_sender(settings: MailSettings, *, findings: Findings) -> None:
    account = _account(settings)
    if account is None or settings.allowed_from or settings.from_address.same_account(account):
        return
    findings.warn(
        "settings.from_address",
        Reason.FROM_ADDRESS_NOT_ACCOUNT,
        f"{settings.from_address} is not the account that signs in ({account}): many providers refuse such a sender, "
        "or put the account's own address in its place.",
        "Use the account's address, or make sure that the account may send as this one.",
    )


def _account(settings: MailSettings) -> EmailAddress | None:
    """Returns the address that the provider knows the sender by, or None when nothing tells it."""
    transport, authentication = settings.transport, settings.authentication
    if isinstance(transport, GraphTransport) and transport.mailbox is not None:
        return transport.mailbox
    if authentication is None or (isinstance(transport, SmtpTransport) and _is_relay(transport.host)):
        return None
    account = parse_address(authentication.username, field="")
    return account if isinstance(account, EmailAddress) else None


def _is_relay(host: Host) -> bool:
    preset = preset_for_host(host)
    return preset is not None and preset.is_relay
