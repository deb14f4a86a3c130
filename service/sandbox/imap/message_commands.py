"""Commands about the messages of the open folder (RFC 3501 section 6.4, RFC 4315, 4731, 6851)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from service.sandbox.imap.answers import Malformed, Refused
from service.sandbox.imap.fetching import FetchItems, read_fetch_items
from service.sandbox.imap.folder import Folder
from service.sandbox.imap.messages import Flag
from service.sandbox.imap.search_results import read_return_options, result_line
from service.sandbox.imap.searching import Candidate, read_search
from service.sandbox.imap.session import Session
from service.sandbox.imap.store_flags import FlagChange, read_flag_change
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.view import Entry
from service.sandbox.imap.wire import flag_list, listing, numbers


async def fetch(session: Session, cursor: Cursor, *, by_uid: bool = False) -> str:
    """FETCH and UID FETCH."""
    chosen = _chosen(session, cursor, by_uid=by_uid)
    cursor.space()
    items = read_fetch_items(cursor)
    cursor.end()
    for number, entry in chosen:
        session.tell(_fetched(session, number, entry, items, with_uid=by_uid))
        await session.connection.drain()
    return "OK Fetched"


async def store(session: Session, cursor: Cursor, *, by_uid: bool = False) -> str:
    """STORE and UID STORE."""
    chosen = _chosen(session, cursor, by_uid=by_uid)
    cursor.space()
    change = read_flag_change(cursor)
    cursor.end()
    _require_writable(session)
    view = session.opened
    there = [(number, entry) for number, entry in chosen if view.folder.has(entry.message)]
    for _, entry in there:
        _store(entry, change)
    view.folder.changed()
    session.tell(*view.new_keywords())
    if not change.is_silent:
        for number, entry in there:
            uid = b"UID %d " % entry.message.uid if by_uid else b""
            session.tell(b"* %d FETCH (%sFLAGS %s)" % (number, uid, flag_list(entry.flags)))
    if len(there) < len(chosen):
        raise Refused("[EXPUNGEISSUED] Some of the messages no longer exist")
    return "OK Stored"


async def search(session: Session, cursor: Cursor, *, by_uid: bool = False) -> str:
    """SEARCH and UID SEARCH, in a thread: bodies may be large."""
    cursor.space()
    options = read_return_options(cursor) if "ESEARCH" not in session.site.without else None
    test = read_search(cursor, takes_charset=not session.takes_utf8, has_charsets="CHARSET" not in session.site.without)
    entries = session.opened.entries
    candidates = [
        Candidate(number, entry.message, entry.flags, len(entries), entries[-1].message.uid)
        for number, entry in session.opened.numbered()
    ]
    found = await asyncio.to_thread(lambda: [candidate for candidate in candidates if test(candidate)])
    values = [candidate.message.uid if by_uid else candidate.number for candidate in found]
    session.tell(result_line(values, options, tag=session.tag, by_uid=by_uid))
    return "OK Searched"


async def copy(session: Session, cursor: Cursor, *, by_uid: bool = False) -> str:
    """COPY and UID COPY."""
    chosen, target = _chosen_and_target(session, cursor, by_uid=by_uid)
    code = _copy(session, chosen, target)
    return f"OK {code}Copied"


async def move(session: Session, cursor: Cursor, *, by_uid: bool = False) -> str:
    """MOVE and UID MOVE; the code comes before the messages' EXPUNGE (RFC 6851 section 4.3)."""
    chosen, target = _chosen_and_target(session, cursor, by_uid=by_uid)
    _require_writable(session)
    code = _copy(session, chosen, target)
    if code:
        session.tell(f"* OK {code}Moved".encode())
    session.opened.folder.remove([entry.message for _, entry in chosen])
    # MOVE by number tells here what it removed: clients count on the numbers being told before the answer.
    session.tell_news(expunges=True)
    return "OK Moved"


async def expunge(session: Session, cursor: Cursor) -> str:
    """EXPUNGE."""
    cursor.end()
    return _expunge(session, [entry for _, entry in session.opened.numbered()])


