"""A message in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Final

from service.sandbox.imap.parts import Part, read_parts
from service.sandbox.spool import IN_MEMORY, Spool


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
    """The octets of a message, shared by its copies; on disk when they are many."""

    source: Spool

    @property
    def size_bytes(self) -> int:
        """How many octets there are."""
        return self.source.size_bytes

    @property
    def root(self) -> Part:
        """The MIME structure, with the octets; kept for messages that are kept in memory anyway."""
        return self._small_root if self.size_bytes <= IN_MEMORY else _large_root(self)

    @cached_property
    def _small_root(self) -> Part:
        return read_parts(self.source.read())


@lru_cache(maxsize=1)  # a client that fetches a large message does so in many pieces, one after the other
def _large_root(content: Content) -> Part:
    return read_parts(content.source.read())


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
