"""A folder of a mailbox: its messages by UID, and who wants to hear of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from service.sandbox.imap.messages import Content, StoredMessage


class Folder:
    """
    Messages in the order of their UIDs, which are never given twice under one UIDVALIDITY (RFC 3501 section 2.3.1.1).

    `version` rises with each change. Who adds an event to `listeners` has it set with each change, too.
    """

    def __init__(self, *, uid_validity: int, special_use: str = "") -> None:
        self.uid_validity = uid_validity
        self.special_use = special_use
        self.uid_next = 1
        self.version = 0
        self.listeners: set[asyncio.Event] = set()
        self.is_gone = False
        """It was deleted or rebuilt: sessions that have it open end."""
        self._messages: dict[int, StoredMessage] = {}

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def messages(self) -> Collection[StoredMessage]:
        """All messages, UIDs ascending."""
        return self._messages.values()

    def newest_first(self) -> Iterator[StoredMessage]:
        """Goes through all messages, UIDs descending."""
        return reversed(self._messages.values())

    @property
    def keywords(self) -> frozenset[str]:
        """The flags of all messages that are no system flags."""
        return frozenset(
            flag for message in self._messages.values() for flag in message.flags if not flag.startswith("\\")
        )

    def has(self, message: StoredMessage) -> bool:
        """Tells whether *message* is still here."""
        return self._messages.get(message.uid) is message

    def add(
        self,
        content: Content,
        *,
        internal_date: datetime,
        flags: Iterable[str] = (),
        source: str | None = None,
    ) -> StoredMessage:
        """Keeps a message under the next UID."""
        message = StoredMessage(
            uid=self.uid_next,
            content=content,
            internal_date=internal_date,
            flags=frozenset(flags),
            source=source,
        )
        self.uid_next += 1
        self._messages[message.uid] = message
        self.changed()
        return message

    def remove(self, messages: Iterable[StoredMessage]) -> None:
        """Drops those of *messages* that are still here."""
        for message in messages:
            if self.has(message):
                del self._messages[message.uid]
        self.changed()

    def remove_sources(self, sources: Collection[str]) -> None:
        """Drops what came from these messages of the sandbox's inbox."""
        gone = [message for message in self._messages.values() if message.source in sources]
        if gone:
            self.remove(gone)

    def changed(self) -> None:
        """Tells everybody who listens."""
        self.version += 1
        for listener in self.listeners:
            listener.set()

    def end(self) -> None:
        """Marks the folder as gone."""
        self.is_gone = True
        self.changed()

    def rebuilt(self, uid_validity: int) -> Folder:
        """Returns a folder with the same messages under new UIDs, from 1, and *uid_validity*; this one ends (F39)."""
        other = Folder(uid_validity=uid_validity, special_use=self.special_use)
        for message in self._messages.values():
            other.add(
                message.content,
                internal_date=message.internal_date,
                flags=message.flags,
                source=message.source,
            )
        self.end()
        return other
