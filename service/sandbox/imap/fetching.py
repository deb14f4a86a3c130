"""What FETCH asks for, and the answer for one message (RFC 3501 section 6.4.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from service.sandbox.imap.answers import Malformed
from service.sandbox.imap.messages import StoredMessage
from service.sandbox.imap.parts import Part
from service.sandbox.imap.sections import Section, read_section
from service.sandbox.imap.structure import body_structure, envelope
from service.sandbox.imap.syntax import Cursor
from service.sandbox.imap.wire import date_time, literal

Render: TypeAlias = Callable[[StoredMessage], bytes]

_FAST: Final = ("FLAGS", "INTERNALDATE", "RFC822.SIZE")
_MACROS: Final = {"FAST": _FAST, "ALL": (*_FAST, "ENVELOPE"), "FULL": (*_FAST, "ENVELOPE", "BODY")}


def _of_root(name: str, of: Callable[[Part], bytes]) -> Render:
    return lambda message: name.encode() + b" " + of(message.content.root)


_SIMPLE: Final[dict[str, Render]] = {
    "UID": lambda message: b"UID %d" % message.uid,
    "INTERNALDATE": lambda message: b"INTERNALDATE " + date_time(message.internal_date),
    "RFC822.SIZE": lambda message: b"RFC822.SIZE %d" % message.content.size_bytes,
    "RFC822.HEADER": _of_root("RFC822.HEADER", lambda root: literal(root.header_octets)),
    "RFC822.TEXT": _of_root("RFC822.TEXT", lambda root: literal(root.body_octets)),
    "RFC822": _of_root("RFC822", lambda root: literal(root.raw)),
    "ENVELOPE": _of_root("ENVELOPE", envelope),
    "BODY": _of_root("BODY", lambda root: body_structure(root, extended=False)),
    "BODYSTRUCTURE": _of_root("BODYSTRUCTURE", lambda root: body_structure(root, extended=True)),
}
_MARKS_SEEN: Final = frozenset({"RFC822", "RFC822.TEXT"})


@dataclass(frozen=True, slots=True)
class FetchItems:
    """What to answer for each message."""

    renders: tuple[Render, ...]
    has_flags: bool
    has_uid: bool
    marks_seen: bool

    def answer(self, message: StoredMessage) -> list[bytes]:
        """Returns the items but the flags, which are the session's affair."""
        return [render(message) for render in self.renders]


def read_fetch_items(cursor: Cursor) -> FetchItems:
    """Reads a macro, one item or a list of them. Raises Malformed."""
    asked = _Asked(cursor)
    if cursor.comes(b"("):
        cursor.list_of(asked.take_one)
    else:
        asked.take_macro_or_one()
    return FetchItems(
        renders=tuple(asked.renders.values()),
        has_flags=asked.has_flags,
        has_uid="UID" in asked.renders,
        marks_seen=asked.marks_seen,
    )


class _Asked:
    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.renders: dict[str, Render] = {}
        self.has_flags = False
        self.marks_seen = False

    def take_macro_or_one(self) -> None:
        name = self._cursor.name()
        if name in _MACROS:
            for item in _MACROS[name]:
                self._take(item)
        else:
            self._take(name)

    def take_one(self) -> None:
        self._take(self._cursor.name())

    def _take(self, name: str) -> None:
        if name == "FLAGS":
            self.has_flags = True
        elif name in {"BODY", "BODY.PEEK"} and self._cursor.comes(b"["):
            section = read_section(self._cursor)
            self.marks_seen |= name == "BODY"
            self.renders[section.label.decode("latin-1") + str(section.partial)] = _section(section)
        elif name in _SIMPLE:
            self.marks_seen |= name in _MARKS_SEEN
            self.renders[name] = _SIMPLE[name]
        else:
            raise Malformed(f"There is no FETCH item {name}")


def _section(section: Section) -> Render:
    def render(message: StoredMessage) -> bytes:
        octets = section.of(message.content.root)
        return section.label + b" " + (b"NIL" if octets is None else literal(octets))

    return render
