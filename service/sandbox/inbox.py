"""The sandbox's inbox: what its mail server received, in memory and bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, NewType, Protocol

from service.sandbox.reading import Contents, read_contents, read_headers
from service.sandbox.spool import Spool

MessageId = NewType("MessageId", str)
"""A decimal number, rising by one with each message and never given twice, not even after `Inbox.clear`."""

DEFAULT_MAX_MESSAGES: Final = 1_000
DEFAULT_MAX_BYTES: Final = 256 * 1024 * 1024
_HEADER_OCTETS: Final = 4 * 1024 * 1024
"""Octets of a message in which its headers are looked for, so that a large one is not read whole."""


@dataclass(frozen=True, eq=False)  # not slotted: cached_property keeps what it read in the instance's dict
class ReceivedMessage:
    """A message as the mail server took it, with the envelope it came in."""

    id: MessageId
    receive_time: datetime
    sender: str
    """Envelope sender (RFC 5321 section 4.1.1.2); empty for the null reverse-path."""
    recipients: tuple[str, ...]
    """Envelope recipients that were accepted, in the order given."""
    source: Spool
    """What `raw` returns, on disk when it is large."""
    tls_version: str
    """As OpenSSL names it, e.g. ``TLSv1.3``; empty if the connection had none."""
    username: str
    """Who signed in."""
    is_smtputf8: bool

    @property
    def raw(self) -> bytes:
        """The octets after DATA, dot-stuffing removed, nothing added; or what Graph sent. Read anew each time."""
        return self.source.read()

    @property
    def size_bytes(self) -> int:
        """How many octets there are."""
        return self.source.size_bytes

    @cached_property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Name and decoded value of each header, in order."""
        return read_headers(self.source.read(count=_HEADER_OCTETS))

    def header(self, name: str) -> str:
        """Returns the first header of that name, decoded, or an empty text; case is no matter."""
        return next((value for found, value in self.headers if found.casefold() == name.casefold()), "")

    @property
    def subject(self) -> str:
        """The Subject header, decoded."""
        return self.header("Subject")

    @property
    def message_id(self) -> str:
        """The Message-ID header with its angle brackets."""
        return self.header("Message-ID").strip()

    def contents(self) -> Contents:
        """Returns bodies and attachments. Read anew each time, so that a large message is not kept twice."""
        return read_contents(self.raw)


class InboxObserver(Protocol):
    """Who is told at once of what comes and goes."""

    def arrived(self, message: ReceivedMessage) -> None:
        """Told after *message* was kept, and before `dropped` of what had to go for it."""
        ...

    def dropped(self, message_ids: Collection[MessageId]) -> None:
        """Told after these messages were dropped."""
        ...


class Inbox:
    """
    Received messages, newest last; when a bound is passed, the oldest are dropped.

    The newest message is always kept, even one that is larger than *max_bytes* alone. To be used from one event loop.
    """

    def __init__(self, *, max_messages: int = DEFAULT_MAX_MESSAGES, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._messages: dict[MessageId, ReceivedMessage] = {}
        self._size_bytes = 0
        self._last_number = 0
        self._arrived = asyncio.Condition()
        self.observers: list[InboxObserver] = []

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[ReceivedMessage]:
        """Goes through a copy of the list, oldest first, so that arrivals meanwhile do no harm."""
        return iter(tuple(self._messages.values()))

    @property
    def size_bytes(self) -> int:
        """Returns the size of all messages together."""
        return self._size_bytes

    def get(self, message_id: str) -> ReceivedMessage | None:
        """Returns the message with that id, or None if there is none (any more)."""
        return self._messages.get(MessageId(message_id))

    def newest(self, matching: Callable[[ReceivedMessage], bool] = lambda _: True) -> list[ReceivedMessage]:
        """Returns the messages that match, newest first."""
        return [message for message in reversed(self._messages.values()) if matching(message)]

    async def add(
        self,
        *,
        receive_time: datetime,
        sender: str,
        recipients: tuple[str, ...],
        raw: bytes | Spool,
        tls_version: str = "",
        username: str = "",
        is_smtputf8: bool = False,
    ) -> ReceivedMessage:
        """Keeps a message, drops the oldest ones that no longer fit, and wakes everybody in `wait_for`."""
        source = raw if isinstance(raw, Spool) else Spool(raw)
        async with self._arrived:
            self._last_number += 1
            message = ReceivedMessage(
                id=MessageId(str(self._last_number)),
                receive_time=receive_time,
                sender=sender,
                recipients=recipients,
                source=source,
                tls_version=tls_version,
                username=username,
                is_smtputf8=is_smtputf8,
            )
            self._messages[message.id] = message
            self._size_bytes += source.size_bytes
            for observer in self.observers:
                observer.arrived(message)
            self._drop_oldest()
            self._arrived.notify_all()
        return message

    async def wait_for(self, matching: Callable[[ReceivedMessage], bool], within: timedelta) -> ReceivedMessage:
        """
        Returns the oldest message that matches, waiting for it to arrive if there is none yet.

        Raises TimeoutError if none has come *within* the time.
        """
        seen = 0
        try:
            async with asyncio.timeout(within.total_seconds()), self._arrived:
                while True:
                    for message in self:
                        if int(message.id) > seen and matching(message):
                            return message
                    seen = self._last_number
                    await self._arrived.wait()
        except TimeoutError:
            raise TimeoutError(f"no such message arrived in the sandbox within {within}") from None

    def clear(self) -> int:
        """Drops all messages and returns how many there were."""
        dropped = set(self._messages)
        self._messages.clear()
        self._size_bytes = 0
        self._tell_dropped(dropped)
        return len(dropped)

    def _drop_oldest(self) -> None:
        dropped: set[MessageId] = set()
        while len(self._messages) > 1 and (
            len(self._messages) > self._max_messages or self._size_bytes > self._max_bytes
        ):
            oldest = next(iter(self._messages))
            self._size_bytes -= self._messages.pop(oldest).size_bytes
            dropped.add(oldest)
        self._tell_dropped(dropped)

    def _tell_dropped(self, message_ids: Collection[MessageId]) -> None:
        if message_ids:
            for observer in self.observers:
                observer.dropped(message_ids)
