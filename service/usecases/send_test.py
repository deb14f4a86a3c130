"""SendTest: a test mail with draft, active or unsaved settings; saves nothing, answers the server's final verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.address import parse_address
from domain.caller import Caller
from domain.data_center import proven_elsewhere
from domain.errors import ConfigInvalid, InputInvalid, Violation, Warning
from domain.letters import letter_for_test
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.settings.model import MailSettings
from domain.settings.parse import SettingsRules, parse_settings
from domain.settings.written import WrittenSettings
from service.usecases.configure import check_configuration_id, settings_violations
from service.usecases.lookup import configuration_of
from service.usecases.preflight import Preflight
from service.usecases.prove import Proof, Prove
from service.usecases.token_sources import TokenSources


class Tested(StrEnum):
    """Which settings a test mail went out with."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    UNSAVED = "UNSAVED"


@dataclass(frozen=True, slots=True)
class TestSent:
    """The server took the test mail."""

    proof: Proof
    tested: Tested
    warnings: tuple[Warning, ...]


@dataclass(frozen=True, slots=True)
class _Choice:
    settings: MailSettings
    tested: Tested
    warnings: tuple[Warning, ...]


class SendTest:
    """Sends a test mail."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        prove: Prove,
        sources: TokenSources,
        preflight: Preflight,
        clock: Clock,
        rules: SettingsRules,
        data_center: str = "",
    ) -> None:
        self._uow = uow
        self._sources = sources
        self._prove = prove
        self._preflight = preflight
        self._clock = clock
        self._rules = rules
        self._data_center = data_center

    async def __call__(
        self,
        caller: Caller,
        configuration_id: str,
        *,
        to: str,
        unsaved: WrittenSettings | None,
        time_left: timedelta,
        found: Sequence[Violation] = (),
    ) -> TestSent:
        """
        Sends to *to* with *unsaved* settings if given, else the draft if there is one, else the active revision.

        Secrets left unset in *unsaved* are the stored ones, as with Configure. *found*: what is wrong with the request
        already, to be named too. Raises InputInvalid or ConfigInvalid with every violation, NotFound, NotReady
        NOT_CONFIGURED, ProviderRefused with failure and trace when the server says no.
        """
        deadline = self._clock.monotonic() + time_left
        recipient = parse_address(to, field="to")
        wrong = list(found)
        if configuration_id and unsaved is not None and (violation := check_configuration_id(configuration_id)):
            wrong.append(violation)
        if isinstance(recipient, Violation):
            raise await self._refusal(caller, configuration_id, unsaved, [*wrong, recipient])
        if wrong:
            raise await self._refusal(caller, configuration_id, unsaved, wrong)
        choice = await self._choose(caller, configuration_id, unsaved)
        is_unsaved = choice.tested is Tested.UNSAVED
        source = self._sources.unsaved if is_unsaved else self._sources.stored
        reading = self._sources.unsaved_reading if is_unsaved else self._sources.reading
        proof = await self._prove(
            choice.settings,
            recipient,
            lambda: letter_for_test(choice.settings, recipient, configuration_id),
            tokens=source(caller.tenant, configuration_id, choice.settings),
            reading=reading(caller.tenant, configuration_id, choice.settings),
            time_left=deadline - self._clock.monotonic(),
            configuration_id=configuration_id,
        )
        elsewhere = proven_elsewhere(choice.settings.data_center, here=self._data_center)
        left = deadline - self._clock.monotonic()
        ahead = await self._preflight(choice.settings, choice.warnings, proof.sending_trace, time_left=left)
        return TestSent(proof=proof, tested=choice.tested, warnings=(*ahead.warnings, *elsewhere))

    async def _choose(self, caller: Caller, configuration_id: str, unsaved: WrittenSettings | None) -> _Choice:
        if unsaved is None:
            async with self._uow() as work:
                current = await configuration_of(work, caller.tenant, configuration_id)
            if current.draft is not None:
                return _Choice(current.draft.settings, Tested.DRAFT, current.draft.warnings)
            active = current.require_active()
            return _Choice(active.settings, Tested.ACTIVE, active.warnings)
        kept = await self._kept(caller, configuration_id)
        parsed = parse_settings(unsaved, stored=kept, rules=self._rules, now=self._clock.now())
        return _Choice(parsed.settings, Tested.UNSAVED, parsed.warnings)

    async def _kept(self, caller: Caller, configuration_id: str) -> MailSettings | None:
        """Returns the stored settings whose secrets unsaved ones may use; None when there are none of that id."""
        if check_configuration_id(configuration_id):
            return None
        async with self._uow() as work:
            stored = await work.configurations.find(caller.tenant, configuration_id)
        return stored.newest.settings if stored and stored.newest else None

    async def _refusal(
        self, caller: Caller, configuration_id: str, unsaved: WrittenSettings | None, wrong: list[Violation]
    ) -> InputInvalid:
        if unsaved is None:
            return InputInvalid(wrong)
        kept = await self._kept(caller, configuration_id)
        of_settings = settings_violations(unsaved, stored=kept, rules=self._rules, now=self._clock.now())
        violations = [*wrong, *of_settings]
        is_all = all(each.field.startswith("settings") for each in violations)
        return ConfigInvalid(violations) if is_all else InputInvalid(violations)
