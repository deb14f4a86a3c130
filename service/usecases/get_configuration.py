"""GetConfiguration: one configuration, never a secret."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from service.usecases.lookup import configuration_of
from service.usecases.views import ConfigurationView, view_configurations


class GetConfiguration:
    """Reads one configuration."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock) -> None:
        self._uow = uow
        self._clock = clock

    async def __call__(self, caller: Caller, configuration_id: str) -> ConfigurationView:
        """Returns the configuration. Raises NotFound."""
        async with self._uow() as work:
            (view,) = await view_configurations(
                work, await configuration_of(work, caller.tenant, configuration_id), now=self._clock.now()
            )
        return view
