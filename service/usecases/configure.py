"""Configure: checks settings and stores them as the draft; nothing in use changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from domain.caller import Caller
from domain.configuration import new_configuration, with_draft
from domain.errors import ConcurrentChange, ConfigInvalid, InputInvalid, Violation
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.reasons import Reason
from domain.settings.model import MailSettings
from domain.settings.parse import SettingsRules, parse_settings
from domain.settings.written import WrittenSettings
from service.usecases.last_writer import last_writer_wins
from service.usecases.views import ConfigurationView, view_configurations

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_configuration_id(configuration_id: str) -> Violation | None:
    """Names what is wrong with an id: it has 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit."""
    if _ID.fullmatch(configuration_id):
        return None
    return Violation(
        field="configuration_id",
        reason=Reason.VALUE_MALFORMED if configuration_id else Reason.FIELD_REQUIRED,
        message="A configuration id has 1 to 63 characters of a-z, 0-9, - and _, and begins with a letter or digit.",
        remedy="Choose a short name for the setup, e.g. alerts.",
    )


def settings_violations(
    written: WrittenSettings, *, stored: MailSettings | None, rules: SettingsRules, now: datetime
) -> tuple[Violation, ...]:
    """Returns what is wrong with settings that are refused already for something else, so that all is named at once."""
    try:
        parse_settings(written, stored=stored, rules=rules, now=now)
    except ConfigInvalid as invalid:
        return invalid.violations
    return ()


class Configure:
    """Stores what a caller wrote as the configuration's draft."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock, rules: SettingsRules) -> None:
        self._uow = uow
        self._clock = clock
        self._rules = rules

    async def __call__(
        self,
        caller: Caller,
        configuration_id: str,
        written: WrittenSettings,
        *,
        etag: str = "",
        found: Sequence[Violation] = (),
    ) -> ConfigurationView:
        """
        Returns the configuration with its new draft.

        Secrets left unset keep the stored ones while the account they belong to is unchanged. Without *etag* the last
        writer wins, and replaces what came between. *found*: what is wrong with the request already, to be named too.
        Raises ConfigInvalid with every violation, ConcurrentChange when *etag* is stale.
        """
        violation = check_configuration_id(configuration_id)
        if violation or found:
            raise await self._refusal(caller, configuration_id, written, violation, found)
        if etag:
            return await self._store(caller, configuration_id, written, etag)
        return await last_writer_wins(lambda: self._store(caller, configuration_id, written, etag))

    async def _store(
        self, caller: Caller, configuration_id: str, written: WrittenSettings, etag: str
    ) -> ConfigurationView:
        now = self._clock.now()
        async with self._uow() as work:
            stored = await work.configurations.find(caller.tenant, configuration_id)
            if stored is None and etag:
                raise ConcurrentChange(
                    f"Configuration {configuration_id} is not there any more.",
                    remedy="Leave the etag empty to create it anew.",
                    metadata={"configuration_id": configuration_id},
                )
            current = stored or new_configuration(caller.tenant, configuration_id, at=now)
            current.check_etag(etag)
            kept = current.newest.settings if current.newest else None
            parsed = parse_settings(written, stored=kept, rules=self._rules, now=now)
            changed = with_draft(current, parsed.settings, parsed.warnings, at=now)
            if stored is None:
                await work.configurations.add(changed)
            else:
                await work.configurations.save(changed, expected_version=stored.version)
            (view,) = await view_configurations(work, changed, now=now)
            await work.commit()
        return view

    async def _refusal(
        self,
        caller: Caller,
        configuration_id: str,
        written: WrittenSettings,
        violation: Violation | None,
        found: Sequence[Violation],
    ) -> InputInvalid:
        stored = None
        if violation is None:
            async with self._uow() as work:
                stored = await work.configurations.find(caller.tenant, configuration_id)
        kept = stored.newest.settings if stored and stored.newest else None
        wrong = [*found, *settings_violations(written, stored=kept, rules=self._rules, now=self._clock.now())]
        return InputInvalid([violation, *wrong]) if violation else ConfigInvalid(wrong)
