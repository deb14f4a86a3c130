"""The header section of a message that another program wrote, read line by line (RFC 5322 section 2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_FIELD: Final = re.compile(rb"([!-9;-~]+):(.*)", re.DOTALL)
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a message as a whole, and how to put it right."""

    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field: its name in lower case, its value unfolded and stripped, and the lines that it came from."""

    name: str
    value: str
    lines: tuple[bytes, ...]


def read_header(section: bytes) -> tuple[list[HeaderField], list[Fault]]:
    """
    Returns the fields of *section*, lines ending in LF alone and the empty line left out, and what is wrong with it.

    What two readers might understand in two ways is a fault: a line of blanks (the end of the header to some), a blank
    before the colon, octets beyond ASCII, control characters.
    """
    faults: list[Fault] = []
    groups: list[tuple[str, list[bytes]]] = []
    for number, line in enumerate(section.split(b"\n") if section else (), start=1):
        if not line.isascii():
            faults.append(_not_ascii(number))
        elif _CONTROL.search(line):
            faults.append(
                Fault(f"Line {number} of the header holds a control character.", "Leave control characters out of it.")
            )
        elif found := _FIELD.fullmatch(line):
            groups.append((found[1].decode("ascii").lower(), [line]))
        elif line[:1] in {b" ", b"\t"} and line.strip() and groups:
            groups[-1][1].append(line)
        else:
            faults.append(_not_a_field(number))
    return [_field(name, lines) for name, lines in groups], faults


def _field(name: str, lines: list[bytes]) -> HeaderField:
    value = b"".join(lines)[len(name) + 1 :].decode("ascii").strip(" \t")
    return HeaderField(name, value, tuple(lines))


def _not_ascii(number: int) -> Fault:
    return Fault(
        f"Line {number} of the header holds octets beyond ASCII.",
        "Write names and subjects as encoded-words (RFC 2047), file names by RFC 2231 and domains as A-labels.",
    )


def _not_a_field(number: int) -> Fault:
    return Fault(
        f"Line {number} of the header is neither a field nor the continuation of one.",
        "Begin the message with its header fields, each as 'Name: value', and put one empty line before the body.",
    )
