"""GetDelivery: where a message stands, with each attempt."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.ports.storage import UnitOfWork
from service.usecases.lookup import delivery_of
from service.usecases.views import DeliveryView


class GetDelivery:
    """Reads one delivery."""

    def __init__(self, *, uow: Callable[[], UnitOfWork]) -> None:
        self._uow = uow

    async def __call__(self, caller: Caller, delivery_id: str) -> DeliveryView:
        """Returns the delivery with its last 50 attempts. Raises NotFound."""
        async with self._uow() as work:
            delivery = await delivery_of(work, caller.tenant, delivery_id)
            attempts = await work.deliveries.attempts(caller.tenant, delivery_id)
        return DeliveryView(delivery=delivery, attempts=attempts)