async def uid_expunge(session: Session, cursor: Cursor) -> str:
    """UID EXPUNGE (RFC 4315 section 2.1)."""
    chosen = _chosen(session, cursor, by_uid=True)
    cursor.end()
    return _expunge(session, [entry for _, entry in chosen])


_ByUid: TypeAlias = Callable[[Session, Cursor], Awaitable[str]]
_BY_UID: Final[dict[str, _ByUid]] = {
    "FETCH": lambda session, cursor: fetch(session, cursor, by_uid=True),
    "STORE": lambda session, cursor: store(session, cursor, by_uid=True),
    "SEARCH": lambda session, cursor: search(session, cursor, by_uid=True),
    "COPY": lambda session, cursor: copy(session, cursor, by_uid=True),
    "MOVE": lambda session, cursor: move(session, cursor, by_uid=True),
    "EXPUNGE": uid_expunge,
}
_NEEDED: Final = {"MOVE": "MOVE", "EXPUNGE": "UIDPLUS"}


async def uid(session: Session, cursor: Cursor) -> str:
    """UID with another command (RFC 3501 section 6.4.8)."""
    cursor.space()
    name = cursor.name()
    if name not in _BY_UID or _NEEDED.get(name) in session.site.without:
        raise Malformed(f"There is no command UID {name}")
    return await _BY_UID[name](session, cursor)


def _chosen(session: Session, cursor: Cursor, *, by_uid: bool) -> list[tuple[int, Entry]]:
    cursor.space()
    return session.opened.chosen(cursor.sequence_set(), by_uid=by_uid)


def _chosen_and_target(session: Session, cursor: Cursor, *, by_uid: bool) -> tuple[list[tuple[int, Entry]], Folder]:
    chosen = _chosen(session, cursor, by_uid=by_uid)
    cursor.space()
    name = session.read_name(cursor)
    cursor.end()
    return chosen, session.user.find(name, code="TRYCREATE")


def _fetched(session: Session, number: int, entry: Entry, items: FetchItems, *, with_uid: bool) -> bytes:
    view, message = session.opened, entry.message
    has_flags = items.has_flags
    if items.marks_seen and not view.read_only and Flag.SEEN not in message.flags and view.folder.has(message):
        message.flags |= {Flag.SEEN}
        view.folder.changed()
        has_flags = True
    parts = items.answer(message)
    if has_flags:
        parts.insert(0, b"FLAGS " + flag_list(entry.flags))
        entry.told_flags = message.flags
    if with_uid and not items.has_uid:
        parts.insert(0, b"UID %d" % message.uid)
    return b"* %d FETCH " % number + listing(parts)


def _store(entry: Entry, change: FlagChange) -> None:
    message = entry.message
    # What a silent client asked for it knows; what others changed meanwhile it is told.
    entry.told_flags = change.applied(entry.told_flags) if change.is_silent else change.applied(message.flags)
    message.flags = change.applied(message.flags)


def _copy(session: Session, chosen: list[tuple[int, Entry]], target: Folder) -> str:
    """Copies what is still there and returns the response code with a blank, or nothing."""
    sources = [entry.message for _, entry in chosen if session.opened.folder.has(entry.message)]
    session.user.require_room(messages=len(sources), size_bytes=0)
    copies = [
        target.add(message.content, internal_date=message.internal_date, flags=message.flags, source=message.source)
        for message in sources
    ]
    if not copies or "UIDPLUS" in session.site.without:
        return ""
    old, new = (numbers(message.uid for message in messages).decode() for messages in (sources, copies))
    return f"[COPYUID {target.uid_validity} {old} {new}] "


def _expunge(session: Session, entries: list[Entry]) -> str:
    _require_writable(session)
    folder = session.opened.folder
    folder.remove([entry.message for entry in entries if Flag.DELETED in entry.message.flags])
    return "OK Expunged"


def _require_writable(session: Session) -> None:
    if session.opened.read_only:
        raise Refused("The folder is open for reading only")
