"""The messages of all mailboxes, in memory and bounded."""

from __future__ import annotations

import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from service.sandbox.graph.composing import new_message_id
from service.sandbox.graph.errors import invalid_id, item_not_found
from service.sandbox.graph.item import Fields, Folder, Item
from service.sandbox.spool import Spool

_REMEMBERED: Final = 20_000
"""Messages kept of all mailboxes; the oldest are forgotten first."""
_SHORTEST_ID: Final = 20


class Mailboxes:
    """Drafts, sent and deleted messages."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._items: OrderedDict[str, Item] = OrderedDict()
        self._keys: dict[str, str] = {}

    def __iter__(self) -> Iterator[Item]:
        return iter(tuple(self._items.values()))

    def unsaved(self, mailbox: str) -> Item:
        """Returns a message that is in no folder."""
        now = self._now()
        return Item(
            key=uuid.uuid4().hex,
            mailbox=mailbox,
            folder=Folder.DRAFTS,
            fields=Fields(),
            create_time=now,
            modify_time=now,
        )

    def add(self, mailbox: str, fields: Fields, *, mime: Spool | None = None) -> Item:
        """Keeps a draft, which has a Message-ID from the start, and returns it."""
        item = self.unsaved(mailbox)
        message_id = fields.internet_message_id or new_message_id(mailbox)
        item.fields, item.mime = replace(fields, internet_message_id=message_id), mime
        self._keep(item)
        return item

    def find(self, mailbox: str, item_id: str) -> Item:
        """Returns the message with that id, immutable or of its folder. Raises GraphError."""
        if len(item_id) < _SHORTEST_ID:
            raise invalid_id()
        item = self._items.get(self._keys.get(item_id, ""))
        if item is None or item.mailbox != mailbox or not item.is_visible(self._now()):
            raise item_not_found()
        return item

    def list(self, mailbox: str, folder: Folder | None = None) -> list[Item]:
        """Returns the messages of a mailbox or a folder that can be found yet, the newest first."""
        now = self._now()
        return [
            item
            for item in reversed(self._items.values())
            if item.mailbox == mailbox and folder in {None, item.folder} and item.is_visible(now)
        ]

    def delete(self, item: Item) -> None:
        """Moves a message to Deleted Items; one that is there already goes for good."""
        if item.folder is Folder.DELETED_ITEMS:
            self._forget(item)
            return
        self._move(item, Folder.DELETED_ITEMS)
        item.mime = None
        item.attachments.clear()

    def keep_sent(self, item: Item, *, copy_delay: timedelta = timedelta(0)) -> None:
        """Moves what went out, a draft or not, to Sent Items."""
        self._keep(item)
        self._move(item, Folder.SENT_ITEMS)
        item.mime = None
        # Their names and sizes stay to be read; what the inbox has is not kept twice.
        item.attachments = [replace(each, content=Spool()) for each in item.attachments]
        item.is_draft = False
        item.visible_time = self._now() + copy_delay if copy_delay else None

    def counts(self) -> dict[str, dict[str, int]]:
        """Returns by mailbox how many messages are in each folder, late copies included."""
        found: dict[str, Counter[str]] = {}
        for item in self._items.values():
            found.setdefault(item.mailbox, Counter())[item.folder] += 1
        return {mailbox: dict(folders) for mailbox, folders in found.items()}

    def clear(self) -> None:
        """Empties all mailboxes."""
        self._items.clear()
        self._keys.clear()

    def _keep(self, item: Item) -> None:
        self._items[item.key] = item
        self._keys[item.immutable_id] = self._keys[item.folder_id] = item.key
        while len(self._items) > _REMEMBERED:
            self._forget(next(iter(self._items.values())))

    def _move(self, item: Item, folder: Folder) -> None:
        self._keys.pop(item.folder_id, None)
        item.folder = folder
        item.modify_time = self._now()
        self._keys[item.folder_id] = item.key

    def _forget(self, item: Item) -> None:
        self._items.pop(item.key, None)
        self._keys.pop(item.folder_id, None)
        self._keys.pop(item.immutable_id, None)
