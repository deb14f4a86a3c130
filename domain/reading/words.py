"""Header values as text: raw UTF-8 (RFC 6532) and encoded-words (RFC 2047), as people send them; never raises."""

from __future__ import annotations

import re
from typing import Final

from domain.reading.charsets import codec_of, decode, without_surrogates
from domain.reading.model import Defect
from domain.reading.transfer import ContentDecoder

ENCODED_WORD: Final = r"=\?[^?\s]{1,100}\?[BbQq]\?[^?]*\?="
_WORD: Final = re.compile(r"=\?([^?\s]{1,100})\?([BbQq])\?([^?]*)\?=")
_WORD_LIKE: Final = re.compile(r"=\?[A-Za-z0-9_.:*-]{1,60}\?[A-Za-z]\?")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def raw_text(octets: bytes, found: set[Defect]) -> str:
    """Returns a header's octets as text: ASCII or UTF-8; anything else has no place there and is flagged."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        found.add(Defect.HEADER)
        return decode(octets, "x-unknown", found)


def decode_text(octets: bytes, found: set[Defect]) -> str:
    """Returns the value of an unstructured field (RFC 5322 section 2.2.1), decoded, fit to be shown on one line."""
    return clean(decode_words(raw_text(octets, found), found), found)


def clean(text: str, found: set[Defect]) -> str:
    """Returns *text* without blanks around it, and with a blank for each control character, which is flagged."""
    if _UNPRINTABLE.search(text):
        found.add(Defect.HEADER)
        text = _UNPRINTABLE.sub(" ", text)
    return without_surrogates(text).replace("\t", " ").strip()


def decode_words(text: str, found: set[Defect]) -> str:
    """
    Returns *text* with its encoded-words decoded, wherever they stand.

    Neighbours in one charset are joined as octets, since many programs cut within a character.
    """
    if "=?" not in text:
        return text
    pieces: list[str] = []
    charset, pending = "", bytearray()
    end = 0
    for word in _WORD.finditer(text):
        content = _octets(word[2], word[3], found)
        if content is None:
            continue  # left as it stands, with what comes before the next word
        between = text[end : word.start()]
        if end == 0 or between.strip():
            pieces += [_flushed(charset, pending, found), between]
            _look_for_words(between, found)
        elif word[1].lower() != charset:
            pieces.append(_flushed(charset, pending, found))
        charset = word[1].lower()
        pending += content
        end = word.end()
    _look_for_words(text[end:], found)
    return "".join([*pieces, _flushed(charset, pending, found), text[end:]])


def _octets(encoding: str, payload: str, found: set[Defect]) -> bytes | None:
    """Returns what an encoded-word's *payload* stands for; None when nothing of it can be decoded."""
    if encoding in "Bb":
        decoder = ContentDecoder("base64")
    else:
        decoder = ContentDecoder("quoted-printable")
        payload = payload.replace("_", " ")
    content = decoder.feed(payload.encode("utf-8", "replace")) + decoder.finish()
    if decoder.is_broken:
        found.add(Defect.HEADER)
    return None if payload and not content else content


def _flushed(charset: str, pending: bytearray, found: set[Defect]) -> str:
    """Returns the joined words' text and empties *pending*."""
    if not pending:
        return ""
    label = charset.partition("*")[0]  # RFC 2231 section 5: a language may hang on the charset
    text = decode(bytes(pending), label or "x-unknown", found)
    if codec_of(label) is None:
        found.add(Defect.HEADER)
    pending.clear()
    return text


def _look_for_words(text: str, found: set[Defect]) -> None:
    if "=?" in text and _WORD_LIKE.search(text):
        found.add(Defect.HEADER)
