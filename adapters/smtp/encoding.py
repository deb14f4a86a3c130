"""The message made fit for one server: parameters of MAIL, what must be left out, and dots on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapters.smtp.ehlo import Capabilities
from domain.address import EmailAddress
from domain.message import Envelope
from domain.mime.raw import recompose_7bit
from domain.mime.wire import is_8bit, needs_smtputf8

SLICE_OCTETS: Final = 64 * 1024
_CRLF: Final = b"\r\n"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class NeedsSmtpUtf8(Exception):
    """The sender or the header section cannot go to a server without SMTPUTF8; `what` names it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class AboveSize(Exception):
    """The message is larger than the server takes (RFC 1870)."""

    def __init__(self, *, size: int, limit: int) -> None:
        super().__init__(f"the message has {size:,} bytes, the limit is {limit:,}")


@dataclass(frozen=True, slots=True)
class Plan:
    """How one message is offered to one server."""

    content: bytes
    parameters: tuple[bytes, ...]
    """Of the MAIL command."""
    recipients: tuple[EmailAddress, ...]
    """Those to ask for, in the envelope's order."""
    needing_smtputf8: tuple[EmailAddress, ...] = ()
    """Those that this server cannot take at all."""
    surplus: tuple[EmailAddress, ...] = ()
    """Those beyond the number that the server takes at once."""


def plan(envelope: Envelope, content: bytes, capabilities: Capabilities) -> Plan:
    """
    Decides what to offer to a server of these *capabilities*; takes time in proportion to the size for 8-bit content.

    Content above seven bits is recoded where 8BITMIME is not offered. Raises NeedsSmtpUtf8 and AboveSize.
    """
    takes_utf8 = capabilities.offers("smtputf8")
    takes_8bit = capabilities.offers("8bitmime")
    has_8bit = is_8bit(content)
    if has_8bit and not takes_8bit:
        content = recompose_7bit(content)
    if not takes_utf8:
        if not envelope.sender.is_ascii:
            raise NeedsSmtpUtf8(f"the sender {envelope.sender}")
        if needs_smtputf8(Envelope(sender=envelope.sender, recipients=()), content):
            raise NeedsSmtpUtf8("a header that is not ASCII")
    size = len(content) + (0 if content.endswith(_CRLF) or not content else len(_CRLF))
    limit = capabilities.maximum_size
    if limit is not None and size > limit:
        raise AboveSize(size=size, limit=limit)
    possible = tuple(r for r in envelope.recipients if takes_utf8 or r.is_ascii)
    most = capabilities.maximum_recipients or len(possible)
    parameters = (
        (f"SIZE={size}".encode(), capabilities.offers("size")),
        (b"BODY=8BITMIME", has_8bit and takes_8bit),
        (b"SMTPUTF8", takes_utf8 and needs_smtputf8(envelope, content)),
    )
    return Plan(
        content=content,
        parameters=tuple(parameter for parameter, applies in parameters if applies),
        recipients=possible[:most],
        needing_smtputf8=tuple(r for r in envelope.recipients if r not in possible),
        surplus=possible[most:],
    )


def on_the_wire(content: bytes, *, slice_octets: int = SLICE_OCTETS) -> Iterator[bytes]:
    """
    Yields *content* as DATA wants it: dots doubled at line starts, every line end CRLF, ended by ``CRLF . CRLF``.

    A lone CR or LF becomes CRLF, so that no server sees another message in this one (RFC 5321 sections 2.3.8, 4.5.2).
    """
    at_line_start = True
    position = 0
    if not content:
        yield b".\r\n"
    while position < len(content):
        end = min(position + slice_octets, len(content))
        if content[end - 1 : end + 1] == _CRLF:
            end += 1  # a line end stays in one piece
        piece = content[position:end]
        position = end
        line_ends = piece.count(_CRLF)
        if piece.count(b"\r") != line_ends or piece.count(b"\n") != line_ends:
            piece = _LINE_END.sub(_CRLF, piece)
        stuffed = piece.replace(b"\r\n.", b"\r\n..")
        if at_line_start and stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        at_line_start = piece.endswith(_CRLF)
        if position == len(content):  # in one piece with the last line: one segment less, and one TLS record
            stuffed += b".\r\n" if at_line_start else b"\r\n.\r\n"
        yield stuffed
