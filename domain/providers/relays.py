"""Services that send for whole domains, as of 2026-11 (the vendors' SMTP pages); none has mailboxes to read."""

from __future__ import annotations

from typing import Final

from domain.providers.preset import Limits, PasswordKind, ProviderPreset, implicit_tls, starttls

_SES: Final = "email-smtp.{region}.amazonaws.com"
AMAZON_SES: Final = ProviderPreset(
    provider_id="amazon-ses",
    display_name="Amazon SES",
    smtp_endpoints=(*starttls(_SES, 587, 2587, 25), *implicit_tls(_SES, 465, 2465)),
    password_kind=PasswordKind.KEY,
    sign_in_hint="SMTP user name and password, made in the SES console for each region; not the IAM keys themselves.",
    limits=Limits(recipients_per_message=50, message_size_bytes=40_000_000),
    is_relay=True,
    notes=("In the SES sandbox, recipients must be verified too.",),
)
SENDGRID: Final = ProviderPreset(
    provider_id="sendgrid",
    display_name="SendGrid",
    smtp_endpoints=(*starttls("smtp.sendgrid.net", 587, 2525, 25), *implicit_tls("smtp.sendgrid.net")),
    password_kind=PasswordKind.KEY,
    sign_in_hint="The user name is the word apikey, the password is an API key.",
    limits=Limits(recipients_per_message=1_000, message_size_bytes=30_000_000),
    is_relay=True,
    notes=("The limits are unconfirmed.",),
)
MAILGUN: Final = ProviderPreset(
    provider_id="mailgun",
    display_name="Mailgun",
    smtp_endpoints=(
        *starttls("smtp.mailgun.org", 587, 2525, 25),
        *implicit_tls("smtp.mailgun.org"),
        *starttls("smtp.eu.mailgun.org", 587, 2525, 25),
        *implicit_tls("smtp.eu.mailgun.org"),
    ),
    password_kind=PasswordKind.KEY,
    sign_in_hint="The SMTP user of the sending domain and its password.",
    limits=Limits(message_size_bytes=25_000_000),
    is_relay=True,
    notes=("Domains of the EU region send through smtp.eu.mailgun.org.",),
)
POSTMARK: Final = ProviderPreset(
    provider_id="postmark",
    display_name="Postmark",
    smtp_endpoints=(
        *starttls("smtp.postmarkapp.com", 587, 2525, 25),
        *starttls("smtp-broadcasts.postmarkapp.com", 587, 2525, 25),
    ),
    password_kind=PasswordKind.KEY,
    sign_in_hint="The server API token, as user name and as password.",
    limits=Limits(recipients_per_message=50, message_size_bytes=10_000_000),
    is_relay=True,
    notes=("Port 465 is not served.", "Broadcast streams send through smtp-broadcasts.postmarkapp.com."),
)
BREVO: Final = ProviderPreset(
    provider_id="brevo",
    display_name="Brevo",
    smtp_endpoints=(*starttls("smtp-relay.brevo.com", 587, 2525), *implicit_tls("smtp-relay.brevo.com")),
    password_kind=PasswordKind.KEY,
    sign_in_hint="The SMTP login (…@smtp-brevo.com) and an SMTP key (xsmtpsib-…); API keys (xkeysib-…) do not work.",
    is_relay=True,
    notes=("An IP allow-list may be on: 525 5.7.1 then names the address.",),
)
MAILJET: Final = ProviderPreset(
    provider_id="mailjet",
    display_name="Mailjet",
    smtp_endpoints=(*starttls("in-v3.mailjet.com", 587, 25, 2525), *implicit_tls("in-v3.mailjet.com")),
    password_kind=PasswordKind.KEY,
    sign_in_hint="The API key as user name, the secret key as password.",
    is_relay=True,
    notes=("The sender must be validated.",),
)
RELAY_PRESETS: Final = (AMAZON_SES, SENDGRID, MAILGUN, POSTMARK, BREVO, MAILJET)
