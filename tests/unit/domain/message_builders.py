"""Messages and settings that are valid by default, and the standard library as the judge of what was written."""

from __future__ import annotations

import email
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from typing import Any

from domain.address import EmailAddress, parse_address
from domain.host import Host
from domain.message import OutgoingMessage, WrittenAddress, WrittenMessage
from domain.message_parser import ParsedMessage, parse_message
from domain.mime import compose
from domain.settings.model import ConnectionSecurity, MailSettings, SmtpTransport

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MESSAGE_ID = "<8f14e45f@example.com>"


def an_address(text: str) -> EmailAddress:
    address = parse_address(text, field="address")
    assert isinstance(address, EmailAddress)
    return address


def settings(**changes: Any) -> MailSettings:
    plain = MailSettings(
        from_address=an_address("a@example.com"),
        transport=SmtpTransport(host=Host("mail.example.com"), port=587, security=ConnectionSecurity.STARTTLS),
    )
    return replace(plain, **changes)


def a_written_message(**changes: Any) -> WrittenMessage:
    return replace(WrittenMessage(to=(WrittenAddress("t@example.com"),), subject="Hi", text_body="Hello\n"), **changes)


def parsed(written: WrittenMessage, **setting_changes: Any) -> ParsedMessage:
    return parse_message(written, settings=settings(**setting_changes), now=NOW)


def a_message(**changes: Any) -> OutgoingMessage:
    return parsed(a_written_message(**changes)).message


def composed(written: WrittenMessage, **setting_changes: Any) -> bytes:
    return compose(parsed(written, **setting_changes).message, message_id=MESSAGE_ID, date=NOW)


def judged(content: bytes) -> EmailMessage:
    """Reads *content* as the standard library does; its policy refuses nothing, so look at the defects too."""
    message = email.message_from_bytes(content, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def decoded(content: bytes, name: str) -> str:
    """Decodes a field with the standard library's other, older decoder, which keeps each blank."""
    raw = email.message_from_bytes(content)[name]
    return str(make_header(decode_header(re.sub(r"\r?\n", "", raw))))


def wire_faults(content: bytes, *, is_8bit: bool = False) -> list[str]:
    """Lists what a strict server would refuse (RFC 5321 section 2.3.8, 4.5.3.1.6)."""
    faults = []
    if not is_8bit and not content.isascii():
        faults.append("an octet above 0x7F")
    if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
        faults.append("a bare CR or LF")
    if any(len(line) > 998 for line in content.split(b"\r\n")):
        faults.append("a line above 998 octets")
    if b"\0" in content:
        faults.append("a NUL")
    if not content.endswith(b"\r\n"):
        faults.append("the last line does not end")
    return faults
