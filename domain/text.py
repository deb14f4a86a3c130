"""What text may hold: control characters found, and foreign text made fit to be shown in a message."""

from __future__ import annotations

import unicodedata
from typing import Final

_SHOWN_CHARACTERS: Final = 80


def has_control_character(text: str) -> bool:
    """Tells whether *text* holds CR, LF, NUL, another control character, or a Unicode line or paragraph separator."""
    return any(unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"} for character in text)


def shown(text: str) -> str:
    """Returns *text* in quotes for a message: 80 characters at most, each unprintable one as a question mark."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return '"' + "".join(character if character.isprintable() else "?" for character in cut) + '"'
