"""What is done on an open session, command by command; all of it blocks, in a thread that the caller gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from adapters.imap.conversation import Conversation, Literal, Refused, quoted
from adapters.imap.failures import CannotMove, Gone, ReadOnly
from adapters.imap.names import candidates
from adapters.imap.reading import META, fetched, flags_in, folders, message, section, status
from adapters.imap.searching import Criteria, can_be_ascii, count_in, criteria_of, fits, number, uids_in
from domain.mailbox import INBOX, MOST_FOLDERS, FlagChange, Folder, FolderMessage, MessageQuery
from domain.mailbox_names import LARGEST_NUMBER, MailboxMessageId, PagePosition, query_digest, rebuilt
from domain.ports.mailbox import CHUNK, FolderPage

WINDOW: Final = 5_000
"""Messages that one SEARCH may find: 5,000 UIDs of ten digits stay below the bound of a line."""
_BATCH: Final = 50
"""Messages of one FETCH: their header sections, 64 KiB at most each, stay far below the bound of a reply."""
_MOST_LOOKED_AT: Final = 1_000
"""Messages that one page looks at, where the server was not asked exactly; the next page goes on behind them."""
_NO_FOLDER: Final = frozenset({"NONEXISTENT", "TRYCREATE"})


@dataclass(frozen=True, slots=True)
class Selected:
    """A folder that is open."""

    name: str
    uid_validity: int
    uid_next: int | None
    """None: the server did not tell."""
    exists: int


class Mailbox:
    """An account at its server; `account` is what names carry, *is_utf8* whether folders are named in UTF-8."""

    def __init__(self, conversation: Conversation, *, account: str, is_utf8: bool) -> None:
        self._conversation = conversation
        self._account = account
        self._is_utf8 = is_utf8

    def select(self, folder: str, *, uid_validity: int | None = None, writable: bool = False) -> Selected:
        """
        Opens *folder*; not *writable*: in a way that changes nothing.

        Raises NotReady CURSOR_INVALID when it has another *uid_validity*, Refused when there is no such folder, and
        ReadOnly.
        """
        conversation = self._conversation
        conversation.exists, conversation.uid_validity = 0, b""
        self._for_folder(folder, "SELECT" if writable else "EXAMINE")
        if not conversation.uid_validity:
            raise ValueError("a folder without UIDVALIDITY has no lasting names")
        found = Selected(
            name=folder,
            uid_validity=number(conversation.uid_validity),
            uid_next=next((number(word) for word in reversed(conversation.answers("UIDNEXT"))), None),
            exists=conversation.exists,
        )
        if uid_validity is not None and found.uid_validity != uid_validity:
            raise rebuilt(folder, was=uid_validity, now=found.uid_validity)
        if writable and "READ-ONLY" in conversation.untagged_responses:
            raise ReadOnly
        return found

    def folders(self, *, with_counts: bool) -> tuple[Folder, ...]:
        """Returns all folders, INBOX first, then by name."""
        conversation = self._conversation
        arguments: list[bytes] = [b'""', b"*"]
        if "SPECIAL-USE" in conversation.features and "LIST-EXTENDED" in conversation.features:
            arguments += [b"RETURN", b"(SPECIAL-USE)"]
        found = {
            folder.name: (folder, octets)
            for folder, octets in folders(conversation.execute("LIST", *arguments), is_utf8=self._is_utf8)
        }
        if INBOX not in found:
            found[INBOX] = (Folder(name=INBOX), INBOX.encode())
        names = sorted(found, key=lambda name: (name != INBOX, name))[:MOST_FOLDERS]
        if not with_counts:
            return tuple(found[name][0] for name in names)
        return tuple(self._counted(*found[name]) for name in names)

    def page(self, folder: Selected, *, query: MessageQuery, limit: int, below: int | None = None) -> FolderPage:
        """Returns the newest *limit* messages that *query* chooses, of those with a UID under *below*."""
        criteria = criteria_of(query)
        try:
            return self._page(folder, query, criteria, limit, below)
        except Refused as refused:
            is_charset = refused.code == "BADCHARSET" or "charset" in refused.text.lower()
            if not criteria.is_international or not is_charset or not can_be_ascii(query):
                raise
        return self._page(folder, query, criteria_of(query, in_ascii=True), limit, below)

    def messages(self, folder: Selected, uids: Sequence[int]) -> dict[int, FolderMessage]:
        """Returns those of the messages that are there."""
        found: dict[int, FolderMessage] = {}
        for begin in range(0, len(uids), _BATCH):
            batch = uids[begin : begin + _BATCH]
            for uid, told in fetched(self._fetch(batch, META)).items():
                if uid in batch and b"RFC822.SIZE" in told:
                    found[uid] = message(
                        told, account=self._account, folder=folder.name, uid_validity=folder.uid_validity, uid=uid
                    )
        return found

    def message(self, folder: Selected, uid: int) -> FolderMessage:
        """Returns one message; raises Gone."""
        found = self.messages(folder, [uid]).get(uid)
        if found is None:
            raise Gone
        return found

    def chunk(self, uid: int, name: str, *, begin: int, size: int = CHUNK) -> bytes:
        """Returns octets of a section, fewer than *size* where it ends; raises Gone."""
        item = b"BODY.PEEK[%s]<%d.%d>" % (name.encode(), begin, size)
        told = fetched(self._fetch([uid], b"UID " + item)).get(uid)
        if told is None or not any(key.startswith(b"BODY[") for key in told):
            raise Gone
        octets = section(told, b"BODY[" + name.encode().upper() + b"]")
        if len(octets) > size:
            raise ValueError("more octets came than were asked for")
        return octets

    def set_flags(self, uid: int, change: FlagChange) -> tuple[str, ...]:
        """Adds and removes flags and returns all; raises Gone."""
        for sign, flags in ((b"+", change.add), (b"-", change.remove)):
            if flags:
                listed = b"(" + " ".join(flags).encode() + b")"
                self._conversation.execute("STORE", b"%d" % uid, sign + b"FLAGS.SILENT", listed, uid=True)
        told = fetched(self._fetch([uid], b"UID FLAGS")).get(uid)
        if told is None or b"FLAGS" not in told:
            raise Gone
        return flags_in(told)

    def move(self, folder: Selected, uid: int, target: str) -> MailboxMessageId | None:
        """Moves a message and returns its new name, None where the server does not tell; raises Gone, CannotMove."""
        if not fetched(self._fetch([uid], b"UID")).get(uid):
            raise Gone
        if target == folder.name:
            return MailboxMessageId(self._account, folder.name, folder.uid_validity, uid)
        features = self._conversation.features
        if "MOVE" in features:
            self._for_folder(target, "MOVE", b"%d" % uid)
            return self._moved(target)
        if "UIDPLUS" not in features:
            raise CannotMove
        self._for_folder(target, "COPY", b"%d" % uid)
        moved = self._moved(target)
        self._conversation.execute("STORE", b"%d" % uid, b"+FLAGS.SILENT", b"(\\Deleted)", uid=True)
        self._conversation.execute("EXPUNGE", b"%d" % uid, uid=True)
        return moved

    def last_uid(self, folder: Selected) -> int:
        """Returns the highest UID that the folder has given so far."""
        if folder.uid_next is not None:
            return folder.uid_next - 1
        if not folder.exists:
            return 0
        return max(self._search(b"%d" % folder.exists), default=0)

    def arrived(self, folder: Selected, *, above: int, since_opened: bool) -> list[int]:
        """
        Returns UIDs above *above*, rising; when there are more than one answer holds, the lowest of them.

        *since_opened*: the folder has just been opened, so that there may be any number of them. Raises NotReady
        CURSOR_INVALID when the server has told of another UIDVALIDITY meanwhile.
        """
        conversation = self._conversation
        conversation.has_news = False
        rising = (b"UID", b"%d:*" % min(above + 1, LARGEST_NUMBER))
        may_be_many = since_opened and (folder.uid_next is None or folder.uid_next - above > WINDOW)
        count = self._count(rising) if conversation.exists > WINDOW else None
        if count is not None:
            may_be_many = count > WINDOW
        if conversation.exists <= WINDOW or not may_be_many:
            found = self._above(above, rising)
        else:
            found = self._lowest_above(above, rising, count)
        if number(conversation.uid_validity) != folder.uid_validity:
            raise rebuilt(folder.name, was=folder.uid_validity, now=number(conversation.uid_validity))
        return found

    def look(self) -> None:
        """Asks whether there is news, which proves that the server is there."""
        self._conversation.execute("NOOP")

    def _lowest_above(self, above: int, rising: tuple[bytes, ...], count: int | None) -> list[int]:
        # All at once would be above the bound of a line. Numbers fall when others expunge, which the server tells.
        conversation = self._conversation
        begin = max(1, conversation.exists - count + 1) if count is not None else 1
        while begin <= conversation.exists:
            end = min(begin + WINDOW - 1, conversation.exists)
            before = conversation.expunged
            if found := self._above(above, (b"%d:%d" % (begin, end), *rising)):
                return found
            begin = max(1, end + 1 - (conversation.expunged - before))
        return []

    def _above(self, above: int, criteria: tuple[bytes, ...]) -> list[int]:
        # "n:*" holds the last message even where its UID is below n (RFC 9051 section 9, seq-range).
        return sorted({uid for uid in self._search(*criteria) if uid > above})

    def _page(
        self, folder: Selected, query: MessageQuery, criteria: Criteria, limit: int, below: int | None
    ) -> FolderPage:
        found: list[FolderMessage] = []
        candidates_left = self._newest_first(folder, criteria, below=below, wanted=limit + 1)
        looked_at, last = 0, 0
        while len(found) < limit and looked_at < _MOST_LOOKED_AT:
            batch = list(islice(candidates_left, min(_BATCH, limit - len(found))))
            if not batch:
                return FolderPage(tuple(found))
            told = self.messages(folder, batch)
            found += [told[uid] for uid in batch if uid in told and fits(told[uid], criteria.local)]
            looked_at, last = looked_at + len(batch), batch[-1]
        if next(candidates_left, None) is None:
            return FolderPage(tuple(found))
        position = PagePosition(self._account, folder.name, folder.uid_validity, last, query_digest(query))
        return FolderPage(tuple(found), position)

    def _newest_first(self, folder: Selected, criteria: Criteria, *, below: int | None, wanted: int) -> Iterator[int]:
        """Yields the UIDs under *below*, falling, from as few and as small answers as the server allows."""
        under = (b"UID", b"1:%d" % (below - 1)) if below is not None else ()
        if below is not None and below <= 1:
            return
        top, step = folder.exists, WINDOW
        if criteria.is_everything:
            step = wanted  # every message of a window fits
            if under and (count := self._count(under)) is not None:
                top = count
        elif top > WINDOW:
            count = self._count((*under, *criteria.arguments), criteria)
            if count == 0:
                return
            if count is not None and count <= WINDOW:
                yield from self._falling(below, (*under, *criteria.arguments), criteria)
                return
        while top >= 1:
            # By number, not UID: numbers have no gaps. When others expunge, the rest moves up and nothing is missed.
            begin = max(1, top - step + 1)
            last = None
            for last in self._falling(below, (b"%d:%d" % (begin, top), *under, *criteria.arguments), criteria):
                yield last
            if last is None:
                step = min(2 * step, WINDOW)
            else:
                below = last
            top = begin - 1

    def _falling(self, below: int | None, arguments: tuple[bytes, ...], criteria: Criteria) -> list[int]:
        found = set(self._search(*arguments, international=criteria.is_international))
        return sorted((uid for uid in found if below is None or uid < below), reverse=True)

    def _search(self, *arguments: bytes, international: bool = False) -> list[int]:
        charset = (b"CHARSET", b"UTF-8") if international and not self._is_utf8 else ()
        return uids_in(self._conversation.execute("SEARCH", *charset, *arguments, uid=True))

    def _count(self, arguments: tuple[bytes, ...], criteria: Criteria | None = None) -> int | None:
        """Returns how many messages there are, None where the server cannot count (RFC 4731)."""
        if not {"ESEARCH", "IMAP4REV2"} & self._conversation.features:
            return None
        international = criteria is not None and criteria.is_international
        charset = (b"CHARSET", b"UTF-8") if international and not self._is_utf8 else ()
        self._conversation.execute("SEARCH", b"RETURN", b"(COUNT)", *charset, *arguments, uid=True)
        return count_in(self._conversation.answers("ESEARCH"))

    def _fetch(self, uids: Sequence[int], items: bytes) -> list[object]:
        listed = b",".join(b"%d" % uid for uid in uids)
        return self._conversation.execute("FETCH", listed, b"(" + items + b")", uid=True)

    def _counted(self, folder: Folder, octets: bytes) -> Folder:
        if not folder.selectable:
            return folder
        try:
            told = status(self._conversation.execute("STATUS", self._argument(octets), b"(MESSAGES UNSEEN)"))
        except Refused as refused:
            if refused.status == "BYE":
                raise
            return folder  # no right to look into it, or gone meanwhile
        return Folder(
            name=folder.name,
            delimiter=folder.delimiter,
            special_use=folder.special_use,
            selectable=folder.selectable,
            message_count=told.get(b"MESSAGES"),
            unseen_count=told.get(b"UNSEEN"),
        )

    def _for_folder(self, folder: str, command: str, *first: bytes) -> None:
        """Gives a command about *folder*, by each of the names that it may have at the server until one is taken."""
        names = candidates(folder, is_utf8=self._is_utf8)
        for place, octets in enumerate(names, 1):
            try:
                self._conversation.execute(command, *first, self._argument(octets), uid=bool(first))
            except Refused as refused:
                if refused.status != "NO" or place == len(names):
                    raise
            else:
                return
        raise Refused("NO", b"[NONEXISTENT] No server lists a folder by that name")

    def _argument(self, octets: bytes) -> bytes:
        return quoted(octets) if octets.isascii() or self._is_utf8 else Literal(octets)

    def _moved(self, target: str) -> MailboxMessageId | None:
        """Reads COPYUID (RFC 4315): UIDVALIDITY of the target, UIDs there before, UIDs there now."""
        told = self._conversation.answers("COPYUID")
        if not told or not isinstance(told[-1], bytes):
            return None
        words = told[-1].split()
        if len(words) != 3 or not words[2].isdigit():
            return None
        return MailboxMessageId(self._account, target, number(words[0]), number(words[2]))
