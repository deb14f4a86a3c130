"""Accepted messages go straight on to this process's lanes: stored under a lease, and kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from domain.delivery import Delivery
from domain.ports.acceptance import Accepted, NewDelivery, Take
from domain.ports.delivery_queue import Claim
from domain.ports.storage import UnitOfWork


class Places(Protocol):
    """Who has room for deliveries; see `service.worker.Worker`."""

    def reserve(self, delivery: Delivery) -> Take | None: ...

    def release(self, delivery: Delivery) -> None: ...

    def take_on(self, claim: Claim) -> None: ...

    def awaits(self, delivery: Delivery) -> bool: ...

    def left(self, delivery: Delivery) -> None: ...


class StraightOn:
    """
    What a group commit of acceptances does besides storing, in a process that has a worker.

    Nothing depends on it: what has no place here, or is lost with the process, is claimed from the store.
    """

    def __init__(self, *, places: Places) -> None:
        self._places = places

    async def apply(self, work: UnitOfWork, batch: Sequence[NewDelivery]) -> Sequence[Accepted | None]:
        """Stores each, under a lease where there is a place for it."""
        return await work.deliveries.accept_all([self._placed(each) for each in batch])

    def _placed(self, new: NewDelivery) -> NewDelivery:
        take = self._places.reserve(new.delivery)
        return replace(new, take=take, is_awaited=take is None and self._places.awaits(new.delivery))

    def stored(self, batch: Sequence[NewDelivery], results: Sequence[Accepted | None]) -> None:
        """Takes on what was stored under a lease; the callers may have left meanwhile."""
        for accepted in results:
            if accepted is not None and accepted.claim is not None:
                self._places.take_on(accepted.claim)
            elif accepted is not None and not accepted.is_replay:
                self._places.left(accepted.delivery)
        self.failed(batch)

    def failed(self, batch: Sequence[NewDelivery]) -> None:
        """Frees the places that were kept."""
        for each in batch:
            self._places.release(each.delivery)
