"""Text as SEARCH compares it."""

from __future__ import annotations

import unicodedata
from email import policy
from email.parser import BytesParser
from typing import Final

from service.sandbox.imap.parts import Part

_parser: Final = BytesParser(policy=policy.compat32)


def fold(text: str) -> str:
    """Returns *text* so that what differs in case alone is equal: i;unicode-casemap (RFC 5051 section 2)."""
    if text.isascii():
        return text.upper()
    titled = "".join(title if len(title := character.title()) == 1 else character for character in text)
    return unicodedata.normalize("NFKD", titled)


def text_of(part: Part) -> str:
    """Returns the decoded text of a part, an empty one for a part that is none; never raises."""
    if not part.content_type.value.startswith("text/"):
        return ""
    # The library's parser sees one part without others: the structure has been read already.
    payload = _parser.parsebytes(part.raw[part.start : part.end]).get_payload(decode=True)
    octets = payload if isinstance(payload, bytes) else b""
    try:
        return octets.decode(part.content_type.parameters.get("charset", "utf-8"), "replace")
    except (LookupError, ValueError):  # an unknown charset, or a codec that is none for text
        return octets.decode("utf-8", "replace")
