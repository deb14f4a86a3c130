"""What knows which workers live."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from domain.data_center import Presence


class Workers(Protocol):
    """Which workers live, and where. Time is the store's own."""

    async def seen(self, name: str, data_center: str, *, lives_for: timedelta) -> None:
        """Says that the worker *name* lives for *lives_for* from now; forgets those that have been gone for a day."""
        ...

    async def leave(self, name: str) -> None:
        """Says that the worker lives no more from now on; nothing when it was never seen."""
        ...

    async def present(self) -> tuple[Presence, ...]:
        """Returns the sites at which a worker was within a day, by name."""
        ...
