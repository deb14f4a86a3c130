"""A mailbox as its readers see it: folders, messages in them, flags, and what a list asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.errors import Violation
from domain.mailbox_names import MailboxMessageId
from domain.mailbox_query import (
    LONGEST_FLAG,
    LONGEST_SEARCH,
    MOST_FLAGS,
    FlagChange,
    MessageQuery,
    control_character,
    flag_violations,
    is_flag,
)
from domain.reasons import Reason
from domain.text import has_control_character

__all__ = [
    "INBOX",
    "LONGEST_FLAG",
    "LONGEST_FOLDER",
    "LONGEST_HEADER",
    "LONGEST_SEARCH",
    "MOST_FLAGS",
    "MOST_FOLDERS",
    "SEEN",
    "FlagChange",
    "Folder",
    "FolderMessage",
    "MessageQuery",
    "SpecialUse",
    "flag_violations",
    "is_flag",
    "is_inbox",
    "is_section",
    "parse_folder",
]

INBOX: Final = "INBOX"
"""The one folder that every mailbox has; its name counts in any case (RFC 3501 section 5.1)."""
MOST_FOLDERS: Final = 10_000
LONGEST_FOLDER: Final = 1_000
"""Octets of a folder's name in UTF-8."""
LONGEST_HEADER: Final = 64 * 1024
"""Octets of a header section that a list reads (threats-and-promises: a header's total)."""
SEEN: Final = r"\Seen"
_SECTION: Final = re.compile(r"|(?:HEADER|TEXT|[1-9]\d{0,4}(?:\.[1-9]\d{0,4}){0,30}(?:\.(?:MIME|HEADER|TEXT))?)")
"""What BODY[…] takes, without lists of fields (RFC 9051 section 6.4.5)."""


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


def is_section(text: str) -> bool:
    """Tells whether *text* names a section of a message, e.g. ``2.1``, ``2.1.MIME``, ``HEADER``; empty: all of it."""
    return _SECTION.fullmatch(text) is not None


def is_inbox(name: str) -> bool:
    """Tells whether *name* is INBOX in any case: of ASCII, since a folder named with a dotless i is another one."""
    return name.isascii() and name.upper() == INBOX


def parse_folder(text: str, *, field: str) -> str | Violation:
    """Returns the name of the folder that a caller wrote: INBOX when nothing or INBOX in any case."""
    if not text or is_inbox(text):
        return INBOX
    if has_control_character(text):
        return control_character(field, "The name of a folder")
    if len(text.encode()) > LONGEST_FOLDER:
        return Violation(
            field=field,
            reason=Reason.VALUE_TOO_LONG,
            message=f"The name of a folder has at most {LONGEST_FOLDER} octets.",
            remedy="Give a name that ListFolders gave.",
        )
    return text
