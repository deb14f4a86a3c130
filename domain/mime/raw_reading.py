"""A whole message written by another program, made fit to send: line ends, hidden recipients, one meaning alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from domain.mime.bodies import LONGEST_LINE, long_line_start
from domain.mime.entities import structure_faults
from domain.mime.header_section import Fault, HeaderField, read_header

MOST_FIELDS: Final = 200
LARGEST_HEADER_BYTES: Final = 64 * 1024
_MOST_FAULTS: Final = 10

# Bcc shows hidden recipients (RFC 5322 section 3.6.3); Return-Path is the last server's (RFC 5321 section 4.4).
_REMOVED: Final = frozenset({"bcc", "resent-bcc", "return-path"})
# RFC 5322 section 3.6 and RFC 2045 section 3 allow one at most; readers differ in which of two they believe.
_ONLY_ONCE: Final = frozenset(
    {
        "cc", "content-transfer-encoding", "content-type", "date", "from", "in-reply-to", "message-id", "mime-version",
        "references", "reply-to", "sender", "subject", "to",
    }
)  # fmt: skip

_TOO_MUCH_HEADER: Final = Fault(
    f"The header has more than {MOST_FIELDS} fields or {LARGEST_HEADER_BYTES // 1024} KiB.",
    "Leave out fields that the recipients do not need.",
)


@dataclass(frozen=True, slots=True)
class RawMessage:
    """The message as it goes out, but for the fields that are still missing, and the fields it came with."""

    content: bytes
    """CRLF line ends, the last line ended, header and body parted by an empty line, no Bcc."""
    fields: tuple[HeaderField, ...]
    """In their order, Bcc included."""

    def values(self, name: str) -> list[str]:
        """Returns the values of all fields called *name* (lower case)."""
        return [field.value for field in self.fields if field.name == name]


def read_raw(raw: bytes) -> RawMessage | list[Fault]:
    """
    Returns *raw* cleaned, or what is wrong with it.

    Any line end, CRLF, LF or CR, becomes CRLF; octets above 0x7F in bodies stay as they are. Lines count as written.
    """
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    section, body = _halves(lines)
    if len(section) > LARGEST_HEADER_BYTES:
        return [*_line_faults(lines), _TOO_MUCH_HEADER]
    fields, header_faults = read_header(section)
    faults = [*_line_faults(lines), *header_faults, *_header_faults(fields)]
    kept = [line for field in fields if field.name not in _REMOVED for line in field.lines]
    content = b"\n".join([*kept, b"", body]).replace(b"\n", b"\r\n")
    if not faults:
        faults = structure_faults(content)
    return faults[:_MOST_FAULTS] or RawMessage(content, tuple(fields))


def _halves(lines: bytes) -> tuple[bytes, bytes]:
    """Returns header section and body, the body empty or ended by a line end."""
    if lines.startswith(b"\n"):
        section, body = b"", lines[1:]
    else:
        section, _, body = lines.partition(b"\n\n")
    if body and not body.endswith(b"\n"):
        body += b"\n"
    return section.removesuffix(b"\n"), body


def _line_faults(lines: bytes) -> list[Fault]:
    faults = []
    if b"\0" in lines:
        number = lines.count(b"\n", 0, lines.index(b"\0")) + 1
        faults.append(Fault(f"Line {number} holds a NUL.", "Encode binary content as base64 (RFC 2045 section 6.8)."))
    start = long_line_start(lines)
    if start >= 0:
        number = lines.count(b"\n", 0, start) + 1
        faults.append(
            Fault(
                f"Line {number} is longer than {LONGEST_LINE} octets (RFC 5322 section 2.1.1).",
                "Fold header fields at blanks; encode long body lines as quoted-printable or base64.",
            )
        )
    return faults


def _header_faults(fields: list[HeaderField]) -> list[Fault]:
    faults = [_TOO_MUCH_HEADER] if len(fields) > MOST_FIELDS else []
    for name, count in Counter(field.name for field in fields).items():
        if count > 1 and name in _ONLY_ONCE:
            faults.append(Fault(f"The header has {count} fields named {name.title()}.", "Leave one of them."))
    return faults
