"""CancelDelivery: stops a delivery while nobody can have a copy."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.steering import cancelled
from service.usecases.events import Events
from service.usecases.lookup import locked_delivery_of
from service.usecases.views import DeliveryView


class CancelDelivery:
    """Stops one delivery for every recipient."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock, events: Events) -> None:
        self._uow = uow
        self._clock = clock
        self._events = events

    async def __call__(self, caller: Caller, delivery_id: str) -> DeliveryView:
        """
        Returns the cancelled delivery with its attempts, also when it was cancelled before.

        Raises NotFound, NotReady DELIVERY_UNDER_WAY and DELIVERY_FINAL; nothing changes then.
        """
        async with self._uow() as work:
            delivery = await locked_delivery_of(work, caller.tenant, delivery_id)
            after = cancelled(delivery, at=self._clock.now())
            if is_change := after != delivery:
                await work.deliveries.save(after)
            attempts = await work.deliveries.attempts(caller.tenant, delivery_id)
            await work.commit()
        if is_change:
            self._events.delivery_settled(after)
        return DeliveryView(delivery=after, attempts=attempts)
