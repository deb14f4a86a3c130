"""Who a message may be from: the configuration's own address, and those it allows besides."""

from __future__ import annotations

from dataclasses import replace

from domain.address import EmailAddress
from domain.errors import Violation
from domain.message import NamedAddress, WrittenAddress
from domain.message_rules import parse_mailbox
from domain.reasons import Reason
from domain.settings.model import MailSettings


def parse_sender(
    written: WrittenAddress | None, *, settings: MailSettings, field: str
) -> NamedAddress | list[Violation]:
    """
    Returns the author of the message: the configuration's own address where none is written.

    The name is the written one, and for the configuration's own address, letter case aside, else the configuration's.
    """
    own = str(settings.from_address)
    if written is None or written in (WrittenAddress(), WrittenAddress(own)):
        return NamedAddress(settings.from_address, settings.from_name)
    sender = parse_mailbox(written if written.address else replace(written, address=own), field=field)
    if isinstance(sender, list):
        return sender
    if trouble := check_sender(sender.address, settings=settings, field=f"{field}.address"):
        return [trouble]
    if not sender.name and sender.address.same_account(settings.from_address):
        return NamedAddress(sender.address, settings.from_name)
    return sender


def check_sender(address: EmailAddress, *, settings: MailSettings, field: str) -> Violation | None:
    """Returns a violation unless the configuration may send as *address*, letter case aside."""
    if any(address.same_account(allowed) for allowed in (settings.from_address, *settings.allowed_from)):
        return None
    return Violation(
        field=field,
        reason=Reason.SENDER_NOT_ALLOWED,
        message=f"This configuration does not send as {address}.",
        remedy=f"Send as {settings.from_address}, or add the address to the settings' allowed_from.",
    )
