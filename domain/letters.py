"""The mails that mailport itself writes: the validation mail and the test mail."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from domain.address import EmailAddress
from domain.configuration import CONFIRMATION_LIFETIME
from domain.message import NamedAddress, OutgoingMessage
from domain.settings.model import GraphTransport, MailSettings

_AUTOMATIC: Final = (("Auto-Submitted", "auto-generated"),)
"""RFC 3834: no vacation notice answers these."""
_MINUTES: Final = CONFIRMATION_LIFETIME // timedelta(minutes=1)


def validation_letter(
    settings: MailSettings, recipient: EmailAddress, configuration_id: str, code: str
) -> OutgoingMessage:
    """Returns the mail that proves *settings*; with *code* (not empty) it asks the reader to bring the code back."""
    lines = [f'The mail settings of the configuration "{configuration_id}" work: this mail was sent with them.']
    if code:
        lines += [
            "",
            f"To put them into use, confirm with this code: {code}",
            "",
            f"It is valid for {_MINUTES} minutes.",
        ]
    else:
        lines += ["", "They are put into use now. There is nothing for you to do."]
    subject = f"Mail settings of {configuration_id}: " + ("your confirmation code" if code else "they work")
    return _letter(settings, recipient, subject, lines)


def letter_for_test(settings: MailSettings, recipient: EmailAddress, configuration_id: str) -> OutgoingMessage:
    """Returns the mail that SendTest sends."""
    name = f'the configuration "{configuration_id}"' if configuration_id else "unsaved settings"
    return _letter(settings, recipient, "Test mail", [f"This is a test mail, sent with {name}. Nothing was saved."])


def _letter(settings: MailSettings, recipient: EmailAddress, subject: str, lines: list[str]) -> OutgoingMessage:
    text = [*lines, "", f"Sent through {_server(settings)} by mailport.", ""]
    return OutgoingMessage(
        sender=NamedAddress(settings.from_address, settings.from_name),
        to=(NamedAddress(recipient),),
        subject=subject,
        text_body="\n".join(text),
        headers=_AUTOMATIC,
    )


def _server(settings: MailSettings) -> str:
    transport = settings.transport
    if isinstance(transport, GraphTransport):
        return transport.base_url
    host = transport.host.name
    return f"[{host}]:{transport.port}" if ":" in host else f"{host}:{transport.port}"
