"""Text of a header as encoded-words (RFC 2047), in UTF-8."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final

_LONGEST_WORD: Final = 75
"""RFC 2047 section 2, delimiters included."""
_SHORTEST_WORD: Final = 24
"""Room for any one character."""
_OVERHEAD: Final = len("=?utf-8?q??=")

# What may stand for itself anywhere, in a phrase too (RFC 2047 section 5, rule 3); the blank becomes an underscore.
_UNSAFE: Final = re.compile(rb"[^A-Za-z0-9!*+/ -]")


def looks_encoded(text: str) -> bool:
    """Tells whether a reader might take a piece of *text* for an encoded-word, so that it has to be encoded itself."""
    return "=?" in text and "?=" in text


def encoded_words(text: str, *, room: int) -> list[str]:
    """
    Returns encoded-words that decode to exactly *text* when put on consecutive lines.

    Each holds whole characters and is at most 75 characters long, the first at most *room* (24 at least is taken for
    granted). The form, B or Q, is the shorter one; cuts are made after blanks where that wastes little.
    """
    octets = text.encode()
    q_length, b_length = len(octets) + 2 * len(_UNSAFE.findall(octets)), (len(octets) + 2) // 3 * 4
    is_q = q_length <= b_length
    room = max(_SHORTEST_WORD, min(room, _LONGEST_WORD)) - _OVERHEAD
    if min(q_length, b_length) <= room:
        return [_q_word(text) if is_q else _b_word(text)]
    words = []
    start = 0
    while start < len(text):
        end = _end_of_word(text, start, room, is_q=is_q)
        words.append(_q_word(text[start:end]) if is_q else _b_word(text[start:end]))
        start, room = end, _LONGEST_WORD - _OVERHEAD
    return words


def _end_of_word(text: str, start: int, room: int, *, is_q: bool) -> int:
    budget = room if is_q else room // 4 * 3
    used = 0
    for position in range(start, len(text)):
        used += _cost(text[position], is_q=is_q)
        if used > budget:
            after_blank = text.rfind(" ", start, position) + 1
            return after_blank if after_blank - start > (position - start) // 2 else position
    return len(text)


def _cost(character: str, *, is_q: bool) -> int:
    octets = character.encode()
    return len(octets) + (2 * len(_UNSAFE.findall(octets)) if is_q else 0)


def _q_word(text: str) -> str:
    safe = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], text.encode())
    return f"=?utf-8?q?{safe.decode('ascii').replace(' ', '_')}?="


def _b_word(text: str) -> str:
    return f"=?utf-8?b?{b64encode(text.encode()).decode('ascii')}?="
