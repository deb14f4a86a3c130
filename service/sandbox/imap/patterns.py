"""Folder names against the patterns of LIST (RFC 3501 section 6.3.8)."""

from __future__ import annotations

from service.sandbox.imap.mailbox import DELIMITER, INBOX


def fits(name: str, pattern: str) -> bool:
    """Tells whether *name* fits *pattern*: ``*`` is any text, ``%`` any within a level; INBOX goes in any case."""
    return _fits(name, pattern) or (name == INBOX and _fits(name, pattern.upper()))


def _fits(name: str, pattern: str) -> bool:
    # Places in the name that the pattern so far may end at: as long as their product and no longer, whatever is asked.
    places = {0}
    for wanted in pattern:
        if wanted == "*":
            places = set(range(min(places, default=len(name) + 1), len(name) + 1))
        elif wanted == "%":
            places = {end for place in places for end in _within_level(name, place)}
        else:
            places = {place + 1 for place in places if name[place : place + 1] == wanted}
        if not places:
            return False
    return len(name) in places


def _within_level(name: str, place: int) -> range:
    end = name.find(DELIMITER, place)
    return range(place, (len(name) if end < 0 else end) + 1)
