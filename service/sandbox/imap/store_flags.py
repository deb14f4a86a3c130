"""Flags as STORE and APPEND write them (RFC 3501 section 6.4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.messages import canonical_flag
from service.sandbox.imap.syntax import Cursor

_MAX_FLAGS: Final = 100
_MAX_LENGTH: Final = 100


@dataclass(frozen=True, slots=True)
class FlagChange:
    """What STORE does."""

    action: str
    """``+``, ``-``, or empty to put these flags in the place of all."""
    flags: frozenset[str]
    is_silent: bool

    def applied(self, flags: frozenset[str]) -> frozenset[str]:
        """Returns *flags* after the change. Keywords are the same in any case, and stay as they were written first."""
        kept = {flag.casefold(): flag for flag in flags}
        asked = {flag.casefold(): kept.get(flag.casefold(), flag) for flag in self.flags}
        if self.action == "-":
            return frozenset(flag for folded, flag in kept.items() if folded not in asked)
        return frozenset((asked if not self.action else {**kept, **asked}).values())


def read_flag_change(cursor: Cursor) -> FlagChange:
    """Reads the item and its flags, in parentheses or not. Raises Malformed."""
    action = "+" if cursor.skip(b"+") else "-" if cursor.skip(b"-") else ""
    name = cursor.name()
    if name not in {"FLAGS", "FLAGS.SILENT"}:
        raise Malformed(f"There is no STORE item {name}")
    cursor.space()
    if cursor.comes(b"("):
        flags = read_flags(cursor)
    else:
        found = [cursor.flag()]
        while not cursor.at_end():
            cursor.space()
            found.append(cursor.flag())
        flags = _checked(found)
    return FlagChange(action, flags, name.endswith(".SILENT"))


def read_flags(cursor: Cursor) -> frozenset[str]:
    """Reads a list of flags in parentheses. Raises Malformed."""
    return _checked(cursor.list_of(cursor.flag, may_be_empty=True))


def _checked(flags: list[str]) -> frozenset[str]:
    if len(flags) > _MAX_FLAGS or any(len(flag) > _MAX_LENGTH for flag in flags):
        raise Malformed("There are too many flags, or too long ones")
    found: dict[str, str] = {}
    for flag in flags:
        canonical = canonical_flag(flag)
        if canonical is None:
            raise Malformed(f"Invalid system flag {flag}")
        found.setdefault(canonical.casefold(), canonical)
    return frozenset(found.values())
