"""What keeps accepted messages on their way to their recipients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.delivery import Attempt, Delivery, DeliveryState
from domain.ports.acceptance import Accepted, NewDelivery
from domain.ports.delivery_queue import DeliveryQueue


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries a list holds; empty fields do not filter."""

    configuration_id: str = ""
    states: frozenset[DeliveryState] = frozenset()
    created_from: datetime | None = None
    """Inclusive."""
    created_before: datetime | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class DeliveryPosition:
    """Where a page ended: lists run from the newest down, by create time and id."""

    create_time: datetime
    delivery_id: str


class Deliveries(DeliveryQueue, Protocol):
    """Accepted messages on their way: stored, found, listed, opened, and the queue of those that wait."""

    async def accept_all(self, batch: Sequence[NewDelivery]) -> Sequence[Accepted | None]:
        """
        Stores each delivery, its sealed content and its key, in order and all or nothing.

        Where a live key is taken, also by one of the batch, nothing is stored and what stands under it is returned; of
        any number of concurrent callers one is the first. An expired key is free again.
        None for one whose configuration has another version by now, or is gone: nothing of it is stored.
        One with a `take` is stored as if it had been claimed at once, SENDING with its first attempt counted, unless
        its configuration is paused: then it waits like the others, and has no claim. That work is due is
        signalled at commit, only where something waits for whoever comes (see `NewDelivery.is_awaited`).
        """
        ...

    async def accepted(self, tenant: str, key: str) -> Accepted | None:
        """Returns what stands under a live idempotency key, or None."""
        ...

    async def find(self, tenant: str, delivery_id: str) -> Delivery | None:
        """Returns the delivery, or None; an id that is not one of ours is None too."""
        ...

    async def attempts(self, tenant: str, delivery_id: str) -> tuple[Attempt, ...]:
        """Returns the attempts in order, at most the last 50."""
        ...

    async def page(
        self, tenant: str, where: DeliveryFilter, *, after: DeliveryPosition | None, limit: int
    ) -> tuple[Delivery, ...]:
        """Returns up to *limit* deliveries, newest first, below *after*."""
        ...

    async def content(self, delivery: Delivery) -> bytes:
        """
        Returns the flattened message.

        Raises SecretUnreadable when it does not open, NotFound when it was shredded.
        """
        ...

    async def has_content(self, delivery: Delivery) -> bool:
        """Tells whether the message is still stored; it stays so until the unit of work ends."""
        ...

    async def keep_key(self, delivery: Delivery, until: datetime) -> None:
        """Keeps the live idempotency key that stands for the delivery, if there is one, until *until* at least."""
        ...

    async def lock(self, tenant: str, delivery_id: str) -> Delivery | None:
        """Returns the delivery locked until the unit of work ends, or None."""
        ...
