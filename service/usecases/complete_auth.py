"""CompleteAuth: the browser came back; the code is exchanged once, judged, and the grant stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.account import Account
from domain.caller import Caller
from domain.configuration import Configuration, activated
from domain.consent import ConsentRecord, ConsentSession, unknown_state
from domain.consent_callback import CallbackCode, CallbackError, WrittenCallback, read_callback
from domain.consent_issuer import check_issuer
from domain.consent_refusal import as_failure, callback_refused
from domain.errors import MailportError, NotReady, Unavailable, Warning
from domain.failures.failure import Failure
from domain.grant import Grant, covers
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.ports.vault import Vault
from domain.reasons import Reason
from domain.secret import Secret
from service.usecases.authorize import state_digest
from service.usecases.events import Events
from service.usecases.exchange_code import ExchangeCode, settings_changed
from service.usecases.lookup import no_configuration
from service.usecases.settle_grants import drop_unneeded_grants
from service.usecases.sites import follow_settings
from service.usecases.views import ConfigurationView, view_configurations

_STORE_AGAIN: Final = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True)
class Completed:
    """The consent is a grant now."""

    view: ConfigurationView
    grant: Grant
    """With one access token, of the resource that the settings send with."""
    warnings: tuple[Warning, ...]


class CompleteAuth:
    """Ends consent sessions, each once, however many call."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        exchange: ExchangeCode,
        clock: Clock,
        vault: Vault,
        events: Events,
        store_again: timedelta = _STORE_AGAIN,
    ) -> None:
        self._uow = uow
        self._exchange = exchange
        self._clock = clock
        self._vault = vault
        self._events = events
        self._store_again = store_again
        self._running: set[asyncio.Task[Completed]] = set()

    async def __call__(self, caller: Caller | None, written: WrittenCallback) -> Completed:
        """
        Exchanges the code and stores the grant; an active revision that it does not cover keeps its own.

        *caller* None: a browser, which has no credential but the state. Once it has begun all is done
        whatever becomes of the caller, and what was granted is stored as soon as the store is there.
        Raises InputInvalid for what is no callback, or an unknown state, with nothing done; NotReady STATE_EXPIRED;
        NotReady NOT_CONFIGURED when the settings are others by now; ProviderRefused with why there is no grant. In all
        of these the former grant stays, and the state is used up but for an InputInvalid. Unavailable, too, leaves the
        state good, unless only the answer to a commit was lost.
        """
        callback = read_callback(written)
        field = "callback_url" if written.callback_url else "state"
        # Taken inside the task too: else a caller who leaves during that commit leaves a state used up for nothing.
        task = asyncio.create_task(self._take_and_end(caller, callback, field=field), name="consent")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def former(self, callback_url: Secret) -> ConsentRecord | None:
        """
        Returns how the session that a browser comes back to once more has ended; uses nothing up, asks nobody.

        None when that is not known: the state was never issued, its session has not ended, or a later one has been
        started for the same configuration. Raises InputInvalid for what is no callback, Unavailable.
        """
        callback = read_callback(WrittenCallback(callback_url=callback_url))
        digest = state_digest(self._vault, callback.state)
        async with self._uow() as work:
            return await work.consents.ended(digest)

    async def drain(self, within: timedelta) -> None:
        """Waits for the sessions that are being ended; cancels what is not done *within*."""
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=within.total_seconds())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Completed]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, since nobody may be there any more to hear of it; the record says it

    async def _take(
        self, caller: Caller | None, state: str, *, field: str
    ) -> tuple[ConsentSession, Configuration | None]:
        """Uses the state up, in one commit with reading the rest: a store that is away by then has used up nothing."""
        digest = state_digest(self._vault, state)
        async with self._uow() as work:
            session = await work.consents.take(digest, tenant=caller.tenant if caller else None)
            if session is None:
                raise unknown_state(field)
            configuration = await work.configurations.find(session.tenant, session.configuration_id)
            await work.commit()
        return session, configuration

    async def _take_and_end(
        self, caller: Caller | None, callback: CallbackCode | CallbackError, *, field: str
    ) -> Completed:
        session, configuration = await self._take(caller, callback.state, field=field)
        return await self._end(session, configuration, callback)

    async def _end(
        self, session: ConsentSession, configuration: Configuration | None, callback: CallbackCode | CallbackError
    ) -> Completed:
        account = Account(session.tenant, session.configuration_id)
        try:
            completed = await self._complete(session, configuration, callback)
        except MailportError as error:
            failure = as_failure(error)
            if error.reason is not Reason.STATE_EXPIRED:  # that shows by itself
                await self._conclude(session, failure)
            self._events.consent_ended(account, failure)
            raise
        self._events.consent_ended(account, None)
        return completed

    async def _complete(
        self, session: ConsentSession, configuration: Configuration | None, callback: CallbackCode | CallbackError
    ) -> Completed:
        session.check_alive(now=self._clock.now())
        check_issuer(callback.iss, authorization_endpoint=session.basis.authorization_endpoint)
        if isinstance(callback, CallbackError):
            raise callback_refused(callback)
        if configuration is None:
            raise no_configuration(session.configuration_id)
        exchanged = await self._exchange(session, configuration, callback.code)
        view = await self._store(session, exchanged.grant)
        return Completed(view=view, grant=exchanged.grant, warnings=exchanged.warnings)

    async def _store(self, session: ConsentSession, grant: Grant) -> ConfigurationView:
        """Stores the grant, and again until the store has it: it exists nowhere else."""
        while True:
            try:
                return await self._store_once(session, grant)
            except Unavailable:
                await asyncio.sleep(self._store_again.total_seconds())

    async def _store_once(self, session: ConsentSession, grant: Grant) -> ConfigurationView:
        async with self._uow() as work:
            configuration = await work.configurations.lock(session.tenant, session.configuration_id)
            if configuration is None:
                raise no_configuration(session.configuration_id)
            if await work.grants.find(grant.key) is None:  # else only the answer to a former commit was lost
                latest = await work.consents.latest(session.tenant, [session.configuration_id])
                if not latest:  # each session leaves its record, which RevokeAuth alone takes away
                    raise _given_up(session.configuration_id)
                if not any(covers(grant.basis, settings) for settings in configuration.in_use_or_to_be):
                    raise settings_changed(configuration)
                await work.grants.save(grant, expected_generation=0)
                configuration = await self._settle(work, session, configuration, grant)
                await work.consents.conclude(session, None)
            (view,) = await view_configurations(work, configuration, now=self._clock.now())
            await work.commit()
        return view

    async def _settle(
        self, work: UnitOfWork, session: ConsentSession, configuration: Configuration, grant: Grant
    ) -> Configuration:
        draft = configuration.draft
        if session.save and draft is not None and draft.number == session.revision:
            before = configuration
            configuration = activated(before, at=self._clock.now(), is_proven=False)
            await work.configurations.save(configuration, expected_version=before.version)
            await follow_settings(work, before, configuration)
        await drop_unneeded_grants(work, configuration)
        if configuration.active is not None and covers(grant.basis, configuration.active.settings):
            await work.deliveries.release(configuration.tenant, configuration.configuration_id)
        return configuration

    async def _conclude(self, session: ConsentSession, failure: Failure) -> None:
        try:
            async with self._uow() as work:
                await work.consents.conclude(session, failure)
                await work.commit()
        except Unavailable:
            pass  # the caller hears of it; the record says EXPIRED in time


def _given_up(configuration_id: str) -> NotReady:
    return NotReady(
        "The consent was given up with RevokeAuth while it was being completed; nothing was stored.",
        reason=Reason.NOT_CONFIGURED,
        remedy="Call Authorize again if the account is to be used after all.",
        metadata={"configuration_id": configuration_id},
    )
