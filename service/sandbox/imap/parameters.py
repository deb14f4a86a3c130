"""
Header fields with parameters (RFC 2045 section 5.1, RFC 2183), as they are written.

Unlike the standard library's reading, RFC 2231 is left undone: a client of IMAP gets ``filename*0`` and decodes itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_COMMENT: Final = re.compile(r"\((?:[^()\\]|\\.)*\)", re.DOTALL)
_PARAMETER: Final = re.compile(
    r';\s*(?P<name>[^\s=;"]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<bare>[^\s;]*))', re.DOTALL
)
_QUOTED_OR_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.)*\)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Parameterized:
    """A value and its parameters, whose names are in lower case; of a name that comes twice the first holds."""

    value: str
    parameters: dict[str, str]


def parse_parameterized(field: str) -> Parameterized:
    """Reads a field's value; what does not follow the grammar is left out."""
    text = re.sub(r"\r?\n", "", field)
    text = _QUOTED_OR_COMMENT.sub(lambda found: "" if _COMMENT.fullmatch(found[0]) else found[0], text)
    value, _, _ = text.partition(";")
    parameters: dict[str, str] = {}
    for found in _PARAMETER.finditer(text):
        quoted = found["quoted"]
        content = found["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        parameters.setdefault(found["name"].lower(), content)
    return Parameterized(value.strip(), parameters)
