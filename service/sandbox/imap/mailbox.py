"""One user's mailbox: folders by name, in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from domain.mailbox import is_inbox
from service.sandbox.imap.answers import Refused
from service.sandbox.imap.folder import Folder

INBOX: Final = "INBOX"
DELIMITER: Final = "/"
_MAX_FOLDERS: Final = 1_000
_MAX_NAME: Final = 255
_MAX_MESSAGES: Final = 500_000
_MAX_OWN_BYTES: Final = 256 * 1024 * 1024
_SPECIAL_USES: Final = {"Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Archive": "\\Archive"}


class Mailbox:
    """
    INBOX, Sent, Drafts, Trash and Archive (RFC 6154), and what the user makes.

    *next_uid_validity* gives a number that no folder has had before. Names are text; "/" separates levels.
    """

    def __init__(self, *, next_uid_validity: Callable[[], int]) -> None:
        self._next_uid_validity = next_uid_validity
        self._folders = {INBOX: Folder(uid_validity=next_uid_validity())}
        for name, use in _SPECIAL_USES.items():
            self._folders[name] = Folder(uid_validity=next_uid_validity(), special_use=use)
        self.subscribed = set(self._folders)

    @property
    def inbox(self) -> Folder:
        """Where mail arrives."""
        return self._folders[INBOX]

    @property
    def folders(self) -> Collection[Folder]:
        """All folders."""
        return self._folders.values()

    def names(self) -> list[str]:
        """Returns the names of all folders, INBOX first, then sorted."""
        return sorted(self._folders, key=lambda name: (name != INBOX, name))

    def get(self, name: str) -> Folder | None:
        """Returns the folder of that name; INBOX in any case."""
        return self._folders.get(canonical_name(name))

    def find(self, name: str, *, code: str = "NONEXISTENT") -> Folder:
        """Returns the folder of that name, or raises Refused with *code* (RFC 5530, RFC 3501 section 7.1)."""
        folder = self.get(name)
        if folder is None:
            raise Refused(f"[{code}] There is no such folder")
        return folder

    def has_children(self, name: str) -> bool:
        """Tells whether there are folders below *name*."""
        return any(other.startswith(name + DELIMITER) for other in self._folders)

    def create(self, name: str) -> Folder:
        """Makes a folder, and the levels above it (RFC 3501 section 6.3.3). Raises Refused."""
        name = _checked(name.removesuffix(DELIMITER))
        if name in self._folders:
            raise Refused("[ALREADYEXISTS] There is such a folder already")
        if len(self._folders) >= _MAX_FOLDERS:
            raise Refused("[LIMIT] There are too many folders")
        levels = name.split(DELIMITER)
        for count in range(1, len(levels) + 1):
            level = canonical_name(DELIMITER.join(levels[:count]))
            self._folders.setdefault(level, Folder(uid_validity=self._next_uid_validity()))
        return self._folders[name]

    def delete(self, name: str) -> None:
        """Drops a folder with its messages. Raises Refused for INBOX and for a folder with others below it."""
        folder, name = self.find(name), canonical_name(name)
        if name == INBOX:
            raise Refused("[CANNOT] INBOX cannot be deleted")
        if self.has_children(name):
            raise Refused("[INUSE] There are folders below it")
        del self._folders[name]
        folder.end()

    def rename(self, old: str, new: str) -> None:
        """
        Renames a folder and those below it; renaming INBOX moves its messages away (RFC 3501 section 6.3.5).

        Raises Refused.
        """
        folder, old, new = self.find(old), canonical_name(old), new.removesuffix(DELIMITER)
        if old != INBOX and f"{new}{DELIMITER}".startswith(f"{old}{DELIMITER}"):
            raise Refused("[CANNOT] A folder cannot move below itself")
        made = self.create(new)
        if old == INBOX:
            for message in list(folder.messages):
                made.add(
                    message.content, internal_date=message.internal_date, flags=message.flags, source=message.source
                )
            folder.remove(list(folder.messages))
            return
        new = canonical_name(new)
        for name in [name for name in self._folders if name == old or name.startswith(old + DELIMITER)]:
            self._folders[new + name.removeprefix(old)] = self._folders.pop(name)

    def subscribe(self, name: str) -> None:
        """Adds a name to those of LSUB. Raises Refused when there are too many."""
        if len(self.subscribed) >= _MAX_FOLDERS:
            raise Refused("[LIMIT] There are too many subscriptions")
        self.subscribed.add(_checked(name))

    def unsubscribe(self, name: str) -> None:
        """Takes a name away again, if it is there."""
        self.subscribed.discard(canonical_name(name))

    def require_room(self, *, messages: int, size_bytes: int) -> None:
        """Raises Refused when so much more, made by the user and not sent, would be too much."""
        own = [message for folder in self._folders.values() for message in folder.messages if message.source is None]
        size_bytes += sum(message.content.size_bytes for message in own)
        messages += sum(map(len, self._folders.values()))
        if size_bytes > _MAX_OWN_BYTES or messages > _MAX_MESSAGES:
            raise Refused("[OVERQUOTA] The mailbox is full")

    def rebuild(self, name: str) -> Folder:
        """Gives a folder another UIDVALIDITY and its messages new UIDs, as a server does that lost its index (F39)."""
        self._folders[canonical_name(name)] = rebuilt = self.find(name).rebuilt(self._next_uid_validity())
        return rebuilt


def canonical_name(name: str) -> str:
    """Returns *name* with INBOX, as a whole or as the first level, in upper case."""
    first, delimiter, rest = name.partition(DELIMITER)
    return INBOX + delimiter + rest if is_inbox(first) else name


def _checked(name: str) -> str:
    if not name or len(name) > _MAX_NAME or any(not level for level in name.split(DELIMITER)):
        raise Refused("[CANNOT] That is no name for a folder")
    if any(character in "*%" or not character.isprintable() for character in name):
        raise Refused("[CANNOT] That is no name for a folder")
    return canonical_name(name)
