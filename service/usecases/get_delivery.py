"""GetDelivery: where a message stands, with each attempt and what was reported of it since."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domain.caller import Caller
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from service.usecases.lookup import delivery_of
from service.usecases.sites import with_obstacle
from service.usecases.views import DeliveryView

_LOOKS: Final = 3
"""A delivery changes a few times in its life, so the second look is nearly always the last."""


class GetDelivery:
    """Reads one delivery."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def __call__(self, caller: Caller, delivery_id: str) -> DeliveryView:
        """Returns the delivery with its last 50 attempts, as of the same moment, and its bounces. Raises NotFound."""
        async with self._uow() as work:
            delivery = await delivery_of(work, caller.tenant, delivery_id)
            attempts = await work.deliveries.attempts(caller.tenant, delivery_id)
            for _ in range(_LOOKS):
                again = await delivery_of(work, caller.tenant, delivery_id)
                if again == delivery:
                    break
                # A worker recorded between the two: a delivery that is SENDING with an attempt that has ended confuses.
                delivery = again
                attempts = await work.deliveries.attempts(caller.tenant, delivery_id)
            bounces = await work.correlation.bounces(caller.tenant, delivery_id)
            (delivery,) = await with_obstacle(work, [delivery], now=self._clock.now())
        return DeliveryView(delivery=delivery, attempts=attempts, bounces=bounces)
