"""Bodies and files as MIME content: seven bits, CRLF, lines that any server takes (RFC 2045)."""

from __future__ import annotations

import re
from binascii import b2a_base64, b2a_qp
from dataclasses import dataclass
from typing import Final

LONGEST_LINE: Final = 998
_BASE64_LINE: Final = 76

# NUL and its like are not text (RFC 5322 section 3.5); TAB and the line ends are.
_CONTROLS: Final = bytes({*range(0x20), 0x7F} - {0x09, 0x0A, 0x0D})
_LITERAL_IN_QP: Final = bytes({*range(0x20, 0x7F), 0x09, 0x0A, 0x0D} - {0x3D})


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text with what its part's header must say of it."""

    charset: str
    encoding: str
    """The Content-Transfer-Encoding."""
    content: bytes


def encode_text(text: str) -> EncodedText:
    """
    Returns *text* in the shape that changes it least: as it is when it is ASCII in lines of at most 998, else
    quoted-printable or base64, whichever is shorter.

    Every line end (CRLF, LF, or a CR by itself) becomes CRLF; nothing else is changed.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.encode()
    is_ascii = lines.isascii()
    charset = "us-ascii" if is_ascii else "utf-8"
    if is_ascii and not _has_control(lines) and long_line_start(lines) < 0:
        return EncodedText(charset, "7bit", lines.replace(b"\n", b"\r\n"))
    encoding, content = encode_octets(lines.replace(b"\n", b"\r\n"))
    return EncodedText(charset, encoding, content)


def encode_octets(content: bytes) -> tuple[str, bytes]:
    """Returns the shorter of quoted-printable and base64, its name first; the line ends of *content* are CRLF."""
    escaped = len(content.translate(None, _LITERAL_IN_QP))
    if 2 * escaped + len(content) // 25 < len(content) * 0.37:
        return "quoted-printable", quoted_printable(content)
    return "base64", base64_lines(content)


def quoted_printable(content: bytes) -> bytes:
    """Returns *content*, whose line ends are CRLF, in quoted-printable (RFC 2045 section 6.7), lines up to 76."""
    # b2a_qp takes the kind of soft line breaks from the first line end it meets, so it meets one kind only.
    return b2a_qp(content.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")


def base64_lines(content: bytes) -> bytes:
    """Returns *content* in base64 in lines of 76 with CRLF between them, none at the end (RFC 2045 section 6.8)."""
    flat = b2a_base64(content, newline=False)
    return b"\r\n".join([flat[start : start + _BASE64_LINE] for start in range(0, len(flat), _BASE64_LINE)])


def long_line_start(lines: bytes) -> int:
    """Returns where the first line above 998 octets begins in *lines*, which end in LF alone; -1: there is none."""
    start = 0
    while len(lines) - start > LONGEST_LINE:
        last_end = lines.rfind(b"\n", start, start + LONGEST_LINE + 1)
        if last_end < 0:
            return start
        start = last_end + 1
    return -1


def is_7bit_text(content: bytes) -> bool:
    """Tells whether *content* may stand in a message as it is: ASCII, no controls, CRLF line ends, lines up to 998."""
    if not content.isascii() or _has_control(content):
        return False
    bare = re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    return bare is None and long_line_start(content.replace(b"\r\n", b"\n")) < 0


def _has_control(content: bytes) -> bool:
    return len(content.translate(None, _CONTROLS)) != len(content)
