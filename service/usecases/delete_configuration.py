"""DeleteConfiguration: the configuration and its secrets are gone; what was accepted keeps its record."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.ports.storage import UnitOfWork
from service.usecases.lookup import configuration_of


class DeleteConfiguration:
    """Deletes a configuration."""

    def __init__(self, *, uow: Callable[[], UnitOfWork]) -> None:
        self._uow = uow

    async def __call__(self, caller: Caller, configuration_id: str, *, etag: str = "") -> None:
        """
        Deletes the configuration with its revisions and secrets; its waiting deliveries fail with NOT_CONFIGURED.

        Raises NotFound, ConcurrentChange when *etag* is stale.
        """
        async with self._uow() as work:
            current = await configuration_of(work, caller.tenant, configuration_id)
            current.check_etag(etag)
            await work.configurations.delete(caller.tenant, configuration_id, expected_version=current.version)
            await work.deliveries.release(caller.tenant, configuration_id)
            await work.commit()
