"""What is left of deliveries that have ended, and goes when its time is over."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Leftovers(Protocol):
    """
    Each call removes up to *limit*, the oldest first, and passes over what others hold just now.

    Fewer than *limit* means that nothing more was to be removed, or that others are at it.
    """

    async def shred_contents(self, ended_before: datetime, *, limit: int) -> int:
        """Removes the messages of deliveries that came into a final state before; returns their number."""
        ...

    async def forget_deliveries(self, ended_before: datetime, *, limit: int) -> int:
        """
        Removes deliveries, attempts included, that ended before, or that wait in doubt for a decision since before.

        Only those whose content is shredded or in doubt, and for which no live idempotency key stands.
        """
        ...

    async def forget_keys(self, *, limit: int) -> int:
        """Removes idempotency keys that have expired by the store's own clock."""
        ...
