"""DeleteConfiguration: the configuration and its secrets are gone; what was accepted keeps its record."""

from __future__ import annotations

from collections.abc import Callable

from domain.caller import Caller
from domain.configuration import Configuration
from domain.grant import GrantRevocation
from domain.ports.authorization import AuthorizationServer
from domain.ports.storage import UnitOfWork
from service.usecases.give_up_grants import GivenUp, forget_grants, revoke_grants
from service.usecases.last_writer import last_writer_wins
from service.usecases.lookup import configuration_of


class DeleteConfiguration:
    """Deletes a configuration."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], server: AuthorizationServer) -> None:
        self._uow = uow
        self._server = server

    async def __call__(self, caller: Caller, configuration_id: str, *, etag: str = "") -> GrantRevocation:
        """
        Deletes the configuration with its revisions, secrets and grants; its waiting deliveries fail.

        They fail with NOT_CONFIGURED. Returns what became of its grants at their providers. Without *etag* it goes
        whatever came between. Raises NotFound, ConcurrentChange when *etag* is stale.
        """
        if etag:
            configuration, given_up = await self._delete(caller, configuration_id, etag)
        else:
            configuration, given_up = await last_writer_wins(lambda: self._delete(caller, configuration_id, etag))
        return await revoke_grants(self._server, configuration, given_up)

    async def _delete(
        self, caller: Caller, configuration_id: str, etag: str
    ) -> tuple[Configuration, tuple[GivenUp, ...]]:
        async with self._uow() as work:
            current = await configuration_of(work, caller.tenant, configuration_id)
            current.check_etag(etag)
            given_up = await forget_grants(work, current)
            await work.configurations.delete(caller.tenant, configuration_id, expected_version=current.version)
            await work.deliveries.release(caller.tenant, configuration_id)
            await work.commit()
        return current, given_up
