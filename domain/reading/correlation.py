"""Which earlier mail a message may belong to, best guess first; looking it up is the store's."""

from __future__ import annotations

import re
from typing import Final

from domain.reading.model import BounceReport, MessageHeader

MOST_CANDIDATES: Final = 20
_LONGEST_ID: Final = 998
_SENDABLE: Final = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")


def candidate_ids(header: MessageHeader, bounce: BounceReport | None = None) -> tuple[str, ...]:
    """
    Returns the Message-IDs that the message answers or reports on, each once, the likeliest first, at most 20.

    First what a delivery report names, then In-Reply-To, then References from the newest on (RFC 5322 section 3.6.4).
    An id that no mail of mailport's can have is left out: not ASCII, or not of the form ``<unique@domain>``, to which
    callers' own ids and those of raw messages are held as well. Beyond that a foreign id cannot be told by its look.
    """
    reported = (bounce.reported_message_id,) if bounce else ()
    named = dict.fromkeys((*reported, *header.in_reply_to, *reversed(header.references)))
    own = [written for written in named if len(written) <= _LONGEST_ID and _SENDABLE.fullmatch(written)]
    return tuple(written for written in own if written != header.message_id)[:MOST_CANDIDATES]
