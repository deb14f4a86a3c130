"""Removes what is left of ended deliveries, in batches that hold nobody up."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from adapters.postgres.session import Session

# A retry takes the row's lock, and final_time from it, before it looks for the content: either it comes first, and the
# row is not chosen, or it finds the content gone.
SHRED: Final = """
    with ended as (
        select tenant, delivery_id from delivery
        where final_time < %(before)s and has_content
        order by final_time limit %(limit)s for update skip locked),
    shredded as (
        delete from delivery_content c using ended e
        where c.tenant = e.tenant and c.delivery_id = e.delivery_id)
    update delivery d set has_content = false from ended e
    where d.tenant = e.tenant and d.delivery_id = e.delivery_id
    """
_NO_LIVE_KEY: Final = """
    not exists (
        select from idempotency_key k
        where k.tenant = d.tenant and k.delivery_id = d.delivery_id and k.expire_time > now())
    """
FORGET_ENDED: Final = f"""
    with old as (
        select tenant, delivery_id from delivery d
        where final_time < %(before)s and not has_content and {_NO_LIVE_KEY}
        order by final_time limit %(limit)s for update skip locked)
    delete from delivery d using old o where d.tenant = o.tenant and d.delivery_id = o.delivery_id
    """
FORGET_UNDECIDED: Final = f"""
    with old as (
        select tenant, delivery_id from delivery d
        where state = 'IN_DOUBT' and next_attempt_time is null and update_time < %(before)s and {_NO_LIVE_KEY}
        order by update_time limit %(limit)s for update skip locked)
    delete from delivery d using old o where d.tenant = o.tenant and d.delivery_id = o.delivery_id
    """
FORGET_KEYS: Final = """
    with expired as (
        select tenant, key from idempotency_key
        where expire_time <= now() order by expire_time limit %(limit)s for update skip locked)
    delete from idempotency_key k using expired e where k.tenant = e.tenant and k.key = e.key
    """


class PostgresLeftovers:
    """A `domain.ports.retention.Leftovers` within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def shred_contents(self, ended_before: datetime, *, limit: int) -> int:
        """See the port."""
        return await self._session.execute(SHRED, {"before": ended_before, "limit": limit})

    async def forget_deliveries(self, ended_before: datetime, *, limit: int) -> int:
        """See the port."""
        ended = await self._session.execute(FORGET_ENDED, {"before": ended_before, "limit": limit})
        if ended == limit:
            return ended
        where = {"before": ended_before, "limit": limit - ended}
        return ended + await self._session.execute(FORGET_UNDECIDED, where)

    async def forget_keys(self, *, limit: int) -> int:
        """See the port."""
        return await self._session.execute(FORGET_KEYS, {"limit": limit})
