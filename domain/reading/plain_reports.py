"""Reports in plain text, from servers that do not write RFC 3464: Exim's header field, qmail's paragraphs."""

from __future__ import annotations

import re
from typing import Final

from domain.reading.addresses import read_addresses
from domain.reading.ids import read_message_id
from domain.reading.model import MOST_BOUNCED, Defect

_MESSAGE_ID: Final = re.compile(rb"(?im)^[ \t>]{0,8}Message-ID[ \t]*:[ \t]*(<[^<>\r\n]{1,996}>)")
_QMAIL: Final = re.compile(rb"This is the qmail-send program|--- Below this line is a copy of the message")
_QMAIL_RECIPIENT: Final = re.compile(rb"(?m)^<([^<>\s]{1,320})>:[ \t]*\r?\n((?:[^\r\n]{1,998}\r?\n){1,20})")
_REPLY: Final = re.compile(rb"(?<![\d.])[45]\d\d[ -][^\r\n]{3,1000}")
_STATUS: Final = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")


def failed_recipients(fields: list[bytes], texts: list[bytes]) -> list[tuple[str, str, str]]:
    """
    Returns address, status and diagnostic of each recipient that the values of X-Failed-Recipients or *texts* name.

    The status is `5.0.0` where none is given: both say of themselves that they gave up.
    """
    whole = b"\n".join(texts)
    if fields:
        reply = _REPLY.search(whole)
        words = _line(reply[0]) if reply else ""
        addresses = read_addresses(b", ".join(fields), set[Defect]())
        return [(address.address, _status(words), words) for address in addresses if address.address]
    if not _QMAIL.search(whole):
        return []
    paragraphs = list(_QMAIL_RECIPIENT.finditer(whole))[:MOST_BOUNCED]
    return [(_line(found[1]), _status(_line(found[2])), _line(found[2])) for found in paragraphs]


def reported_id_in(texts: list[bytes], found: set[Defect]) -> str:
    """Returns the Message-ID of the copy that a plain report quotes at its end; empty: it quotes none."""
    for text in texts:
        if quoted := _MESSAGE_ID.search(text):
            return read_message_id(quoted[1], found)
    return ""


def _line(octets: bytes) -> str:
    return " ".join(octets.decode("utf-8", "replace").split())


def _status(words: str) -> str:
    status = _STATUS.search(words)
    if status:
        return status[1]
    code = re.search(r"(?<!\d)([45])\d\d[ -]", words)
    return f"{code[1]}.0.0" if code else "5.0.0"
