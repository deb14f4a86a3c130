"""What keeps the configurations of all tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.account import Account
from domain.configuration import Configuration
from domain.pause import Pause


class Configurations(Protocol):
    """The configurations of all tenants; each call names the tenant, and sees no other's."""

    async def find(self, tenant: str, configuration_id: str) -> Configuration | None:
        """
        Returns the configuration with its secrets opened, or None.

        A secret that does not open comes as an UnreadableSecret; the rest of the settings is there all the same.
        """
        ...

    async def lock(self, tenant: str, configuration_id: str) -> Configuration | None:
        """Returns the configuration as `find` does, locked until the unit of work ends."""
        ...

    async def page(self, tenant: str, *, after: str, limit: int) -> tuple[Configuration, ...]:
        """Returns up to *limit* configurations with ids above *after* ("" for the first), by id."""
        ...

    async def with_oauth(self, *, after: Account | None, limit: int) -> tuple[Account, ...]:
        """
        Returns up to *limit* configurations of all tenants that sign in with OAuth, by tenant and id above *after*.

        Those whose active revision does, or whose draft while nothing is active.
        """
        ...

    async def add(self, configuration: Configuration) -> None:
        """Stores a new configuration. Raises ConcurrentChange when the id is taken meanwhile."""
        ...

    async def save(self, configuration: Configuration, *, expected_version: int) -> None:
        """
        Replaces the stored configuration, secrets sealed; retired revisions and their secrets are gone.

        Raises ConcurrentChange when the stored version is not *expected_version*, or the configuration is gone.
        """
        ...

    async def delete(self, tenant: str, configuration_id: str, *, expected_version: int) -> None:
        """
        Deletes it with its secrets, grant, pause, allowance and consent sessions; deliveries keep their record.

        Raises ConcurrentChange when the stored version is not *expected_version*.
        """
        ...

    async def pauses(self, tenant: str, configuration_ids: Sequence[str]) -> Mapping[str, Pause]:
        """
        Returns the pause records of those configurations that have one, by id.

        A record stands until an attempt succeeds or the configuration is released, also when its time is over; while a
        delivery probes, its `until` is the end of that delivery's first lease.
        """
        ...
