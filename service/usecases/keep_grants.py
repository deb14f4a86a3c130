"""The keeper's steps: idle grants are used before they lapse, and ends are foreseen (rule 8)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from domain.account import Account
from domain.configuration import Configuration
from domain.errors import MailportError, Unavailable
from domain.grant import Grant, GrantKey, covers, issuer_of
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.resource import sending_resource
from domain.settings.model import MailSettings, OAuthAuthentication
from service.logs import CONFIGURATION_ID, KEEPING_FAILED, TENANT
from service.usecases.announce_ends import AnnounceEnds
from service.usecases.events import Events
from service.usecases.fresh_tokens import FreshTokens

_BATCH: Final = 20
_PAGE: Final = 100
_OLD_SESSIONS: Final = timedelta(days=1)
"""How long expired consent sessions are kept, so that who comes late hears that it was too late."""

_logger = logging.getLogger(__name__)


class KeepGrants:
    """One round of the keeper; of several processes each does a part of it."""

    def __init__(
        self,
        *,
        uow: Callable[[], UnitOfWork],
        tokens: FreshTokens,
        announce_ends: AnnounceEnds,
        clock: Clock,
        events: Events,
    ) -> None:
        self._uow = uow
        self._tokens = tokens
        self._announce_ends = announce_ends
        self._clock = clock
        self._events = events

    async def __call__(self) -> None:
        """
        Refreshes the grants that lie idle, then announces what will end, then forgets old consent sessions.

        An idle grant that no settings use any more is forgotten instead, as a former draft's. What goes wrong with one
        configuration does not keep the others waiting. Raises Unavailable when the store is away.
        """
        await self._refresh_idle()
        await self._announce_all()
        async with self._uow() as work:
            await work.consents.purge_expired(self._clock.now() - _OLD_SESSIONS)
            await work.commit()

    async def _refresh_idle(self) -> None:
        tried: set[GrantKey] = set()
        while True:
            async with self._uow() as work:
                # Those that were tried in vain still come first, and must not keep the others waiting.
                found = await work.grants.due_for_keeping(self._clock.now(), _BATCH + len(tried))
            due = [key for key in found if key not in tried]
            if not due:
                return
            steps = (_apart(Account(key.tenant, key.configuration_id), self._refresh(key)) for key in due)
            # Nobody would hear of those that still run if the first one that fails ended the round.
            ended = await asyncio.gather(*steps, return_exceptions=True)
            if failed := next((each for each in ended if each is not None), None):
                raise failed
            tried.update(due)

    async def _refresh(self, key: GrantKey) -> None:
        async with self._uow() as work:
            grant = await work.grants.find(key)
            configuration = await work.configurations.find(key.tenant, key.configuration_id)
            settings = _settings_for(grant, configuration)
            if grant is None or settings is None:
                await work.grants.delete(key)
                await work.commit()
                return
        client = settings.authentication
        assert isinstance(client, OAuthAuthentication)
        resource = sending_resource(settings, issuer=issuer_of(client))
        await asyncio.shield(self._tokens.begin(grant, client, resource))

    async def _announce_all(self) -> None:
        last: Account | None = None
        gone_through: list[Account] = []
        while True:
            async with self._uow() as work:
                accounts = await work.configurations.with_oauth(after=last, limit=_PAGE)
            for account in accounts:
                await _apart(account, self._announce(account))
            gone_through.extend(accounts)
            if len(accounts) < _PAGE:
                break
            last = accounts[-1]
        self._events.only_accounts(gone_through)

    async def _announce(self, account: Account) -> None:
        async with self._uow() as work:
            configuration = await work.configurations.find(account.tenant, account.configuration_id)
            held = await work.grants.of(account.tenant, [account.configuration_id])
        if configuration is not None:
            await self._announce_ends(configuration, held.get(account.configuration_id, ()))


async def _apart(account: Account, step: Awaitable[None]) -> None:
    """Awaits a step for one account; only Unavailable concerns the others too, whatever else goes wrong is logged."""
    fields = {TENANT: account.tenant, CONFIGURATION_ID: account.configuration_id}
    try:
        await step
    except Unavailable:
        raise
    except MailportError as error:  # a secret that does not open, as a rule; GetConfiguration shows it
        _logger.warning(KEEPING_FAILED, extra=fields | {"reason": error.reason.value})
    except Exception:
        # A row that nobody foresaw must not let everybody else's grants lapse.
        _logger.exception(KEEPING_FAILED, extra=fields)


def _settings_for(grant: Grant | None, configuration: Configuration | None) -> MailSettings | None:
    """Returns the settings whose client refreshes *grant*: the active ones where they use it."""
    if grant is None or configuration is None:
        return None
    return next((each for each in configuration.in_use_or_to_be if covers(grant.basis, each)), None)
