"""What a caller may do with a mailbox: permissions of the token, and rights in Exchange."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from service.sandbox.graph.directory import Directory, MailboxState, Right
from service.sandbox.graph.errors import (
    access_denied,
    access_policy,
    insufficient_privileges,
    mailbox_not_enabled,
    me_without_user,
    send_as_denied,
    user_unknown,
)
from service.sandbox.graph.tokens import Caller


class Need(StrEnum):
    """What a request needs a permission for."""

    SEND = "send"
    READ = "read"
    WRITE = "write"
    USER = "user"


_OWN: Final = {
    Need.SEND: ("mail.send",),
    Need.READ: ("mail.readbasic", "mail.read", "mail.readwrite"),
    Need.WRITE: ("mail.readwrite",),
}
_SHARED: Final = {
    Need.SEND: ("mail.send.shared",),
    Need.READ: ("mail.read.shared", "mail.readwrite.shared"),
    Need.WRITE: ("mail.readwrite.shared",),
}


class Access:
    """Decides; everything here raises GraphError or lets go."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def mailbox(self, caller: Caller, user: str | None) -> str:
        """Returns the address, lower case, of the mailbox that ``/me`` (None) or ``/users/{user}`` means."""
        if user is None and caller.is_app:
            raise me_without_user()
        return (caller.account if user is None else user).casefold()

    def require(self, caller: Caller, mailbox: str, need: Need) -> None:
        """Checks that the mailbox is there and that the caller may do *need* with it."""
        if need is Need.USER:
            self._require_user(caller)
        elif caller.is_app:
            self._require_app(mailbox, need)
        elif mailbox == caller.account.casefold():
            if not caller.may(*_OWN[need]):
                raise access_denied()
        elif not caller.may(*_SHARED[need]):
            raise access_denied()
        match self._directory.state(mailbox):
            case MailboxState.UNKNOWN_USER:
                raise user_unknown(mailbox)
            case MailboxState.NOT_ENABLED if need is not Need.USER:
                raise mailbox_not_enabled()
        is_own = caller.is_app or need is Need.USER or mailbox == caller.account.casefold()
        if not is_own and not self._directory.has(caller.account, mailbox, Right.FULL_ACCESS):
            raise access_denied()

    def is_on_behalf(self, caller: Caller, mailbox: str, from_address: str) -> bool:
        """
        Checks that a message that *mailbox* submits may be from *from_address*.

        Returns whether recipients see who submitted it: with Send on Behalf they do, with Send As they do not.
        """
        submitter = mailbox if caller.is_app else caller.account.casefold()
        if from_address.casefold() == submitter:
            return False
        if not caller.is_app and not caller.may(*_SHARED[Need.SEND]):
            raise access_denied()
        if self._directory.has(submitter, from_address, Right.SEND_AS):
            return False
        if self._directory.has(submitter, from_address, Right.SEND_ON_BEHALF):
            return True
        raise send_as_denied()

    def _require_user(self, caller: Caller) -> None:
        if caller.is_app or not caller.may("user.read"):
            raise insufficient_privileges()

    def _require_app(self, mailbox: str, need: Need) -> None:
        if self._directory.app_roles.isdisjoint(_OWN[need]):
            raise access_denied()
        allowed = self._directory.app_mailboxes
        if allowed is not None and mailbox not in allowed:
            raise access_policy()
