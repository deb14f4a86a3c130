"""Commands about the session itself (RFC 3501 section 6.1, RFC 2971, 5161, 2342), and IDLE (RFC 2177)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import Any, Final

from service.sandbox.imap.answers import Ended, Malformed
from service.sandbox.imap.session import LOGOUT_AFTER, Session
from service.sandbox.imap.syntax import Cursor

_UTF8: Final = "UTF8=ACCEPT"
_STILL_HERE: Final = timedelta(minutes=2)
"""How often an idling client is told that the server lives, as Dovecot does."""


async def capability(session: Session, cursor: Cursor) -> str:
    """CAPABILITY."""
    cursor.end()
    session.tell(f"* CAPABILITY {session.capabilities}".encode())
    return "OK Capabilities listed"


async def noop(session: Session, cursor: Cursor) -> str:
    """NOOP and CHECK: changes are told as with any command."""
    cursor.end()
    return "OK Done"


async def logout(session: Session, cursor: Cursor) -> str:
    """LOGOUT."""
    cursor.end()
    session.tell(b"* BYE Logging out")
    session.is_over = True
    session.view = None
    return "OK Logged out"


async def identify(session: Session, cursor: Cursor) -> str:
    """ID: what the client says is taken and forgotten."""
    cursor.space()
    if not cursor.skip(b"NIL"):
        cursor.list_of(lambda: cursor.skip(b"NIL") or cursor.string(), may_be_empty=True)
    cursor.end()
    session.tell(b'* ID ("name" "mailport sandbox")')
    return "OK Identified"


async def namespace(session: Session, cursor: Cursor) -> str:
    """NAMESPACE: one personal namespace, without a prefix."""
    cursor.end()
    session.tell(b'* NAMESPACE (("" "/")) NIL NIL')
    return "OK Namespaces listed"


async def enable(session: Session, cursor: Cursor) -> str:
    """ENABLE: UTF8=ACCEPT is all there is to enable; what is unknown is left out (RFC 5161 section 3.1)."""
    asked = []
    while not cursor.at_end():
        cursor.space()
        asked.append(cursor.word())
    if not asked:
        raise Malformed("ENABLE names capabilities")
    enabled = _UTF8 in asked and _UTF8 not in session.site.without
    session.takes_utf8 |= enabled
    session.tell(f"* ENABLED {_UTF8}".encode() if enabled else b"* ENABLED")
    return "OK Enabled"


async def idle(session: Session, cursor: Cursor) -> str:
    """IDLE: tells of changes as they happen, until DONE, the end of the token, or `LOGOUT_AFTER`."""
    cursor.end()
    session.tell_news(expunges=True)
    session.tell(b"+ idling")
    await session.connection.drain()
    changed = asyncio.Event()
    folder = session.view.folder if session.view is not None else None
    if folder is not None:
        folder.listeners.add(changed)
    line = asyncio.ensure_future(session.connection.read_line())
    try:
        async with asyncio.timeout(LOGOUT_AFTER.total_seconds()):
            while not line.done():
                await _idle_on(session, line, changed)
        if line.result().upper() != b"DONE":
            raise Malformed("DONE ends IDLE")
    finally:
        line.cancel()
        with contextlib.suppress(asyncio.CancelledError, Ended, Malformed):
            await line
        if folder is not None:
            folder.listeners.discard(changed)
    return "OK Idle ended"


async def _idle_on(session: Session, line: asyncio.Future[bytes], changed: asyncio.Event) -> None:
    """Waits for a line or a change, and tells of the change."""
    left = session.time_left()
    wait = _STILL_HERE if left is None else min(_STILL_HERE, left)
    waiting: set[asyncio.Future[Any]] = {line, asyncio.ensure_future(changed.wait())}
    try:
        done, _ = await asyncio.wait(waiting, timeout=wait.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for future in waiting - {line}:
            future.cancel()
    session.require_token()
    if not done:
        session.tell(b"* OK Still here")
    changed.clear()
    session.tell_news(expunges=True)
    await session.connection.drain()
