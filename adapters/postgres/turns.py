"""Turns at mailboxes behind an API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from adapters.postgres.session import Session
from domain.turns import LONGEST_REST, Place, TurnTold

# In this order for all, so that tickets get their numbers in the order in which they hold the place.
_PLACE: Final = """
    select rest_until, clock_timestamp() as now from turn_place
    where host = %(host)s and mailbox = %(mailbox)s for update
    """
_MAKE: Final = "insert into turn_place (host, mailbox) values (%(host)s, %(mailbox)s) on conflict do nothing"
_GONE: Final = """
    delete from turn
    where host = %(host)s and mailbox = %(mailbox)s and ticket <> %(ticket)s and lease_until <= clock_timestamp()
    """
_COME: Final = """
    insert into turn (host, mailbox, ticket, lease_until)
    values (%(host)s, %(mailbox)s, %(ticket)s, clock_timestamp() + %(lease)s)
    on conflict (host, mailbox, ticket) do update set lease_until = excluded.lease_until
    returning number
    """
_BEFORE: Final = """
    select count(*) as before from turn where host = %(host)s and mailbox = %(mailbox)s and number < %(number)s
    """
_LEAVE: Final = "delete from turn where host = %(host)s and mailbox = %(mailbox)s and ticket = %(ticket)s"
_RESTING: Final = """
    select rest_until - clock_timestamp() as wait from turn_place
    where host = %(host)s and mailbox = %(mailbox)s and rest_until > clock_timestamp()
    """
_REST: Final = """
    insert into turn_place (host, mailbox, rest_until)
    values (%(host)s, %(mailbox)s, clock_timestamp() + %(wait)s)
    on conflict (host, mailbox) do update set rest_until = greatest(turn_place.rest_until, excluded.rest_until)
    returning rest_until
    """


class PostgresTurns:
    """A `domain.ports.turns.TurnBook` within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def ask(self, place: Place, *, ticket: str, most: int, lease: timedelta) -> TurnTold:
        """See the port."""
        names = {**_names(place), "ticket": ticket}
        row = await self._session.row(_PLACE, names)
        if row is None:
            # In statements of their own, so that the last one sees the row of whoever was waited for.
            await self._session.execute(_MAKE, names)
            row = await self._session.row(_PLACE, names)
        assert row is not None
        await self._session.execute(_GONE, names)
        mine = await self._session.row(_COME, {**names, "lease": lease})
        assert mine is not None
        others = await self._session.row(_BEFORE, {**names, "number": mine["number"]})
        assert others is not None
        rest_until = row["rest_until"] if row["rest_until"] is not None and row["rest_until"] > row["now"] else None
        return TurnTold(rest_until is None and others["before"] < most, now=row["now"], rest_until=rest_until)

    async def resting(self, place: Place) -> timedelta:
        """See the port."""
        row = await self._session.row(_RESTING, _names(place))
        wait: timedelta = row["wait"] if row is not None else timedelta(0)
        return max(wait, timedelta(0))

    async def leave(self, place: Place, *, ticket: str) -> None:
        """See the port."""
        await self._session.execute(_LEAVE, {**_names(place), "ticket": ticket})

    async def rest(self, place: Place, *, wait: timedelta) -> datetime:
        """See the port."""
        row = await self._session.row(_REST, {**_names(place), "wait": min(wait, LONGEST_REST)})
        assert row is not None
        until: datetime = row["rest_until"]
        return until


def _names(place: Place) -> dict[str, Any]:
    return {"host": place.host, "mailbox": place.mailbox}
