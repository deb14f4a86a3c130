"""Whose mailboxes there are, and who may use whose: what an Exchange administrator would set."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import Final

SHARED_LOCAL_PART: Final = "shared"
BEHALF_LOCAL_PART: Final = "behalf"


class Right(StrEnum):
    """What Exchange lets an account do with another mailbox."""

    FULL_ACCESS = "full_access"
    SEND_AS = "send_as"
    SEND_ON_BEHALF = "send_on_behalf"


class MailboxState(StrEnum):
    """Whether a mailbox can be used."""

    IN_USE = "in_use"
    NOT_ENABLED = "not_enabled"
    """A user without a mailbox in the cloud."""
    UNKNOWN_USER = "unknown_user"


class Directory:
    """
    Every address has a mailbox unless told otherwise, and nobody a right to another's.

    But for two to try: everybody may use ``shared@…`` and send as it, and everybody may use ``behalf@…`` and send on
    its behalf, at any domain.
    """

    def __init__(self) -> None:
        self._rights: defaultdict[tuple[str, str], set[Right]] = defaultdict(set)
        self._states: dict[str, MailboxState] = {}
        self.app_roles: frozenset[str] = frozenset({"mail.send", "mail.readwrite"})
        """Application permissions that the administrator consented to, in lower case."""
        self.app_mailboxes: frozenset[str] | None = None
        """Those that an application access policy lets applications use, in lower case; None: all."""

    def allow(self, account: str, mailbox: str, *rights: Right) -> None:
        """Gives *account* rights to *mailbox*."""
        self._rights[account.casefold(), mailbox.casefold()].update(rights)

    def withdraw(self, account: str, mailbox: str) -> None:
        """Takes all rights that were given away again."""
        self._rights.pop((account.casefold(), mailbox.casefold()), None)

    def has(self, account: str, mailbox: str, right: Right) -> bool:
        """Tells whether *account* may do that with *mailbox*; with its own it may do everything."""
        account, mailbox = account.casefold(), mailbox.casefold()
        if account == mailbox or right in self._rights.get((account, mailbox), ()):
            return True
        local_part = mailbox.rpartition("@")[0].partition("+")[0]
        if local_part == SHARED_LOCAL_PART:
            return right in {Right.FULL_ACCESS, Right.SEND_AS}
        return local_part == BEHALF_LOCAL_PART and right in {Right.FULL_ACCESS, Right.SEND_ON_BEHALF}

    def set_state(self, mailbox: str, state: MailboxState) -> None:
        """Takes a mailbox away, or gives it back."""
        self._states[mailbox.casefold()] = state

    def state(self, mailbox: str) -> MailboxState:
        """Returns whether the mailbox can be used."""
        if "@" not in mailbox:
            return MailboxState.UNKNOWN_USER
        return self._states.get(mailbox.casefold(), MailboxState.IN_USE)
