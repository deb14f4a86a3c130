"""ListDeliveries: a tenant's deliveries, newest first, page by page."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.ports.deliveries import DeliveryFilter, DeliveryPosition
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from service.usecases.paging import Page, cut, page_size
from service.usecases.sites import with_obstacle
from service.usecases.views import DeliveryView


class ListDeliveries:
    """Reads deliveries without their attempts."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def __call__(
        self, caller: Caller, where: DeliveryFilter, *, size: int, after: DeliveryPosition | None
    ) -> Page[DeliveryView]:
        """Returns up to *size* deliveries below *after*. Raises InputInvalid for a size below 0."""
        limit = page_size(size)
        async with self._uow() as work:
            found = await work.deliveries.page(caller.tenant, where, after=after, limit=limit + 1)
            found = await with_obstacle(work, found, now=self._clock.now())
        return cut([DeliveryView(each) for each in found], limit)
