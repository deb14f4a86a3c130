"""ConfirmValidation: the mailed code comes back, and the proven draft becomes active."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hmac import compare_digest

from domain.caller import Caller
from domain.configuration import confirmed, parse_code, pending_confirmation, wrong_code
from domain.errors import InputInvalid, Violation
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.ports.vault import Vault
from service.usecases.last_writer import last_writer_wins
from service.usecases.lookup import configuration_of
from service.usecases.settle_grants import drop_unneeded_grants
from service.usecases.sites import follow_settings
from service.usecases.validate_and_save import code_digest
from service.usecases.views import ConfigurationView, view_configurations


class ConfirmValidation:
    """Checks the code, five tries at most."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock, vault: Vault) -> None:
        self._uow = uow
        self._clock = clock
        self._vault = vault

    async def __call__(
        self, caller: Caller, configuration_id: str, code: str, *, found: Sequence[Violation] = ()
    ) -> ConfigurationView:
        """
        Makes the draft active.

        Of calls at once each is judged in its turn. *found*: what is wrong with the request already, to be named too.
        Raises NotFound, NotReady (NO_CONFIRMATION_PENDING, CONFIRMATION_EXPIRED), InputInvalid: for a wrong code, which
        uses up one try, and for what is no code at all, which uses up none.
        """
        typed = parse_code(code)
        if isinstance(typed, Violation):
            raise InputInvalid([*found, typed])
        if found:
            raise InputInvalid(found)
        return await last_writer_wins(lambda: self._judge(caller, configuration_id, typed))

    async def _judge(self, caller: Caller, configuration_id: str, code: str) -> ConfigurationView:
        now = self._clock.now()
        async with self._uow() as work:
            current = await configuration_of(work, caller.tenant, configuration_id)
            pending = pending_confirmation(current, at=now)
            given = code_digest(self._vault, current, code)
            changed = confirmed(current, matches=compare_digest(given, pending.code_digest), at=now)
            await work.configurations.save(changed, expected_version=current.version)
            if changed.draft is None:
                await drop_unneeded_grants(work, changed)
                await follow_settings(work, current, changed)
                await work.deliveries.release(caller.tenant, configuration_id)
            (view,) = await view_configurations(work, changed, now=now)
            await work.commit()
        if changed.draft is not None and changed.draft.confirmation is not None:
            raise wrong_code(changed.draft.confirmation)
        return view
