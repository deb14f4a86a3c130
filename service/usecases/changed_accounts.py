"""Lets go, in each process that sends or reads, of what settings or a consent gave as soon as they change anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from domain.account import Account
from domain.ports.signals import Signals
from domain.ports.transport import Lanes
from service.usecases.known_configurations import KnownConfigurations


def lanes_of(account: Account) -> str:
    """Returns the name that stands for all lanes of *account*; see `Lanes.forget`."""
    return f"{account.tenant}\0{account.configuration_id}"


class ChangedAccounts:
    """
    Ends the kept connections of an account that changed, and forgets how its settings were.

    What sends next reads settings and grants anew, and a connection of its own asks for a token: over a session of a
    consent that was given up, or of a password that was replaced, nothing more goes out.
    """

    def __init__(self, *, signals: Signals, lanes: Sequence[Lanes], known: KnownConfigurations) -> None:
        self._signals = signals
        self._lanes = tuple(lanes)
        self._known = known

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with self._signals.listen_to_accounts() as news:
            while True:
                account = await news.next()
                self._known.forget(account)
                for each in self._lanes:
                    each.forget(lanes_of(account) if account is not None else "")
