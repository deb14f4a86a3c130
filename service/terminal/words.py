"""Values of the API as words: enum values, instants, spans, and text that others wrote."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def plain(text: str) -> str:
    """
    Returns *text* on one line and with every control character shown instead of obeyed.

    Replies of mail servers are printed as they came; an escape sequence in them must not steer the terminal.
    """
    shown = " ".join(text.split("\n")).replace("\r", "").replace("\t", " ")
    return "".join(_visible(character) for character in shown)


def word(descriptor: EnumDescriptor, value: int, *, prefix: str) -> str:
    """Returns an enum value as a word, e.g. ``at risk``; a number where this client is older than the server."""
    found = descriptor.values_by_number.get(value)
    return str(value) if found is None else found.name.removeprefix(prefix).replace("_", " ").lower()


def instant(time: Timestamp) -> str:
    """Returns an instant in UTC to the second, e.g. ``2026-03-01 09:15:00Z``; empty for the unset one."""
    if not time.seconds and not time.nanos:
        return ""
    return time.ToDatetime(tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def span(duration: Duration) -> str:
    """Returns a short span with the unit that suits it, e.g. ``0.4 ms``, ``31 ms``, ``2.5 s``."""
    milliseconds = duration.seconds * 1_000 + duration.nanos / 1_000_000
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1_000:.1f} s"


def counted(number: int, noun: str, *, plural: str = "") -> str:
    """Returns ``1 message``, ``2 messages``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def aligned(rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """Returns rows as lines with their columns below each other, two blanks apart."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = (zip(row, widths, strict=True) for row in rows)
    return [(indent + "  ".join(cell.ljust(width) for cell, width in row)).rstrip() for row in padded]


def labelled(facts: Sequence[tuple[str, str]], *, indent: str = "  ") -> list[str]:
    """Returns facts as aligned lines, those without a value left out."""
    return aligned([fact for fact in facts if fact[1]], indent=indent)


def _visible(character: str) -> str:
    # Format characters (Cf) include those that reorder a line, e.g. U+202E; joiners that scripts need are among them.
    if unicodedata.category(character) in ("Cc", "Cs") or character in _REORDERING:
        return f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"\\u{ord(character):04x}"
    return character


_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
