"""Everybody's mailboxes, filled from the sandbox's inbox."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

from service.sandbox.imap.answers import Refused
from service.sandbox.imap.mailbox import Mailbox
from service.sandbox.imap.messages import Content
from service.sandbox.inbox import Inbox, ReceivedMessage

_MAX_MAILBOXES: Final = 1_000
_EPOCH: Final = datetime(2025, 1, 1, tzinfo=UTC)


class Mailboxes:
    """
    One mailbox a user, made at the first sign-in.

    The *owner* (case aside) sees the whole *inbox*: what was sent to whomever. Anybody else sees what was sent to the
    address that is the user name. What the inbox drops, since it is full or was emptied, goes from every folder.

    UIDVALIDITY grows with the time of the start, so that no UID of a former run of the sandbox is taken for one of
    this (RFC 3501 section 2.3.1.1); it holds to ten starts a second and the year 2038.
    """

    def __init__(self, *, inbox: Inbox, owner: str, now: datetime) -> None:
        self._inbox = inbox
        self._owner = owner.casefold()
        self._mailboxes: dict[str, Mailbox] = {}
        self._uid_validities = itertools.count(int((now - _EPOCH).total_seconds() * 10))
        inbox.observers.append(self)

    def end(self) -> None:
        """Takes no more from the inbox."""
        if self in self._inbox.observers:
            self._inbox.observers.remove(self)

    def of(self, username: str) -> Mailbox:
        """Returns the mailbox of that user, case aside. Raises Refused when there are too many."""
        name = username.casefold()
        if name not in self._mailboxes:
            if len(self._mailboxes) >= _MAX_MAILBOXES:
                raise Refused("[LIMIT] The sandbox has too many mailboxes")
            made = Mailbox(next_uid_validity=lambda: next(self._uid_validities))
            for message in self._inbox:
                if self._sees(name, message):
                    _deliver(message, made)
            self._mailboxes[name] = made
        return self._mailboxes[name]

    def arrived(self, message: ReceivedMessage) -> None:
        """Puts a new message into the mailboxes that it is for."""
        for name, mailbox in self._mailboxes.items():
            if self._sees(name, message):
                _deliver(message, mailbox)

    def dropped(self, message_ids: Collection[str]) -> None:
        """Drops what the inbox has dropped."""
        for mailbox in self._mailboxes.values():
            for folder in mailbox.folders:
                folder.remove_sources(message_ids)

    def _sees(self, name: str, message: ReceivedMessage) -> bool:
        return name == self._owner or name in (recipient.casefold() for recipient in message.recipients)


def _deliver(message: ReceivedMessage, mailbox: Mailbox) -> None:
    mailbox.inbox.add(Content(message.source), internal_date=message.receive_time, source=message.id)
