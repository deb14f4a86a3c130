"""Configurations that were read before, their secrets opened: good as long as nobody has changed them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from domain.account import Account
from domain.configuration import Configuration

_MOST: Final = 1_000


class KnownConfigurations:
    """
    The configurations that this process used last, a thousand at most.

    A version never comes back, so that one that is known under the version that the store has now is as good as read.
    """

    def __init__(self, *, most: int = _MOST) -> None:
        """*most*: how many are kept, at least 1; the one that was not asked for longest goes first."""
        self._most = most
        self._known: OrderedDict[Account, Configuration] = OrderedDict()

    def latest(self, account: Account) -> Configuration | None:
        """Returns it as it was last read, to be compared with the store by its version; None if it never was."""
        found = self._known.get(account)
        if found is not None:
            self._known.move_to_end(account)
        return found

    def of_version(self, account: Account, version: int) -> Configuration | None:
        """Returns it if it is known in this *version*."""
        found = self.latest(account)
        return found if found is not None and found.version == version else None

    def forget(self, account: Account | None) -> None:
        """Drops what was read of *account*, or, with None, of all: it is to be read again."""
        if account is None:
            self._known.clear()
        else:
            self._known.pop(account, None)

    def learn(self, configuration: Configuration) -> None:
        """Keeps what was read."""
        account = Account(configuration.tenant, configuration.configuration_id)
        self._known[account] = configuration
        self._known.move_to_end(account)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
