"""What STATUS tells of a folder without opening it (RFC 3501 section 6.3.10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.folder import Folder
from service.sandbox.imap.messages import Flag
from service.sandbox.imap.syntax import Cursor

_ITEMS: Final[dict[str, Callable[[Folder], int]]] = {
    "MESSAGES": len,
    "RECENT": lambda folder: sum(message.is_recent for message in folder.messages),
    "UIDNEXT": lambda folder: folder.uid_next,
    "UIDVALIDITY": lambda folder: folder.uid_validity,
    "UNSEEN": lambda folder: sum(Flag.SEEN not in message.flags for message in folder.messages),
}


def read_status_items(cursor: Cursor) -> tuple[str, ...]:
    """Reads the list of items. Raises Malformed."""
    items = tuple(cursor.list_of(cursor.name))
    for item in items:
        if item not in _ITEMS:
            raise Malformed(f"There is no STATUS item {item}")
    return items


def status_line(folder: Folder, encoded_name: bytes, items: tuple[str, ...]) -> bytes:
    """Returns the untagged line."""
    values = " ".join(f"{item} {_ITEMS[item](folder)}" for item in items)
    return b"* STATUS " + encoded_name + f" ({values})".encode()
