"""What finds the deliveries that mail in a mailbox answers or reports on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from domain.bounce import Bounce


class Correlation(Protocol):
    """Ties received mail to what was sent, within one tenant."""

    async def deliveries_of(self, tenant: str, message_ids: Collection[str]) -> Mapping[str, str]:
        """
        Returns the delivery's id for each of *message_ids* (with angle brackets) that a delivery of the tenant carries.

        Compared byte for byte. Where the caller gave several deliveries one Message-ID, the newest is meant.
        """
        ...

    async def record(self, tenant: str, bounces: Sequence[Bounce]) -> int:
        """
        Keeps what is news (see `domain.bounce.is_news`) on its delivery; returns how many were.

        Addresses are compared without case. Nothing is kept of a delivery that is not there (any more), nor of further
        addresses once `domain.bounce.MOST_BOUNCES` are known of one.
        """
        ...

    async def bounces(self, tenant: str, delivery_id: str) -> tuple[Bounce, ...]:
        """Returns the latest word on each address, the newest first; nothing for a delivery that is not there."""
        ...
