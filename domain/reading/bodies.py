"""The texts of a message: which parts they are, and their content decoded up to a bound; never raises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from domain.reading.charsets import decode
from domain.reading.fields import cut_octets
from domain.reading.model import LARGEST_BODY_BYTES, Defect
from domain.reading.structure import Leaf
from domain.reading.transfer import ContentDecoder

_SLICE: Final = 128 * 1024
_WIDEST_CHARACTER: Final = 2
"""In octets, of what is one in UTF-8 (UTF-16): a body is read as far as it can still matter."""
_LARGEST_ENCODED: Final = 16 * 1024 * 1024
"""Looked at for a body: all but blanks and line ends of a content this long is text above the bound."""


def text_and_html(leaves: list[Leaf]) -> tuple[Leaf | None, Leaf | None]:
    """Returns the leaves that are the text body and the HTML body, None for one that there is not."""
    bodies = [leaf for index, leaf in enumerate(leaves) if _may_be_body(leaf, is_first=index == 0)]
    return _first(bodies, "text/plain"), _first(bodies, "text/html")


def _first(bodies: list[Leaf], content_type: str) -> Leaf | None:
    """Returns the first of a type, one with content if there is any: what broken structure leaves behind is empty."""
    several = [leaf for leaf in bodies if leaf.entity.content_type == content_type]
    return next((leaf for leaf in several if leaf.end > leaf.start), several[0] if several else None)


def _may_be_body(leaf: Leaf, *, is_first: bool) -> bool:
    if leaf.is_nested or leaf.entity.disposition == "attachment":
        return False
    # Many programs name a file and forget the disposition; a name on the very first part is decoration.
    return is_first or bool(not leaf.entity.file_name or leaf.parent_type == "multipart/alternative")


def body_text(octets: bytes, leaf: Leaf, found: set[Defect], *, is_complete: bool = True) -> str:
    """
    Returns the text of *leaf*, a part of *octets*: line ends as LF, no NUL, at most `LARGEST_BODY_BYTES` in UTF-8.

    Without *is_complete* the end of *octets* may have cut the part.
    """
    content, is_whole = decoded_start(octets, leaf, _WIDEST_CHARACTER * LARGEST_BODY_BYTES, found)
    is_cut = not is_whole or (not is_complete and leaf.end >= len(octets))
    if is_cut:
        found.add(Defect.TRUNCATED)
    text = decode(content, leaf.entity.charset, found, is_cut=is_cut).removeprefix("\ufeff")
    if "\0" in text:
        found.add(Defect.MIME)  # RFC 2045 section 2.7 and RFC 2046 section 4.1: no text holds one
        text = text.replace("\0", "")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return cut_octets(text, LARGEST_BODY_BYTES, found)


def decoded_start(octets: bytes, leaf: Leaf, most: int, found: set[Defect]) -> tuple[bytes, bool]:
    """Returns up to *most* octets of what *leaf* holds, and whether that is all of it; a broken encoding is MIME."""
    decoder = ContentDecoder(leaf.entity.transfer_encoding)
    content = bytearray()
    is_whole = True
    for piece in _slices(octets, leaf):
        content += decoder.feed(piece)
        if len(content) > most:
            is_whole = False
            break
    else:
        content += decoder.finish()
        is_whole = leaf.end - leaf.start <= _LARGEST_ENCODED
    if decoder.is_broken:
        found.add(Defect.MIME)
    return bytes(content[:most]), is_whole and len(content) <= most


def _slices(octets: bytes, leaf: Leaf) -> Iterator[bytes]:
    for start in range(leaf.start, min(leaf.end, leaf.start + _LARGEST_ENCODED), _SLICE):
        yield octets[start : min(start + _SLICE, leaf.end)]
