"""Commands about folders (RFC 3501 section 6.3), with UNSELECT (RFC 3691) and APPENDUID (RFC 4315)."""

from __future__ import annotations

from datetime import UTC, datetime

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.messages import Content, Flag
from service.sandbox.imap.session import Session
from service.sandbox.imap.status import read_status_items, status_line
from service.sandbox.imap.store_flags import read_flags
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.view import View
from service.sandbox.imap.wire import string
from service.sandbox.spool import Spool


async def select(session: Session, cursor: Cursor) -> str:
    """SELECT."""
    return _open(session, cursor, read_only=False)


async def examine(session: Session, cursor: Cursor) -> str:
    """EXAMINE."""
    return _open(session, cursor, read_only=True)


async def create(session: Session, cursor: Cursor) -> str:
    """CREATE."""
    session.user.create(_only_name(session, cursor))
    return "OK Created"


async def delete(session: Session, cursor: Cursor) -> str:
    """DELETE."""
    session.user.delete(_only_name(session, cursor))
    return "OK Deleted"


async def rename(session: Session, cursor: Cursor) -> str:
    """RENAME."""
    cursor.space()
    old = session.read_name(cursor)
    session.user.rename(old, _only_name(session, cursor))
    return "OK Renamed"


async def subscribe(session: Session, cursor: Cursor) -> str:
    """SUBSCRIBE."""
    session.user.subscribe(_only_name(session, cursor))
    return "OK Subscribed"


async def unsubscribe(session: Session, cursor: Cursor) -> str:
    """UNSUBSCRIBE."""
    session.user.unsubscribe(_only_name(session, cursor))
    return "OK Unsubscribed"


async def status(session: Session, cursor: Cursor) -> str:
    """STATUS."""
    cursor.space()
    name = session.read_name(cursor)
    cursor.space()
    items = read_status_items(cursor)
    cursor.end()
    session.tell(status_line(session.user.find(name), string(session.encode_name(name)), items))
    return "OK Status told"


async def append(session: Session, cursor: Cursor) -> str:
    """APPEND of one message."""
    cursor.space()
    name = session.read_name(cursor)
    cursor.space()
    flags: frozenset[str] = frozenset()
    instant = datetime.now(UTC)
    if cursor.comes(b"("):
        flags = read_flags(cursor)
        cursor.space()
    if cursor.comes(b'"'):
        instant = cursor.date_time().astimezone(UTC)
        cursor.space()
    if session.takes_utf8 and cursor.skip(b"UTF8 (~"):
        raw = cursor.literal()
        cursor.expect(b")")
    else:
        raw = cursor.literal()
    cursor.end()
    if not raw:
        raise Malformed("A message of no octets cannot be appended")
    folder = session.user.find(name, code="TRYCREATE")
    session.user.require_room(messages=1, size_bytes=len(raw))
    message = folder.add(Content(Spool(raw)), internal_date=instant, flags=flags)
    if "UIDPLUS" in session.site.without:
        return "OK Appended"
    return f"OK [APPENDUID {folder.uid_validity} {message.uid}] Appended"


async def close(session: Session, cursor: Cursor) -> str:
    """CLOSE: drops what is marked as deleted, without telling."""
    cursor.end()
    view = session.opened
    if not view.read_only:
        view.folder.remove([message for message in view.folder.messages if Flag.DELETED in message.flags])
    session.view = None
    return "OK Closed"


async def unselect(session: Session, cursor: Cursor) -> str:
    """UNSELECT."""
    cursor.end()
    session.view = None
    return "OK Unselected"


def _open(session: Session, cursor: Cursor, *, read_only: bool) -> str:
    name = _only_name(session, cursor)
    if session.view is not None:
        session.view = None  # even if the next one cannot be opened
        session.tell(b"* OK [CLOSED] Previous folder closed")
    view = session.view = View(session.user.find(name), read_only=read_only)
    session.tell(*view.opening)
    return "OK [READ-ONLY] Opened" if read_only else "OK [READ-WRITE] Opened"


def _only_name(session: Session, cursor: Cursor) -> str:
    cursor.space()
    name = session.read_name(cursor)
    cursor.end()
    return name
