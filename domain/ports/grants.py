"""What keeps the grants and their tokens, and who may refresh them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.grant import Grant, GrantKey


@dataclass(frozen=True, slots=True)
class RefreshLease:
    """The right to refresh one generation of a grant."""

    token: str
    in_doubt: bool
    """True: the grant is REFRESH_IN_DOUBT, so the stored refresh token may have been used up already."""


class Grants(Protocol):
    """The grants, few a configuration (see `domain.grant.superseded`); refresh and access tokens are sealed."""

    async def of(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, tuple[Grant, ...]]:
        """
        Returns the grants of those configurations that have any, by configuration id; the latest consent first.

        A refresh token that does not open comes as an UnreadableSecret; an access token that does not is left out.
        """
        ...

    async def find(self, key: GrantKey) -> Grant | None:
        """Returns the grant, as `of` does, or None."""
        ...

    async def save(self, grant: Grant, *, expected_generation: int, lease: RefreshLease | None = None) -> None:
        """
        Stores the grant in place of its *expected_generation* (0: it is new), and ends any lease on it.

        Generation alone decides, not the lease: whoever holds a newer pair may store it however late, as long as nobody
        has stored one before (P11). A `grant.generation` equal to the expected one changes its state only.
        *lease*: stored only as long as nobody else has taken the lease since, for what is no newer pair.
        Raises ConcurrentChange when another generation, or no grant, is stored, or the configuration is gone;
        SecretUnreadable when the grant's refresh token is an UnreadableSecret, so that none is overwritten.
        """
        ...

    async def delete(self, key: GrantKey) -> bool:
        """Deletes the grant with its tokens; False when there was none."""
        ...

    async def lease_refresh(self, key: GrantKey, *, generation: int, lease: timedelta) -> RefreshLease | None:
        """
        Gives the right to refresh to one caller across all processes, from commit on and for *lease*.

        Returns None when somebody else has it, the stored generation is another, or the grant is gone or dead. When a
        former holder let its lease lapse, it may have posted the refresh token and never stored the answer: the grant
        is REFRESH_IN_DOUBT from now on (P12). Time is the store's own.
        """
        ...

    async def holds(self, key: GrantKey, lease: RefreshLease) -> bool:
        """Tells whether *lease* is the last one that was given for the grant, and not ended."""
        ...

    async def is_shared(self, grant: Grant) -> bool:
        """
        Tells whether another living grant, of any configuration, rests on the same client, endpoint and user name.

        A provider such as Google ends all of them together.
        """
        ...

    async def end_lease(self, key: GrantKey, lease: RefreshLease) -> None:
        """Gives a lease up after a definite answer, or when nothing was sent; nothing when it no longer holds."""
        ...

    async def end_leases(self) -> int:
        """
        Lets every lease run out now, as if its holder had died; returns their number.

        Only for a process that knows itself to be alone on the store, after its predecessor died.
        """
        ...

    async def due_for_keeping(self, before: datetime, limit: int) -> tuple[GrantKey, ...]:
        """
        Returns up to *limit* living grants whose `domain.token_life.keep_time` lies before *before*, earliest first.

        Those under a lease are left out: somebody refreshes them already.
        """
        ...

    async def page(self, *, after: GrantKey | None, limit: int) -> tuple[GrantKey, ...]:
        """Returns up to *limit* grants of all tenants, by tenant, configuration and id above *after*."""
        ...
