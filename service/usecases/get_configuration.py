"""GetConfiguration: one configuration, never a secret."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.ports.storage import UnitOfWork
from service.usecases.lookup import configuration_of
from service.usecases.views import ConfigurationView, view_with_pause


class GetConfiguration:
    """Reads one configuration."""

    def __init__(self, *, uow: Callable[[], UnitOfWork]) -> None:
        self._uow = uow

    async def __call__(self, caller: Caller, configuration_id: str) -> ConfigurationView:
        """Returns the configuration. Raises NotFound."""
        async with self._uow() as work:
            (view,) = await view_with_pause(work, await configuration_of(work, caller.tenant, configuration_id))
        return view
