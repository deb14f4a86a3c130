"""
What names a message, a place in a list and a place in time: account, folder, UIDVALIDITY and UID, opaque to callers.

A UID means a message only together with the folder and its UIDVALIDITY (RFC 3501 section 2.3.1.1), and a folder only
together with the account, so each name carries all of them and is refused where one has changed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Final, TypeVar

from domain.errors import InputInvalid, NotReady, Violation
from domain.mailbox_query import MessageQuery
from domain.reasons import Reason
from domain.settings.model import MailboxSettings
from domain.text import has_control_character

LARGEST_NUMBER: Final = 2**32 - 1
"""Of a UID and of a UIDVALIDITY (RFC 3501 section 9: nz-number)."""
LONGEST_NAME: Final = 2_048
"""Characters of the opaque form of any of these."""
_VERSION: Final = 1
_ACCOUNT_OCTETS: Final = 12
_DIGEST_OCTETS: Final = 12
_HEAD: Final = struct.Struct(f">BB{_ACCOUNT_OCTETS}sII")
_MESSAGE: Final = 1
_CURSOR: Final = 2
_PAGE: Final = 3
_ANEW: Final = "Begin anew: list or watch the folder without it."

Named = TypeVar("Named")


def account_of(mailbox: MailboxSettings) -> str:
    """Names the account that *mailbox* opens: the same for the same address at the same host, whatever else changes."""
    written = f"{mailbox.host.name}\0{str(mailbox.email).lower()}"
    return hashlib.sha256(written.encode()).digest()[:_ACCOUNT_OCTETS].hex()


@dataclass(frozen=True, slots=True)
class MailboxMessageId:
    """Names a message for ever: no other one ever has the same."""

    account: str
    """See `account_of`."""
    folder: str
    """Name of the folder, as `Folder.name` gives it."""
    uid_validity: int
    uid: int

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that no server gives."""
        _check(self.account, self.folder, self.uid_validity, self.uid, least=1)

    def __str__(self) -> str:
        """Returns the opaque form: letters, digits, ``-`` and ``_``."""
        return _write(_MESSAGE, self.account, self.folder, self.uid_validity, self.uid)


@dataclass(frozen=True, slots=True)
class WatchCursor:
    """A place in the time of a folder: all with a UID up to `last_uid` has come, and nothing above it."""

    account: str
    folder: str
    uid_validity: int
    last_uid: int
    """0: nothing yet."""

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that no server gives."""
        _check(self.account, self.folder, self.uid_validity, self.last_uid, least=0)

    def __str__(self) -> str:
        """Returns the opaque form: letters, digits, ``-`` and ``_``."""
        return _write(_CURSOR, self.account, self.folder, self.uid_validity, self.last_uid)


@dataclass(frozen=True, slots=True)
class PagePosition:
    """Where the next page of a list begins: below `below_uid`, since lists run from the newest down."""

    account: str
    folder: str
    uid_validity: int
    below_uid: int
    query: str
    """What `query_digest` says of the query that it belongs to."""

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that no server gives."""
        _check(self.account, self.folder, self.uid_validity, self.below_uid, least=1)

    def __str__(self) -> str:
        """Returns the opaque form: letters, digits, ``-`` and ``_``."""
        return _write(_PAGE, self.account, self.folder, self.uid_validity, self.below_uid, self.query)


def query_digest(query: MessageQuery) -> str:
    """Returns what tells one query from another."""
    times = [time.astimezone(UTC).isoformat() if time else "" for time in (query.since_time, query.before_time)]
    named = json.dumps(
        [
            query.from_text,
            query.to_text,
            query.subject,
            query.text,
            *times,
            query.unseen,
            sorted(query.flags),
            sorted(query.without_flags),
        ]
    )
    return hashlib.sha256(named.encode()).digest()[:_DIGEST_OCTETS].hex()


def read_message_id(text: str, *, account: str) -> MailboxMessageId:
    """
    Returns the message that *text* names in *account*.

    Raises NotReady CURSOR_INVALID for what is no name that mailport gave, or one of another account.
    """
    return _read_here(text, _MESSAGE, account, "message id", lambda part: MailboxMessageId(*part[:4]))


