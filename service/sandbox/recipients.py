"""The magic recipients: addresses that let a person, or a test, see how a mail server refuses."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Behaviour(StrEnum):
    """What the server does for a magic recipient."""

    REFUSE_RECIPIENT = "REFUSE_RECIPIENT"
    """Answers RCPT TO with the reply; the other recipients of the message are not touched."""
    REFUSE_MESSAGE = "REFUSE_MESSAGE"
    """Takes the recipient, then refuses the whole message after its data."""
    ANSWER_LATE = "ANSWER_LATE"
    """Accepts the recipient, but only after a while."""
    CUT_CONNECTION = "CUT_CONNECTION"
    """Takes the message, then drops the connection before saying so: the client cannot know what became of it."""


@dataclass(frozen=True, slots=True)
class MagicRecipient:
    """An address, at any domain and with any ``+tag``, that is not simply accepted."""

    local_part: str
    behaviour: Behaviour
    reply: str
    """The reply line, with code and enhanced code (RFC 3463); empty where the behaviour has none."""
    meaning: str
    """For people: what a sender sees."""
    times: int | None = None
    """How often in a row before one passes, per envelope sender and recipient; None: always."""


MAGIC_RECIPIENTS: Final = (
    MagicRecipient(
        local_part="gone",
        behaviour=Behaviour.REFUSE_RECIPIENT,
        reply="550 5.1.1 No such user here",
        meaning="The mailbox does not exist: refused for good.",
    ),
    MagicRecipient(
        local_part="full",
        behaviour=Behaviour.REFUSE_RECIPIENT,
        reply="552 5.2.2 Mailbox full",
        meaning="The mailbox is full.",
    ),
    MagicRecipient(
        local_part="later",
        behaviour=Behaviour.REFUSE_RECIPIENT,
        reply="451 4.3.0 Temporary failure, try again later",
        meaning="A temporary failure that never ends: retried until the message expires.",
    ),
    MagicRecipient(
        local_part="greylist",
        behaviour=Behaviour.REFUSE_RECIPIENT,
        reply="450 4.2.0 Greylisted, try again later",
        meaning="Refused twice for now, accepted the third time; then it starts anew.",
        times=2,
    ),
    MagicRecipient(
        local_part="slow",
        behaviour=Behaviour.ANSWER_LATE,
        reply="",
        meaning="Accepted, but the answer takes a few seconds.",
    ),
    MagicRecipient(
        local_part="spam",
        behaviour=Behaviour.REFUSE_MESSAGE,
        reply="554 5.7.1 Message refused as spam",
        meaning="Accepted as recipient; the whole message is refused after its data.",
    ),
    MagicRecipient(
        local_part="cut",
        behaviour=Behaviour.CUT_CONNECTION,
        reply="",
        meaning="The message arrives, but the connection drops before the answer: in doubt. Answered the second time.",
        times=1,
    ),
)

_REMEMBERED: Final = 10_000
"""Sender and recipient pairs whose count is kept; the one not seen for longest is forgotten first."""


class RecipientRules:
    """Applies `MAGIC_RECIPIENTS`, counting where a recipient refuses only for a while."""

    def __init__(self) -> None:
        self._by_local_part = {magic.local_part: magic for magic in MAGIC_RECIPIENTS}
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    def find(self, recipient: str) -> MagicRecipient | None:
        """Returns the magic that *recipient* has: its local part without ``+tag``, case aside; the domain is free."""
        local_part, _, _ = recipient.rpartition("@")
        return self._by_local_part.get(local_part.partition("+")[0].casefold())

    def takes_effect(self, magic: MagicRecipient, *, sender: str, recipient: str) -> bool:
        """Tells whether the magic works this time, and counts it; after `times` in a row one passes."""
        if magic.times is None:
            return True
        key = (sender, recipient)
        count = self._counts.pop(key, 0)
        if count >= magic.times:
            return False
        self._counts[key] = count + 1
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return True
