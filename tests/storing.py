"""One delivery and one claim at a time, where the port takes as many as there are."""

from __future__ import annotations

from domain.delivery import Delivery
from domain.errors import LeaseLost
from domain.ports.acceptance import Accepted, IdempotencyRecord, NewDelivery
from domain.ports.delivery_queue import Claim
from domain.ports.storage import UnitOfWork
from tests.builders import CONTENT


async def accept_one(
    work: UnitOfWork, delivery: Delivery, content: bytes = CONTENT, *, key: IdempotencyRecord | None = None
) -> Accepted:
    """Stores the delivery, whatever its configuration is by now; returns what stands under its key."""
    (accepted,) = await work.deliveries.accept_all([NewDelivery(delivery, content, key)])
    assert accepted is not None
    return accepted


async def pass_no_return(work: UnitOfWork, claim: Claim) -> None:
    """Marks that content may leave from now on. Raises LeaseLost when the lease no longer holds."""
    (is_marked,) = await work.deliveries.progress_all([claim])
    if not is_marked:
        raise LeaseLost
