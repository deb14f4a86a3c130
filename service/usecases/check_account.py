"""CheckAccount: signs in with what is stored and sends nothing; tells what works now and will bite later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from domain.caller import Caller
from domain.data_center import proven_elsewhere
from domain.errors import Warning
from domain.failures.trace import Trace
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from service.usecases.lookup import configuration_of
from service.usecases.preflight import Preflight
from service.usecases.prove import Prove
from service.usecases.send_test import Tested
from service.usecases.token_sources import TokenSources


@dataclass(frozen=True, slots=True)
class AccountChecked:
    """The server let the account in."""

    trace: Trace
    tested: Tested
    warnings: tuple[Warning, ...]
    unchecked: tuple[str, ...] = ()
    """What could not be looked at, and why."""


class CheckAccount:
    """Checks an account."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        prove: Prove,
        sources: TokenSources,
        preflight: Preflight,
        clock: Clock,
        data_center: str = "",
    ) -> None:
        self._uow = uow
        self._prove = prove
        self._sources = sources
        self._preflight = preflight
        self._clock = clock
        self._data_center = data_center

    async def __call__(self, caller: Caller, configuration_id: str, *, time_left: timedelta) -> AccountChecked:
        """
        Signs in with the draft if there is one, else with the active revision.

        Raises NotFound, NotReady NOT_CONFIGURED, and what `Prove.sign_in` does.
        """
        deadline = self._clock.monotonic() + time_left
        async with self._uow() as work:
            current = await configuration_of(work, caller.tenant, configuration_id)
        revision = current.draft or current.require_active()
        settings = revision.settings
        is_trial = current.draft is not None
        signed_in = await self._prove.sign_in(
            settings,
            tokens=self._sources.stored(caller.tenant, configuration_id, settings, is_trial=is_trial),
            reading=self._sources.reading(caller.tenant, configuration_id, settings, is_trial=is_trial),
            time_left=deadline - self._clock.monotonic(),
            configuration_id=configuration_id,
        )
        left = deadline - self._clock.monotonic()
        ahead = await self._preflight(settings, revision.warnings, signed_in.sending_trace, time_left=left)
        return AccountChecked(
            trace=signed_in.trace,
            tested=Tested.DRAFT if current.draft is not None else Tested.ACTIVE,
            warnings=(*ahead.warnings, *proven_elsewhere(settings.data_center, here=self._data_center)),
            unchecked=ahead.unchecked,
        )
