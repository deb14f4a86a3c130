"""Answers of a server as the domain's values; pure. What is not as it should be is a ValueError, whatever it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from imapclient.response_parser import parse_fetch_response, parse_response

from adapters.imap.names import shown
from domain.mailbox import INBOX, LONGEST_FLAG, LONGEST_HEADER, Folder, FolderMessage, SpecialUse
from domain.mailbox_names import MailboxMessageId
from domain.text import has_control_character

Fetched = Mapping[bytes, Any]
"""What a server told of one message, by item."""

HEADER: Final = b"BODY[HEADER]"
META: Final = b"UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.%d>" % LONGEST_HEADER
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_FLAGS: Final = 200
_DEEP: Final = 100
_ODDITIES: Final = (IndexError, KeyError, TypeError, AttributeError, OverflowError)
"""What the parser and its users run into when a hostile answer has parts of other kinds than it should."""
_USES: Final = {
    b"\\sent": SpecialUse.SENT,
    b"\\drafts": SpecialUse.DRAFTS,
    b"\\trash": SpecialUse.TRASH,
    b"\\junk": SpecialUse.JUNK,
    b"\\archive": SpecialUse.ARCHIVE,
    b"\\all": SpecialUse.ALL,
    b"\\flagged": SpecialUse.FLAGGED,
    b"\\spam": SpecialUse.JUNK,  # Gmail's XLIST word, still seen
}


def fetched(answers: list[Any]) -> dict[int, Fetched]:
    """Returns what FETCH answers tell, by UID; one without a UID stands under its sequence number, so ask for it."""
    if not answers:
        return {}
    _refuse_depth(answers)
    try:
        return dict(parse_fetch_response(answers, normalise_times=False))
    except _ODDITIES as error:
        raise ValueError("an answer to FETCH cannot be read") from error


def message(told: Fetched, *, account: str, folder: str, uid_validity: int, uid: int) -> FolderMessage:
    """Returns the message that *told* is about."""
    try:
        size = told.get(b"RFC822.SIZE")
        received = told.get(b"INTERNALDATE")
        return FolderMessage(
            id=MailboxMessageId(account, folder, uid_validity, uid),
            flags=flags_in(told),
            receive_time=received.astimezone(UTC) if isinstance(received, datetime) else _EPOCH,
            size_bytes=size if isinstance(size, int) else 0,
            header=section(told, HEADER)[:LONGEST_HEADER],
        )
    except _ODDITIES as error:
        raise ValueError("an answer to FETCH cannot be read") from error


def flags_in(told: Fetched) -> tuple[str, ...]:
    r"""Returns the flags, each once, without \Recent, in the order of their names."""
    found = told.get(b"FLAGS", ())
    if not isinstance(found, tuple):
        raise ValueError("flags are a list")
    texts = {str(flag) if isinstance(flag, int) else _text(flag) for flag in found[:_MOST_FLAGS]}
    return tuple(
        sorted(
            text
            for text in texts
            if text and text.lower() != "\\recent" and len(text) <= LONGEST_FLAG and not has_control_character(text)
        )
    )


def section(told: Fetched, name: bytes) -> bytes:
    """Returns the octets of a section, wherever they begin; empty for one that is not there."""
    for item, value in told.items():
        if item == name or item.startswith(name + b"<"):
            if value is None:
                return b""
            return value if isinstance(value, bytes) else str(value).encode()
    return b""


def folders(answers: list[Any], *, is_utf8: bool) -> list[tuple[Folder, bytes]]:
    """Returns the folders in answers to LIST with the octets that open them; what cannot be shown is left out."""
    found: list[tuple[Folder, bytes]] = []
    for flags, delimiter, octets in _triples(answers):
        name = shown(octets, is_utf8=is_utf8)
        if name is None:
            continue
        words = {flag.lower() for flag in flags if isinstance(flag, bytes)}
        use = SpecialUse.INBOX if name == INBOX else next((_USES[word] for word in _USES if word in words), None)
        found.append(
            (
                Folder(
                    name=name,
                    delimiter=_text(delimiter) if isinstance(delimiter, bytes) else "",
                    special_use=use,
                    selectable=not words & {b"\\noselect", b"\\nonexistent"},
                ),
                octets,
            )
        )
    return found


def status(answers: list[Any]) -> dict[bytes, int]:
    """Returns the numbers in an answer to STATUS."""
    if not answers:
        return {}
    items = (_parsed(answers) or ((),))[-1]
    if not isinstance(items, tuple) or len(items) % 2:
        raise ValueError("an answer to STATUS cannot be read")
    pairs = zip(items[::2], items[1::2], strict=True)
    return {name.upper(): value for name, value in pairs if isinstance(name, bytes) and isinstance(value, int)}


def _triples(answers: list[Any]) -> list[tuple[tuple[Any, ...], Any, bytes]]:
    if not answers:
        return []
    parsed = _parsed(answers)
    found: list[tuple[tuple[Any, ...], Any, bytes]] = []
    place = 0
    while place + 2 < len(parsed):
        flags, delimiter, name = parsed[place : place + 3]
        place += 3
        if place < len(parsed) and isinstance(parsed[place], tuple) and _is_extension(parsed[place]):
            place += 1  # LIST-EXTENDED (RFC 5258)
        if not isinstance(flags, tuple):
            raise ValueError("an answer to LIST cannot be read")
        octets = str(name).encode() if isinstance(name, int) else b"NIL" if name is None else name
        if not isinstance(octets, bytes):
            raise ValueError("the name of a folder cannot be read")
        found.append((flags, delimiter, octets))
    return found


def _parsed(answers: list[Any]) -> tuple[Any, ...]:
    _refuse_depth(answers)
    try:
        return tuple(parse_response(answers))
    except _ODDITIES as error:
        raise ValueError("an answer cannot be read") from error


def _is_extension(item: tuple[Any, ...]) -> bool:
    """Tells data of LIST-EXTENDED from the next answer's flags, which are all words with a backslash."""
    return bool(item) and not all(isinstance(word, bytes) and word.startswith(b"\\") for word in item)


def _refuse_depth(answers: list[Any]) -> None:
    """Refuses what is nested deeper than any message is, before a parser that recurses reads it."""
    depth = 0
    for answer in answers:
        text = answer[0] if isinstance(answer, tuple) else answer
        for octet in text:
            if octet == 0x28:
                depth += 1
                if depth > _DEEP:
                    raise ValueError("an answer is nested too deep")
            elif octet == 0x29:
                depth = max(0, depth - 1)


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "replace")
