"""The log of what happened to deliveries, for those who watch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from domain.delivery import Delivery, DeliveryState

KEPT: Final = timedelta(days=7)
"""How long a change is kept at least."""


@dataclass(frozen=True, slots=True)
class Change:
    """A delivery that came into another state."""

    number: int
    """Changes of one delivery have rising numbers; several tenants share them, so that there are gaps."""
    delivery: Delivery
    """As it was after the change, whose instant its `update_time` is."""
    previous_state: DeliveryState | None
    """None: it was just accepted."""


@dataclass(frozen=True, slots=True)
class ChangeFilter:
    """Which changes a watcher sees; empty fields do not filter."""

    configuration_id: str = ""
    delivery_ids: frozenset[str] = frozenset()
    states: frozenset[DeliveryState] = frozenset()
    """States that were come into."""


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A part of the log."""

    changes: tuple[Change, ...]
    reached: int
    """What is up to here has been looked at; the next part lies behind it."""
    has_more: bool
    """The next part can be read at once."""
    waiting_since: datetime | None = None
    """The oldest change that is not shown yet, since others may still be committed before it; None: there is none."""


class Changes(Protocol):
    """
    Each change of each delivery's state, written by whatever changes it, in the same transaction.

    A number that `after` has reached stays behind: nothing is ever shown late.
    """

    async def newest(self) -> int:
        """Returns a number behind which everything lies that is committed from now on."""
        ...

    async def after(self, tenant: str, where: ChangeFilter, number: int, *, limit: int) -> ChangePage:
        """
        Looks at up to *limit*, at least 1, of the tenant's changes behind *number*, and returns those *where* chooses.

        A change whose delivery is no longer stored is left out.
        Raises NotReady CURSOR_INVALID when changes behind *number* were purged already, or it was never given out.
        """
        ...

    async def purge(self, before: datetime, *, limit: int) -> int:
        """Removes up to *limit* of the oldest changes, none younger than *before*; returns their number."""
        ...


CURSOR_REMEDY: Final = "Begin anew without a cursor, and read with ListDeliveries what happened before."
