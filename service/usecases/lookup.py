"""Finding a record for a caller: a foreign tenant's looks exactly like one that is not there."""

from __future__ import annotations

from domain.configuration import Configuration
from domain.delivery import Delivery
from domain.errors import NotFound
from domain.ports.storage import UnitOfWork


async def configuration_of(work: UnitOfWork, tenant: str, configuration_id: str) -> Configuration:
    """Returns the tenant's configuration. Raises NotFound when there is none of that id."""
    found = await work.configurations.find(tenant, configuration_id)
    if found is None:
        raise no_configuration(configuration_id)
    return found


async def delivery_of(work: UnitOfWork, tenant: str, delivery_id: str) -> Delivery:
    """Returns the tenant's delivery. Raises NotFound when there is none of that id."""
    found = await work.deliveries.find(tenant, delivery_id)
    if found is None:
        raise _no_delivery(delivery_id)
    return found


async def locked_delivery_of(work: UnitOfWork, tenant: str, delivery_id: str) -> Delivery:
    """Returns the tenant's delivery, locked until the unit of work ends. Raises NotFound when there is none."""
    found = await work.deliveries.lock(tenant, delivery_id)
    if found is None:
        raise _no_delivery(delivery_id)
    return found


def no_configuration(configuration_id: str) -> NotFound:
    """Returns the error for a configuration that the caller does not have."""
    return NotFound(
        "There is no configuration of this id.",
        remedy="Check the id with ListConfigurations, or create it with Configure.",
        metadata={"configuration_id": configuration_id},
    )


def _no_delivery(delivery_id: str) -> NotFound:
    return NotFound(
        "There is no delivery of this id.",
        remedy="Take the delivery_id from Send's answer or from ListDeliveries; records are not kept for ever.",
        metadata={"delivery_id": delivery_id},
    )
