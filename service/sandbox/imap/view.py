"""What one session knows of the folder it has open: message numbers, and what it has been told."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.folder import Folder
from service.sandbox.imap.messages import RECENT, Flag, StoredMessage
from service.sandbox.imap.sequences import SequenceSet
from service.sandbox.imap.wire import flag_list, listing


@dataclass(slots=True, eq=False)
class Entry:
    """A message as the session last saw it."""

    message: StoredMessage
    told_flags: frozenset[str]
    is_recent: bool

    @property
    def flags(self) -> frozenset[str]:
        """The flags to tell this session."""
        return self.message.flags | {RECENT} if self.is_recent else self.message.flags


class View:
    r"""
    Message numbers of a session. They change in `news` only, since the client counts along (RFC 3501 section 7.4.1).

    Whoever sees a message first in a view that is not *read_only* sees it as \Recent, and nobody after that.
    """

    def __init__(self, folder: Folder, *, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self.entries: list[Entry] = []
        self._last_uid = 0
        self._enter_new()
        self._version = folder.version
        self._keywords = folder.keywords

    @property
    def opening(self) -> list[bytes]:
        """The untagged lines that SELECT and EXAMINE answer with (RFC 3501 section 6.3.1)."""
        flags = [flag.encode() for flag in (*Flag, *sorted(self._keywords))]
        changeable = [] if self.read_only else [*flags, b"\\*"]
        unseen = next((number for number, entry in self.numbered() if Flag.SEEN not in entry.flags), None)
        return [
            b"* FLAGS " + listing(flags),
            b"* OK [PERMANENTFLAGS " + listing(changeable) + b"] Flags that last",
            b"* %d EXISTS" % len(self.entries),
            b"* %d RECENT" % self._recent_count(),
            *([] if unseen is None else [b"* OK [UNSEEN %d] First unseen" % unseen]),
            b"* OK [UIDVALIDITY %d] UIDs valid" % self.folder.uid_validity,
            b"* OK [UIDNEXT %d] Predicted next UID" % self.folder.uid_next,
        ]

    def numbered(self) -> Iterator[tuple[int, Entry]]:
        """Goes through the messages and their numbers."""
        return enumerate(self.entries, start=1)

    def chosen(self, numbers: SequenceSet, *, by_uid: bool) -> list[tuple[int, Entry]]:
        """
        Returns the messages of a set, each once, numbers ascending.

        UIDs that are none are left out (RFC 3501 section 6.4.8); a message number that is none raises Malformed.
        """
        found: set[int] = set()
        if by_uid:
            uids = [entry.message.uid for entry in self.entries]
            for part in numbers.within(uids[-1] if uids else 0):
                found.update(range(bisect_left(uids, part.start), bisect_left(uids, part.stop)))
        else:
            if numbers.largest > len(self.entries) or (numbers.has_star and not self.entries):
                raise Malformed("Invalid message set: there are fewer messages")
            for part in numbers.within(len(self.entries)):
                found.update(range(part.start - 1, part.stop - 1))
        return [(index + 1, self.entries[index]) for index in sorted(found)]

    def news(self, *, expunges: bool) -> list[bytes]:
        """
        Returns untagged lines that tell what changed, and takes the changes over.

        Without *expunges* messages keep their numbers, for commands that name messages by number.
        """
        if self._version == self.folder.version:
            return []
        lines = self._expunged() if expunges else []
        if self._enter_new():
            lines += [b"* %d EXISTS" % len(self.entries), b"* %d RECENT" % self._recent_count()]
        lines += self.new_keywords()
        has_held_back = False
        for number, entry in self.numbered():
            if not self.folder.has(entry.message):
                has_held_back = True
            elif entry.message.flags != entry.told_flags:
                entry.told_flags = entry.message.flags
                lines.append(b"* %d FETCH (UID %d FLAGS %s)" % (number, entry.message.uid, flag_list(entry.flags)))
        if not has_held_back:
            self._version = self.folder.version
        return lines

    def new_keywords(self) -> list[bytes]:
        """Returns the line that tells which flags there are, if there are any that were not told of."""
        keywords = self.folder.keywords
        if not keywords - self._keywords:
            return []
        self._keywords |= keywords
        return [b"* FLAGS " + listing(flag.encode() for flag in (*Flag, *sorted(self._keywords)))]

    def _expunged(self) -> list[bytes]:
        gone = [number for number, entry in self.numbered() if not self.folder.has(entry.message)]
        # From the last on, so that the numbers still to be told do not move.
        lines = [b"* %d EXPUNGE" % number for number in reversed(gone)]
        if gone:
            self.entries = [entry for entry in self.entries if self.folder.has(entry.message)]
        return lines

    def _enter_new(self) -> bool:
        new = []
        for message in self.folder.newest_first():
            if message.uid <= self._last_uid:
                break
            new.append(Entry(message, message.flags, message.is_recent))
            if not self.read_only:
                message.is_recent = False
        self.entries += reversed(new)
        self._last_uid = self.entries[-1].message.uid if new else self._last_uid
        return bool(new)

    def _recent_count(self) -> int:
        return sum(entry.is_recent for entry in self.entries)
