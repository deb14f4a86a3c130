"""Which messages of the inbox a request asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from service.sandbox.inbox import ReceivedMessage

MAX_LIMIT: Final = 1_000
_NAMES: Final = ("to", "subject", "message_id", "limit")


class FilterError(ValueError):
    """The request's filter is wrong; the text says how, for the caller."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that must all hold; an empty one always does."""

    to: str = ""
    """A whole envelope recipient, case aside."""
    subject: str = ""
    """A piece of the decoded subject, case aside."""
    message_id: str = ""
    """The Message-ID, with or without angle brackets."""
    limit: int = MAX_LIMIT
    """How many messages at most, the newest ones."""

    def matches(self, message: ReceivedMessage) -> bool:
        """Tells whether *message* is asked for."""
        return (
            (not self.to or self.to.casefold() in (recipient.casefold() for recipient in message.recipients))
            and self.subject.casefold() in message.subject.casefold()
            and (not self.message_id or message.message_id.strip("<>") == self.message_id.strip("<>"))
        )


def parse_filter(query: Mapping[str, str], *, default_limit: int) -> Filter:
    """
    Returns the filter in a query string.

    Raises FilterError for a name that is none, since a filter that is silently ignored finds the wrong mail, and for
    a limit outside 1 to `MAX_LIMIT`.
    """
    unknown = sorted(set(query) - set(_NAMES))
    if unknown:
        raise FilterError(f"there is no filter named {', '.join(unknown)}; there are {', '.join(_NAMES)}")
    limit = query.get("limit", str(default_limit))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(MAX_LIMIT)) and 1 <= int(limit) <= MAX_LIMIT):
        raise FilterError(f"limit is a number from 1 to {MAX_LIMIT}")
    return Filter(
        to=query.get("to", "").strip(),
        subject=query.get("subject", "").strip(),
        message_id=query.get("message_id", "").strip(),
        limit=int(limit),
    )
