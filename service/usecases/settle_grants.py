"""The step after a change of settings or grants: what no revision would send with is forgotten."""

from __future__ import annotations

from domain.configuration import Configuration
from domain.grant import unneeded
from domain.ports.storage import UnitOfWork


async def drop_unneeded_grants(work: UnitOfWork, configuration: Configuration) -> None:
    """Deletes the grants that neither the active revision nor the draft of *configuration* would use."""
    held = await work.grants.of(configuration.tenant, [configuration.configuration_id])
    grants = held.get(configuration.configuration_id, ())
    for grant in unneeded(grants, *configuration.in_use_or_to_be):
        await work.grants.delete(grant.key)
