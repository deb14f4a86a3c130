"""A message in a mailbox, and what belongs to it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from service.sandbox.spool import Spool


class Folder(StrEnum):
    """Well-known folders that a message can be in."""

    DRAFTS = "drafts"
    SENT_ITEMS = "sentitems"
    DELETED_ITEMS = "deleteditems"
    INBOX = "inbox"

    @property
    def display_name(self) -> str:
        """Returns what Outlook calls it."""
        return {"drafts": "Drafts", "sentitems": "Sent Items", "deleteditems": "Deleted Items", "inbox": "Inbox"}[self]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A name, which may be empty, and an address."""

    address: str
    name: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns Graph's recipient; without a name the address stands for it."""
        return {"emailAddress": {"name": self.name or self.address, "address": self.address}}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Attachment:
    """A file of a message."""

    attachment_id: str
    name: str
    content_type: str
    content_id: str
    is_inline: bool
    size_bytes: int
    content: Spool
    """Empty once it was sent."""


@dataclass(slots=True, kw_only=True)
class Fields:
    """What a message says, as a client wrote it; recipients and texts are those of the MIME for one that came so."""

    subject: str = ""
    body: str = ""
    body_type: str = "text"
    """``text`` or ``html``."""
    from_: Recipient | None = None
    sender: Recipient | None = None
    to: tuple[Recipient, ...] = ()
    cc: tuple[Recipient, ...] = ()
    bcc: tuple[Recipient, ...] = ()
    reply_to: tuple[Recipient, ...] = ()
    importance: str = "normal"
    internet_message_id: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def recipients(self) -> tuple[str, ...]:
        """Returns whom it goes to, each once, case aside, in order."""
        found = {each.address.casefold(): each.address for each in (*self.to, *self.cc, *self.bcc)}
        return tuple(found.values())


@dataclass(slots=True, eq=False, kw_only=True)
class Item:
    """A draft, or the copy of what was sent."""

    key: str
    """What stays the same wherever it is moved."""
    mailbox: str
    folder: Folder
    fields: Fields
    mime: Spool | None = None
    """As it was given, for one that came so; None also for a sent one, whose content is not kept."""
    attachments: list[Attachment] = field(default_factory=list)
    is_draft: bool = True
    is_leaving: bool = False
    """Whether it is being sent, and can be found no more."""
    create_time: datetime
    modify_time: datetime
    visible_time: datetime | None = None
    """From when on it can be found; None: always."""

    @property
    def immutable_id(self) -> str:
        """Returns the id that survives a move (https://learn.microsoft.com/graph/outlook-immutable-id)."""
        return _id("AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A", self.key)

    @property
    def folder_id(self) -> str:
        """Returns the usual id, which is another one in each folder."""
        return _id("AAMkADI5MAAIT3drCAAA", f"{self.key} {self.folder}")

    def is_visible(self, now: datetime) -> bool:
        """Tells whether it can be found yet."""
        return not self.is_leaving and (self.visible_time is None or now >= self.visible_time)


def folder_id_of(mailbox: str, folder: Folder) -> str:
    """Returns the id of a folder."""
    return _id("AAMkADI5MAAIT3drAQAB", f"{mailbox} {folder}")


def attachment_id_of(item: Item, number: int) -> str:
    """Returns the id of the attachment with that number."""
    return _id("AAMkADI5MAAIT3drAQAC", f"{item.key} {number}")


def _id(prefix: str, what: str) -> str:
    # Ends as Exchange's ids do: a client that does not encode its URLs shows.
    return f"{prefix}{base64.urlsafe_b64encode(hashlib.sha256(what.encode()).digest()).decode()}"
