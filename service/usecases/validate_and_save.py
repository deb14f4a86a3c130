"""ValidateAndSave: a real mail, and the mailbox opened, prove the draft; only then it becomes active."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.address import EmailAddress, parse_address
from domain.caller import Caller
from domain.configuration import (
    CONFIRMATION_DIGITS,
    Configuration,
    activated,
    awaiting_confirmation,
)
from domain.data_center import proven_elsewhere
from domain.errors import ConcurrentChange, InputInvalid, NotReady, Violation, Warning
from domain.failures.trace import Trace
from domain.letters import validation_letter
from domain.ports.environment import Clock, Entropy
from domain.ports.storage import UnitOfWork
from domain.ports.vault import Vault
from domain.reasons import Reason
from service.usecases.lookup import configuration_of
from service.usecases.prove import Prove
from service.usecases.settle_grants import drop_unneeded_grants
from service.usecases.sites import follow_settings
from service.usecases.token_sources import TokenSources
from service.usecases.views import ConfigurationView, view_configurations

CODE_PURPOSE: Final = "confirmation-code"


@dataclass(frozen=True, slots=True)
class Validated:
    """The draft is proven, and active unless a code has to come back first."""

    view: ConfigurationView
    trace: Trace
    recipient: EmailAddress
    confirmation_expire_time: datetime | None
    warnings: tuple[Warning, ...] = ()
    """Of this proof, beside those of the revision."""


class ValidateAndSave:
    """Proves a draft with a mail to the user's own address."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        prove: Prove,
        sources: TokenSources,
        clock: Clock,
        entropy: Entropy,
        vault: Vault,
        data_center: str = "",
    ) -> None:
        self._uow = uow
        self._sources = sources
        self._prove = prove
        self._clock = clock
        self._entropy = entropy
        self._vault = vault
        self._data_center = data_center

    async def __call__(
        self,
        caller: Caller,
        configuration_id: str,
        *,
        user_email: str,
        require_confirmation: bool,
        etag: str,
        time_left: timedelta,
    ) -> Validated:
        """
        Makes the draft active once the server has taken the validation mail, and the mailbox, if any, has opened.

        Raises NotFound, NotReady (NO_DRAFT, USER_EMAIL_MISSING), ConcurrentChange when *etag* is stale or the draft was
        changed meanwhile, ProviderRefused when the server says no; in all of these nothing is saved.
        """
        deadline = self._clock.monotonic() + time_left
        async with self._uow() as work:
            current = await configuration_of(work, caller.tenant, configuration_id)
        current.check_etag(etag)
        draft = current.require_draft()
        recipient = _users_address(user_email, caller)
        code = self._entropy.code(CONFIRMATION_DIGITS) if require_confirmation else ""
        proof = await self._prove(
            draft.settings,
            recipient,
            lambda: validation_letter(draft.settings, recipient, configuration_id, code),
            tokens=self._sources.stored(caller.tenant, configuration_id, draft.settings, is_trial=True),
            reading=self._sources.reading(caller.tenant, configuration_id, draft.settings, is_trial=True),
            is_to_be_saved=True,
            time_left=deadline - self._clock.monotonic(),
            configuration_id=configuration_id,
        )
        view = await self._store(current, code)
        waiting = view.configuration.draft
        expiry = waiting.confirmation.expire_time if waiting and waiting.confirmation else None
        return Validated(
            view=view,
            trace=proof.trace,
            recipient=recipient,
            confirmation_expire_time=expiry,
            warnings=proven_elsewhere(draft.settings.data_center, here=self._data_center),
        )

    async def _store(self, proven: Configuration, code: str) -> ConfigurationView:
        now = self._clock.now()
        if code:
            changed = awaiting_confirmation(proven, code_digest(self._vault, proven, code), at=now)
        else:
            changed = activated(proven, at=now)
        async with self._uow() as work:
            try:
                await work.configurations.save(changed, expected_version=proven.version)
            except ConcurrentChange as error:
                raise ConcurrentChange(
                    "The configuration was changed while its draft was being proven; nothing was saved.",
                    remedy="Read it again, then call ValidateAndSave for the new draft.",
                    metadata={"configuration_id": proven.configuration_id},
                ) from error
            if not code:
                await drop_unneeded_grants(work, changed)
                await follow_settings(work, proven, changed)
                await work.deliveries.release(proven.tenant, proven.configuration_id)
            (view,) = await view_configurations(work, changed, now=now)
            await work.commit()
        return view


def code_digest(vault: Vault, configuration: Configuration, code: str) -> bytes:
    """Returns the keyed hash of a confirmation code, bound to the draft that it confirms."""
    draft = configuration.require_draft()
    bound = "\0".join([configuration.tenant, configuration.configuration_id, str(draft.number), code])
    return vault.digest(bound.encode(), purpose=CODE_PURPOSE)


def _users_address(user_email: str, caller: Caller) -> EmailAddress:
    text = user_email or caller.email
    if not text:
        raise NotReady(
            "There is no address to send the validation mail to.",
            reason=Reason.USER_EMAIL_MISSING,
            remedy="Set up an e-mail address for your user, or give user_email in the request.",
        )
    match parse_address(text, field="user_email"):
        case Violation() as violation:
            raise InputInvalid([violation])
        case address:
            return address
