"""Names of folders between IMAP's octets and text: modified UTF-7, read strictly, and back to the very same octets."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Final

from domain.mailbox import INBOX, LONGEST_FOLDER, is_inbox
from domain.text import has_control_character

_PRINTABLE: Final = range(0x20, 0x7F)
_LONGEST_ENCODED: Final = 3 * LONGEST_FOLDER


def decode(octets: bytes) -> str | None:
    """
    Returns the text of a name in modified UTF-7 (RFC 3501 section 5.1.3); None for anything that is not exactly that.

    What decodes here encodes to the same octets again, so that the text alone opens the folder.
    """
    parts: list[str] = []
    rest = octets
    try:
        while rest:
            plain, shift, rest = rest.partition(b"&")
            parts.append(plain.decode("ascii"))
            if not shift:
                break
            coded, end, rest = rest.partition(b"-")
            if not end:
                return None
            parts.append(_decoded(coded) if coded else "&")
    except (ValueError, binascii.Error):  # UnicodeError is a ValueError
        return None
    text = "".join(parts)
    return text if encode(text) == octets else None


def encode(text: str) -> bytes:
    """Returns *text* in modified UTF-7."""
    parts: list[bytes] = []
    waiting: list[str] = []

    def flush() -> None:
        if waiting:
            coded = b64encode("".join(waiting).encode("utf-16-be")).rstrip(b"=").replace(b"/", b",")
            parts.append(b"&" + coded + b"-")
            waiting.clear()

    for character in text:
        if ord(character) not in _PRINTABLE:
            waiting.append(character)
            continue
        flush()
        parts.append(b"&-" if character == "&" else character.encode())
    flush()
    return b"".join(parts)


def shown(octets: bytes, *, is_utf8: bool) -> str | None:
    """
    Returns the name of a folder as callers see it, None for one that cannot be shown.

    *is_utf8*: the server was told UTF8=ACCEPT and names are UTF-8 (RFC 6855). Else a name that is no modified UTF-7 is
    shown raw: as ASCII, as UTF-8 where it is that, as Latin-1 where it is neither.
    """
    text = _raw(octets) if is_utf8 else decode(octets)
    if text is None:
        text = _raw(octets)
    if not text or has_control_character(text) or len(text.encode()) > LONGEST_FOLDER:
        return None
    return INBOX if is_inbox(text) else text


def candidates(name: str, *, is_utf8: bool) -> tuple[bytes, ...]:
    """
    Returns the octets that the server may know the folder *name* by, the likeliest first.

    More than one only where a raw name could have been shown so: the next one is tried when the former is no folder.
    """
    written = (name.encode(),) if is_utf8 else (encode(name), name.encode())
    latin = (name.encode("latin-1"),) if all(ord(character) < 0x100 for character in name) else ()
    return tuple(
        octets
        for octets in dict.fromkeys((*written, *latin))
        if shown(octets, is_utf8=is_utf8) == name and len(octets) <= _LONGEST_ENCODED
    )


def _decoded(coded: bytes) -> str:
    padded = coded.replace(b",", b"/") + b"=" * (-len(coded) % 4)
    return b64decode(padded, validate=True).decode("utf-16-be")


def _raw(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")
