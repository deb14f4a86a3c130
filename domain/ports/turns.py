"""Who may make a request to a mailbox now: for all processes together."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Protocol

from domain.turns import Place, TurnTold


class Turn(Protocol):
    """The right to make requests, one at a time, held until it is left."""

    async def resting(self) -> timedelta:
        """
        Returns for how long nobody may make a request there, zero when one may: to be asked before each.

        Another process may have been told to rest since the turn came. A store that is away tells of no rest.
        """
        ...

    async def rest(self, wait: timedelta) -> None:
        """
        Lets nobody have a turn at the place for *wait* from now: what an answer's Retry-After asks for.

        Longer rests that were heard before stay. A store that is away is passed over: the next answer tells the same.
        """
        ...


class Turns(Protocol):
    """Turns for those that make requests."""

    def turn(self, place: Place, *, within: timedelta) -> AbstractAsyncContextManager[Turn]:
        """
        Waits for a turn, in the order in which they came here and in every other process, and holds it.

        Raises Resting at once when the place rests for longer than *within*, and after *within* when all turns are
        still taken: nothing may be requested then. Raises Unavailable when the store is away.
        """
        ...


class TurnBook(Protocol):
    """Where turns are kept, as one unit of work sees it."""

    async def ask(self, place: Place, *, ticket: str, most: int, lease: timedelta) -> TurnTold:
        """
        Returns whether the turn of *ticket* has come: while fewer than *most* that came before it are still there.

        A ticket that is not known comes last. It stays for *lease* from now, or until it is asked again, or left.
        Nobody's turn comes while the place rests. What was said holds only once the unit is committed.
        """
        ...

    async def resting(self, place: Place) -> timedelta:
        """Returns how long the place rests yet; zero when it does not."""
        ...

    async def leave(self, place: Place, *, ticket: str) -> None:
        """Gives a ticket back, whether its turn had come or not."""
        ...

    async def rest(self, place: Place, *, wait: timedelta) -> datetime:
        """Lets the place rest for *wait* from now, `LONGEST_REST` at most; returns until when it rests."""
        ...
