"""A message in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Final

from service.sandbox.imap.parts import Part, read_parts


class Flag(StrEnum):
    """The system flags (RFC 3501 section 2.3.2) that a client may change."""

    ANSWERED = "\\Answered"
    FLAGGED = "\\Flagged"
    DELETED = "\\Deleted"
    SEEN = "\\Seen"
    DRAFT = "\\Draft"


RECENT: Final = "\\Recent"
"""The flag that the server alone sets."""

_SYSTEM_FLAGS: Final = {flag.casefold(): str(flag) for flag in Flag}


def canonical_flag(flag: str) -> str | None:
    """Returns *flag* as it is kept: system flags in their usual case. None for one that no client may set."""
    if flag.startswith("\\"):
        return _SYSTEM_FLAGS.get(flag.casefold())
    return flag


@dataclass(frozen=True, eq=False)  # not slotted: cached_property keeps what it read in the instance's dict
class Content:
    """The octets of a message, shared by its copies."""

    raw: bytes

    @cached_property
    def root(self) -> Part:
        """The MIME structure."""
        return read_parts(self.raw)


@dataclass(slots=True, eq=False, kw_only=True)
class StoredMessage:
    """One message of one folder."""

    uid: int
    content: Content
    internal_date: datetime
    flags: frozenset[str]
    is_recent: bool = True
    """No session has been told of it yet that could have acted on it (RFC 3501 section 2.3.2, \\Recent)."""
    source: str | None = None
    """Id of the message in the sandbox's inbox that it came from."""
