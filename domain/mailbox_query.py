"""What a list of messages asks for, and flags: nothing in them can end a command of IMAP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.errors import InputInvalid, Violation
from domain.reasons import Reason
from domain.text import has_control_character, shown

LONGEST_SEARCH: Final = 500
"""Characters of a text to search for."""
MOST_FLAGS: Final = 20
"""Flags that a request names in one list."""
LONGEST_FLAG: Final = 200
_FLAG: Final = re.compile(r"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
"""An atom, with a backslash where the flag is the standard's own (RFC 3501 section 9: flag, flag-keyword)."""
_OF_THE_STANDARD: Final = frozenset({r"\seen", r"\answered", r"\flagged", r"\deleted", r"\draft"})
"""The flags with a backslash that a client may set (RFC 9051 section 2.3.2); servers take any other for an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageQuery:
    """
    Which messages of a folder: what is given must hold all at once, and empty fields ask for nothing.

    Texts match anywhere, in any script, case aside, as far as the server can search that way.
    """

    from_text: str = ""
    to_text: str = ""
    subject: str = ""
    text: str = ""
    """In headers or body."""
    since_time: datetime | None = None
    """Received at or after it."""
    before_time: datetime | None = None
    """Received before it."""
    unseen: bool = False
    flags: tuple[str, ...] = ()
    without_flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputInvalid with all that is wrong, in fields below ``query``: it never comes near a server."""
        found = _text_violations(self.texts)
        found += flag_violations(self.flags, field="query.flags")
        found += flag_violations(self.without_flags, field="query.without_flags")
        if found:
            raise InputInvalid(found)

    @property
    def is_empty(self) -> bool:
        """Tells whether every message is asked for."""
        return self == _EVERYTHING

    @property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Returns the texts that are asked for, by their field in the API."""
        written = (("from", self.from_text), ("to", self.to_text), ("subject", self.subject), ("text", self.text))
        return tuple((name, value) for name, value in written if value)


@dataclass(frozen=True, slots=True)
class FlagChange:
    """Flags to add to a message and to remove from it."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputInvalid with all that is wrong; the fields are named as SetFlags names them."""
        found = flag_violations(self.add, field="add_flags", to_set=True)
        found += flag_violations(self.remove, field="remove_flags", to_set=True)
        removed = {flag.lower() for flag in self.remove}
        found += tuple(
            Violation(
                field=f"add_flags[{index}]",
                reason=Reason.FIELD_CONFLICT,
                message=f"{shown(flag)} is to be added and removed.",
                remedy="Name it in one of the lists.",
            )
            for index, flag in enumerate(self.add)
            if flag.lower() in removed
        )
        if not self.add and not self.remove:
            found += (
                Violation(
                    field="add_flags",
                    reason=Reason.FIELD_REQUIRED,
                    message="No flag is named that is to be added or removed.",
                    remedy="Name one at least in add_flags or remove_flags.",
                ),
            )
        if found:
            raise InputInvalid(found)


def _text_violations(texts: tuple[tuple[str, str], ...]) -> tuple[Violation, ...]:
    found: list[Violation] = []
    for name, value in texts:
        if has_control_character(value):
            found.append(control_character(f"query.{name}", "A text to search for"))
        elif len(value) > LONGEST_SEARCH:
            found.append(
                Violation(
                    field=f"query.{name}",
                    reason=Reason.VALUE_TOO_LONG,
                    message=f"A text to search for has at most {LONGEST_SEARCH} characters; this one has {len(value)}.",
                    remedy="Search for less.",
                )
            )
    return tuple(found)


def flag_violations(flags: tuple[str, ...], *, field: str, to_set: bool = False) -> tuple[Violation, ...]:
    """Returns all that is wrong with a list of flags: too many, or not writable in IMAP; *to_set*: to be stored."""
    if len(flags) > MOST_FLAGS:
        return (
            Violation(
                field=field,
                reason=Reason.VALUE_OUT_OF_RANGE,
                message=f"At most {MOST_FLAGS} flags are taken; these are {len(flags)}.",
                remedy="Name fewer flags.",
            ),
        )
    return tuple(
        Violation(
            field=f"{field}[{index}]",
            reason=Reason.VALUE_MALFORMED,
            message=f"{shown(flag)} is no flag that a client can {'set' if to_set else 'search for'}.",
            remedy=r"Write it as IMAP does: \Seen, \Answered, \Flagged, \Deleted, \Draft, or a keyword such as $Done.",
        )
        for index, flag in enumerate(flags)
        if not is_flag(flag) or (to_set and not _may_be_set(flag))
    )


def is_flag(text: str) -> bool:
    """Tells whether *text* is a flag as IMAP writes them: an atom, which cannot end a command or begin another."""
    return len(text) <= LONGEST_FLAG and _FLAG.fullmatch(text) is not None


def _may_be_set(flag: str) -> bool:
    return not flag.startswith("\\") or flag.lower() in _OF_THE_STANDARD


def control_character(field: str, what: str) -> Violation:
    """Returns that *what* holds a control character."""
    return Violation(
        field=field,
        reason=Reason.CONTROL_CHARACTER,
        message=f"{what} holds a line break or another control character.",
        remedy="Remove it.",
    )


_EVERYTHING: Final = MessageQuery()
