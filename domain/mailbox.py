"""A mailbox as its readers see it: folders, messages in them, flags, and what a list asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.errors import InputInvalid, Violation
from domain.mailbox_names import MailboxMessageId
from domain.reasons import Reason
from domain.text import has_control_character, shown

INBOX: Final = "INBOX"
"""The one folder that every mailbox has; its name counts in any case (RFC 3501 section 5.1)."""
MOST_FOLDERS: Final = 10_000
LONGEST_FOLDER: Final = 1_000
"""Octets of a folder's name in UTF-8."""
LONGEST_SEARCH: Final = 500
"""Characters of a text to search for."""
MOST_FLAGS: Final = 20
"""Flags that a request names in one list."""
LONGEST_FLAG: Final = 200
LONGEST_HEADER: Final = 64 * 1024
"""Octets of a header section that a list reads (threats-and-promises: a header's total)."""
SEEN: Final = r"\Seen"
_FLAG: Final = re.compile(r"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
"""An atom, with a backslash where the flag is the standard's own (RFC 3501 section 9: flag, flag-keyword)."""
_SECTION: Final = re.compile(r"|(?:HEADER|TEXT|[1-9]\d{0,4}(?:\.[1-9]\d{0,4}){0,30}(?:\.(?:MIME|HEADER|TEXT))?)")
"""What BODY[…] takes, without lists of fields (RFC 9051 section 6.4.5)."""
_NEVER_SET: Final = frozenset({"\\recent", "\\*"})


class SpecialUse(StrEnum):
    """The use a folder is meant for (RFC 6154); INBOX is one of its own."""

    INBOX = "INBOX"
    SENT = "SENT"
    DRAFTS = "DRAFTS"
    TRASH = "TRASH"
    JUNK = "JUNK"
    ARCHIVE = "ARCHIVE"
    ALL = "ALL"
    FLAGGED = "FLAGGED"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a mailbox."""

    name: str
    """Full name, decoded; one that does not decode is given as the server wrote it. Either opens the folder."""
    delimiter: str = ""
    """What separates levels in `name`; empty when there are none."""
    special_use: SpecialUse | None = None
    selectable: bool = True
    """Whether it can hold messages; False for a mere level."""
    message_count: int | None = None
    """None unless counts were asked for, and for a folder that cannot be looked into."""
    unseen_count: int | None = None


@dataclass(frozen=True, slots=True)
class FolderMessage:
    """A message of a folder as the server tells of it, its header section unread."""

    id: MailboxMessageId
    flags: tuple[str, ...]
    """As the server writes them, each once, without \\Recent, in the order of their names."""
    receive_time: datetime
    """INTERNALDATE, in UTC."""
    size_bytes: int
    """RFC822.SIZE: octets of the raw source."""
    header: bytes
    """The header section with the blank line at its end, the first 64 KiB of it at most."""

    @property
    def is_header_cut(self) -> bool:
        """Tells whether the header section may go on behind what is in `header`."""
        return len(self.header) >= LONGEST_HEADER


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
            found.append(_control_character(f"query.{name}", "A text to search for"))
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
        if not is_flag(flag) or (to_set and flag.lower() in _NEVER_SET)
    )


def is_flag(text: str) -> bool:
    """Tells whether *text* is a flag as IMAP writes them: an atom, which cannot end a command or begin another."""
    return len(text) <= LONGEST_FLAG and _FLAG.fullmatch(text) is not None


def is_section(text: str) -> bool:
    """Tells whether *text* names a section of a message, e.g. ``2.1``, ``2.1.MIME``, ``HEADER``; empty: all of it."""
    return _SECTION.fullmatch(text) is not None


def parse_folder(text: str, *, field: str) -> str | Violation:
    """Returns the name of the folder that a caller wrote: INBOX when nothing or INBOX in any case."""
    if not text or text.upper() == INBOX:
        return INBOX
    if has_control_character(text):
        return _control_character(field, "The name of a folder")
    if len(text.encode()) > LONGEST_FOLDER:
        return Violation(
            field=field,
            reason=Reason.VALUE_TOO_LONG,
            message=f"The name of a folder has at most {LONGEST_FOLDER} octets.",
            remedy="Give a name that ListFolders gave.",
        )
    return text


def _control_character(field: str, what: str) -> Violation:
    return Violation(
        field=field,
        reason=Reason.CONTROL_CHARACTER,
        message=f"{what} holds a line break or another control character.",
        remedy="Remove it.",
    )


_EVERYTHING: Final = MessageQuery()