def read_cursor(text: str, *, account: str, folder: str) -> WatchCursor | None:
    """
    Returns the place that *text* names in *folder* of *account*; None without a text.

    Raises NotReady CURSOR_INVALID for what is no cursor that mailport gave, or one of another folder or account.
    """
    if not text:
        return None
    cursor = _read_here(text, _CURSOR, account, "cursor", lambda part: WatchCursor(*part[:4]))
    if cursor.folder != folder:
        raise stale("This cursor is one of another folder.")
    return cursor


def read_position(text: str, *, account: str, folder: str, query: MessageQuery) -> PagePosition | None:
    """
    Returns the place that *text* names in the list that *query* makes of *folder*; None without a text.

    Raises InputInvalid PAGE_TOKEN_INVALID for what is no page token of mailport, or one of another list, and NotReady
    CURSOR_INVALID for one of another account, as after a change of the settings.
    """
    if not text:
        return None
    part = _read(text, _PAGE)
    if part is None or (part[1], part[4]) != (folder, query_digest(query)):
        raise InputInvalid(
            [
                Violation(
                    field="page_token",
                    reason=Reason.PAGE_TOKEN_INVALID,
                    message="This page token is not one of mailport's, or it belongs to another list.",
                    remedy="Begin with the first page, without a token, and change nothing else between pages.",
                )
            ]
        )
    if part[0] != account:
        raise stale("This page token is one of another mailbox.")
    return PagePosition(*part)


def stale(message: str) -> NotReady:
    """Returns the error for a name that means nothing any more."""
    return NotReady(message, reason=Reason.CURSOR_INVALID, remedy=_ANEW)


def rebuilt(folder: str, *, was: int, now: int) -> NotReady:
    """Returns the error for a name from before the server gave the folder new UIDs (RFC 3501 section 2.3.1.1)."""
    return stale(f"The folder {folder} was rebuilt (UIDVALIDITY {was}, now {now}), so that names from before are void.")


def _read_here(text: str, kind: int, account: str, what: str, make: Callable[[_Parts], Named]) -> Named:
    part = _read(text, kind)
    if part is None:
        raise stale(f"This {what} is not one that mailport gave.")
    if part[0] != account:
        raise stale(f"This {what} is one of another mailbox.")
    return make(part)


_Parts = tuple[str, str, int, int, str]
"""Account, folder, UIDVALIDITY, UID, digest of the query."""


def _write(kind: int, account: str, folder: str, uid_validity: int, uid: int, query: str = "") -> str:
    head = _HEAD.pack(_VERSION, kind, bytes.fromhex(account), uid_validity, uid)
    return base64.urlsafe_b64encode(head + bytes.fromhex(query) + folder.encode()).decode().rstrip("=")


def _read(text: str, kind: int) -> _Parts | None:
    """Returns what is in an opaque name of *kind*; None for anything that `_write` does not write."""
    if len(text) > LONGEST_NAME:
        return None
    try:
        octets = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        version, found, account, uid_validity, uid = _HEAD.unpack_from(octets)
        rest = octets[_HEAD.size :]
        digest, folder = (rest[:_DIGEST_OCTETS], rest[_DIGEST_OCTETS:]) if kind == _PAGE else (b"", rest)
        parts = (account.hex(), folder.decode(), uid_validity, uid, digest.hex())
        if (version, found) != (_VERSION, kind) or (kind == _PAGE and len(digest) != _DIGEST_OCTETS):
            return None
        _check(*parts[:4], least=0 if kind == _CURSOR else 1)
    except (ValueError, binascii.Error, struct.error):  # UnicodeError is a ValueError
        return None
    return parts if _write(kind, *parts) == text else None  # base64 has spare bits: one name is one text


def _check(account: str, folder: str, uid_validity: int, uid: int, *, least: int) -> None:
    if len(bytes.fromhex(account)) != _ACCOUNT_OCTETS:
        raise ValueError("an account has a name of its own length")
    if not folder or has_control_character(folder):
        raise ValueError("a folder has a name without control characters")
    if not 1 <= uid_validity <= LARGEST_NUMBER or not least <= uid <= LARGEST_NUMBER:
        raise ValueError("UIDs and UIDVALIDITY are numbers of 32 bits")
