"""Folder names on the wire: modified UTF-7 (RFC 3501 section 5.1.3)."""

from __future__ import annotations

import base64
import re
from typing import Final

_UNSAFE: Final = re.compile(r"[^\x20-\x25\x27-\x7e]+")
_SHIFTED: Final = re.compile(rb"&([A-Za-z0-9+,]*)-")


class NotModifiedUtf7(ValueError):
    """The octets are no name in modified UTF-7."""


def encode_name(name: str) -> bytes:
    """Returns *name* in modified UTF-7."""

    def shifted(found: re.Match[str]) -> str:
        # "&" alone is written as "&-"; next to other characters it is one of theirs.
        pieces = re.split("(&)", found[0])
        return "".join("&-" if piece == "&" else f"&{_base64(piece)}-" for piece in pieces if piece)

    return _UNSAFE.sub(shifted, name).encode("ascii")


def decode_name(data: bytes) -> str:
    """Returns the name that *data* is the one encoding of. Raises NotModifiedUtf7 for anything else."""
    text, end = "", 0
    try:
        for found in _SHIFTED.finditer(data):
            text += data[end : found.start()].decode("ascii") + (_unbase64(found[1]) if found[1] else "&")
            end = found.end()
        text += data[end:].decode("ascii")
    except ValueError:
        raise NotModifiedUtf7 from None
    # One name has one encoding: what was written otherwise (a lone "&", "A" encoded, stray bits) is no name.
    if encode_name(text) != data:
        raise NotModifiedUtf7
    return text


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")


def _unbase64(data: bytes) -> str:
    return base64.b64decode(data.replace(b",", b"/") + b"=" * (-len(data) % 4)).decode("utf-16-be")
