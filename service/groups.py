"""What a process does for many at once: one look at the store, or one commit, for all who wait at that moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from domain.account import Account
from domain.grant import Grant
from domain.ports.acceptance import Accepted, NewDelivery
from domain.ports.delivery_queue import Claim, Outcome
from domain.ports.storage import UnitOfWork
from service.commit_together import CommitTogether
from service.in_flow import InFlow
from service.straight_on import Places, StraightOn

_HANGS_AFTER: Final = timedelta(seconds=1)
"""From when on a database that did not answer one Send is not asked by those behind it: they are told in time (P28)."""
_EACH_CALLERS_WAIT: Final = timedelta(milliseconds=0.4)
_LONGEST_CALLERS_WAIT: Final = timedelta(milliseconds=20)
"""Between two commits of Sends, by how many call: many who wait a little cost half of what each for itself costs."""
_EACH_LANES_WAIT: Final = timedelta(milliseconds=0.15)
_LONGEST_LANES_WAIT: Final = timedelta(milliseconds=5)
"""Between two commits of attempts, by how many the last one was: lanes that go on together cost less, too."""


def progress_together(uow: Callable[[], UnitOfWork]) -> CommitTogether[Claim | Outcome, bool]:
    """Returns the group commit of what attempts come to: passing the point of no return, and their outcomes."""
    return CommitTogether(
        uow=uow,
        apply=lambda work, steps: work.deliveries.progress_all(steps),
        breath=lambda last: min(_LONGEST_LANES_WAIT, last * _EACH_LANES_WAIT),
    )


def grants_together(uow: Callable[[], UnitOfWork]) -> CommitTogether[Account, Sequence[Grant]]:
    """Returns what reads grants for attempts: as they are after each has asked, in one look for all who ask at once."""

    async def read(work: UnitOfWork, accounts: Sequence[Account]) -> Sequence[Sequence[Grant]]:
        wanted = defaultdict(set)
        for account in accounts:
            wanted[account.tenant].add(account.configuration_id)
        found = {tenant: await work.grants.of(tenant, sorted(names)) for tenant, names in wanted.items()}
        return [found[account.tenant].get(account.configuration_id, ()) for account in accounts]

    return CommitTogether(uow=uow, apply=read)


def accept_together(
    uow: Callable[[], UnitOfWork], in_flow: InFlow, places: Callable[[], Places] | None
) -> CommitTogether[NewDelivery, Accepted | None]:
    """Returns the group commit of acceptances; with *places*, what has one goes straight on from there."""

    def breath(_: int) -> timedelta:
        return min(_LONGEST_CALLERS_WAIT, in_flow.callers * _EACH_CALLERS_WAIT)

    if places is None:
        return CommitTogether(
            uow=uow,
            apply=lambda work, batch: work.deliveries.accept_all(batch),
            hangs_after=_HANGS_AFTER,
            breath=breath,
        )
    straight_on = StraightOn(places=places())
    return CommitTogether(
        uow=uow,
        apply=straight_on.apply,
        stored=straight_on.stored,
        failed=straight_on.failed,
        hangs_after=_HANGS_AFTER,
        breath=breath,
    )
