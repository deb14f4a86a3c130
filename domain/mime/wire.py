"""What a flattened message asks of the server that is to take it."""

from __future__ import annotations

from domain.message import Envelope


def is_8bit(content: bytes) -> bool:
    """Tells whether *content* needs 8BITMIME (RFC 6152): whether any octet is above 0x7F."""
    return not content.isascii()


def needs_smtputf8(envelope: Envelope, content: bytes) -> bool:
    """Tells whether the server must offer SMTPUTF8 (RFC 6531): a local part or the header section is not ASCII."""
    if not envelope.sender.is_ascii or not all(recipient.is_ascii for recipient in envelope.recipients):
        return True
    if content.isascii():
        return False
    header_section, _, _ = content.partition(b"\r\n\r\n")
    return not header_section.isascii()
