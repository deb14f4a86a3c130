"""The keeper's step that says what will end sending, before it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from domain.account import Account
from domain.announcement import decide
from domain.configuration import Configuration
from domain.forecast import Forecast, ForecastKind, forecasts
from domain.grant import Grant, grant_for
from domain.ports.environment import Clock
from domain.ports.storage import UnitOfWork
from domain.settings.model import OAuthAuthentication
from service.usecases.events import Events

_DAY: Final = timedelta(days=1)


class AnnounceEnds:
    """Foresees the ends of one configuration, and announces each threshold of each end once across all processes."""

    def __init__(self, *, uow: Callable[[], UnitOfWork], clock: Clock, events: Events) -> None:
        self._uow = uow
        self._clock = clock
        self._events = events

    async def __call__(self, configuration: Configuration, grants: Iterable[Grant]) -> tuple[Forecast, ...]:
        """
        Returns what it announced, the nearest end first; most of the time nothing.

        The settings in use are looked at, or the draft while none are, with the one of *grants*, all that the
        configuration has, that serves them. To be called after a refresh, which may put an end off. Of several
        processes one announces, and a crash right after the commit leaves the announcement out:
        `Events.ends_foreseen` tells the end all the same.
        Raises Unavailable when the store is away; nothing is announced then that is not announced the next time.
        """
        account = Account(configuration.tenant, configuration.configuration_id)
        now = self._clock.now()
        found = _foreseen(configuration, grants, now)
        self._events.ends_foreseen(account, found)
        due = await self._remember(account, {each.kind: each for each in found}, now)
        announced = tuple(each for each in found if each.kind in due)
        for each in announced:
            # Rounded up, so that the warning seven days ahead says seven days although some minutes of them are over.
            self._events.end_announced(account, each, days_left=-((now - each.expected_time) // _DAY))
        return announced

    async def _remember(
        self, account: Account, found: Mapping[ForecastKind, Forecast], now: datetime
    ) -> frozenset[ForecastKind]:
        """Stores what is said from now on; returns the kinds that this call is the one to say."""
        due: set[ForecastKind] = set()
        async with self._uow() as work:
            known = await work.announcements.of(account.tenant, account.configuration_id)
            is_changed = False
            for kind in ForecastKind:  # in the same order everywhere, so that no two of us block each other
                before = known.get(kind)
                decision = decide(before, found.get(kind), now=now)
                if decision.remembered == before:
                    continue
                is_ours = await work.announcements.replace(
                    account.tenant, account.configuration_id, kind, before=before, after=decision.remembered
                )
                is_changed |= is_ours
                if is_ours and decision.is_due:
                    due.add(kind)
            if is_changed:
                await work.commit()
        return frozenset(due)


def _foreseen(configuration: Configuration, grants: Iterable[Grant], now: datetime) -> tuple[Forecast, ...]:
    revision = configuration.active or configuration.draft
    if revision is None or not isinstance(revision.settings.authentication, OAuthAuthentication):
        return ()
    return forecasts(revision.settings.authentication, grant_for(revision.settings, grants), now=now)
