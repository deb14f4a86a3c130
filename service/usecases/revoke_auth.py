"""RevokeAuth: the consent is given up, here in any case and at the provider where that can be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from domain.caller import Caller
from domain.grant import GrantRevocation
from domain.ports.authorization import AuthorizationServer
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from service.usecases.give_up_grants import forget_grants, revoke_grants
from service.usecases.lookup import no_configuration
from service.usecases.views import ConfigurationView, view_configurations


@dataclass(frozen=True, slots=True)
class Revoked:
    """No grant is left."""

    view: ConfigurationView
    revocation: GrantRevocation


class RevokeAuth:
    """Gives up what a user's consent gave."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], server: AuthorizationServer, clock: Clock) -> None:
        self._uow = uow
        self._server = server
        self._clock = clock

    async def __call__(self, caller: Caller, configuration_id: str) -> Revoked:
        """
        Forgets all grants of the configuration, then revokes them; mail is accepted and held from now on.

        Consent sessions that wait for their user, or whose code is being exchanged, end, too, so that no browser left
        open brings a grant back. Forgotten first, so that no token is used once the call is under way, whatever the
        provider does. Raises NotFound.
        """
        async with self._uow() as work:
            # Locked, so that a consent is either stored before, and forgotten here, or sees that it was given up.
            configuration = await work.configurations.lock(caller.tenant, configuration_id)
            if configuration is None:
                raise no_configuration(configuration_id)
            given_up = await forget_grants(work, configuration)
            await work.consents.abandon(caller.tenant, configuration_id)
            (view,) = await view_configurations(work, configuration, now=self._clock.now())
            await work.commit()
        return Revoked(view, await revoke_grants(self._server, configuration, given_up))
