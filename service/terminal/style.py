"""What a terminal can show: colours and signs, or plain ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

_SIGNS: Final = "✓✗├└→·"
_BOLD, _FAINT, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"


@dataclass(frozen=True, slots=True)
class Style:
    """Draws signs and emphasis as the terminal allows; the default is what goes into a file: no colour, ASCII."""

    is_coloured: bool = False
    is_unicode: bool = False

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str]) -> Style:
        """
        Returns the style for *stream*.

        Colours go to terminals only, and not where NO_COLOR is set (no-color.org) or TERM is ``dumb``; signs go
        wherever the stream's encoding has them.
        """
        wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
        return cls(is_coloured=wanted and stream.isatty(), is_unicode=_encodes(stream.encoding))

    @property
    def tick(self) -> str:
        """The sign before what went well."""
        return self._paint(_GREEN, "✓" if self.is_unicode else "+")

    @property
    def cross(self) -> str:
        """The sign before what failed."""
        return self._paint(_RED, "✗" if self.is_unicode else "x")

    @property
    def caution(self) -> str:
        """The sign before a warning."""
        return self._paint(_YELLOW, "!")

    @property
    def arrow(self) -> str:
        """The sign before what to do."""
        return "→" if self.is_unicode else "->"

    @property
    def separator(self) -> str:
        """What stands between facts on one line."""
        return " · " if self.is_unicode else " | "

    def branch(self, *, is_last: bool) -> str:
        """Returns the piece of a tree before one of its leaves."""
        if self.is_unicode:
            return self.faint("└" if is_last else "├")
        return "`" if is_last else "|"

    def bold(self, text: str) -> str:
        """Returns *text* as a heading."""
        return self._paint(_BOLD, text)

    def faint(self, text: str) -> str:
        """Returns *text* as an aside."""
        return self._paint(_FAINT, text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_coloured and text else text


def _encodes(encoding: str | None) -> bool:
    try:
        _SIGNS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
