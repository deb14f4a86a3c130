"""ListConfigurations: a tenant's configurations, page by page."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from service.usecases.paging import Page, cut, page_size
from service.usecases.views import ConfigurationView, view_configurations


class ListConfigurations:
    """Reads the configurations in the order of their ids."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def __call__(self, caller: Caller, *, size: int, after: str) -> Page[ConfigurationView]:
        """Returns up to *size* configurations with ids above *after*. Raises InputInvalid for a size below 0."""
        limit = page_size(size)
        async with self._uow() as work:
            found = await work.configurations.page(caller.tenant, after=after, limit=limit + 1)
            views = await view_configurations(work, *found, now=self._clock.now())
        return cut(views, limit)
