"""LIST with selection and return options (RFC 3501 section 6.3.8, RFC 5258, 5819, 6154), and LSUB."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.mailbox import Mailbox
from service.sandbox.imap.patterns import fits
from service.sandbox.imap.session import Session
from service.sandbox.imap.status import read_status_items, status_line
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.wire import listing, string

_SELECTIONS: Final = frozenset({"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
_RETURNS: Final = frozenset({"SUBSCRIBED", "CHILDREN", "SPECIAL-USE"})


@dataclass(slots=True)
class _Asked:
    selections: set[str] = field(default_factory=set)
    returns: set[str] = field(default_factory=set)
    status: tuple[str, ...] = ()


async def list_folders(session: Session, cursor: Cursor) -> str:
    """LIST."""
    cursor.space()
    asked = _Asked()
    if cursor.comes(b"("):
        asked.selections.update(cursor.list_of(cursor.name, may_be_empty=True))
        cursor.space()
    if asked.selections - _SELECTIONS or asked.selections in ({"RECURSIVEMATCH"}, {"RECURSIVEMATCH", "REMOTE"}):
        raise Malformed("These selection options are not supported")
    reference = session.decode_name(cursor.astring())
    cursor.space()
    is_many = cursor.comes(b"(")
    raw = cursor.list_of(cursor.pattern) if is_many else [cursor.pattern()]
    _read_returns(cursor, asked)
    cursor.end()
    if raw == [b""] and not is_many:
        session.tell(b'* LIST (\\Noselect) "/" ""')
        return "OK Listed"
    _tell(session, "LIST", _names(session, reference, raw), asked)
    return "OK Listed"


async def list_subscribed(session: Session, cursor: Cursor) -> str:
    """LSUB."""
    cursor.space()
    reference = session.decode_name(cursor.astring())
    cursor.space()
    names = _names(session, reference, [cursor.pattern()])
    cursor.end()
    _tell(session, "LSUB", names, _Asked(selections={"SUBSCRIBED"}))
    return "OK Listed"


def _read_returns(cursor: Cursor, asked: _Asked) -> None:
    if cursor.at_end():
        return
    cursor.space()
    cursor.expect(b"RETURN")
    cursor.space()

    def option() -> None:
        name = cursor.name()
        if name == "STATUS":
            cursor.space()
            asked.status = read_status_items(cursor)
        elif name in _RETURNS:
            asked.returns.add(name)
        else:
            raise Malformed(f"There is no return option {name}")

    cursor.list_of(option, may_be_empty=True)


def _names(session: Session, reference: str, raw: Iterable[bytes]) -> list[str]:
    patterns = [reference + session.decode_name(pattern) for pattern in raw]
    user = session.user
    candidates = [*user.names(), *sorted(user.subscribed - set(user.names()))]
    return [name for name in candidates if any(fits(name, pattern) for pattern in patterns)]


def _tell(session: Session, word: str, names: list[str], asked: _Asked) -> None:
    user = session.user
    for name in names:
        folder = user.get(name)
        if not _is_selected(user, name, asked.selections):
            continue
        attributes = _attributes(user, name, with_subscribed="SUBSCRIBED" in asked.selections | asked.returns)
        encoded = string(session.encode_name(name))
        session.tell(b"* " + word.encode() + b" " + listing(map(str.encode, attributes)) + b' "/" ' + encoded)
        if asked.status and folder is not None:
            session.tell(status_line(folder, encoded, asked.status))


def _is_selected(user: Mailbox, name: str, selections: set[str]) -> bool:
    folder = user.get(name)
    checks: dict[str, Callable[[], bool]] = {
        "SUBSCRIBED": lambda: name in user.subscribed,
        "SPECIAL-USE": lambda: folder is not None and bool(folder.special_use),
    }
    if folder is None and "SUBSCRIBED" not in selections:
        return False
    return all(check() for selection, check in checks.items() if selection in selections)


def _attributes(user: Mailbox, name: str, *, with_subscribed: bool) -> list[str]:
    folder = user.get(name)
    found = ["\\HasChildren" if user.has_children(name) else "\\HasNoChildren"]
    if folder is None:  # subscribed to, and deleted since
        found = ["\\NonExistent"]
    elif folder.special_use:
        found.append(folder.special_use)
    if with_subscribed and name in user.subscribed:
        found.append("\\Subscribed")
    return found
