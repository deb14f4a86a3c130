"""Which delivery a received mail is about, and what reports said of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from adapters.postgres.codec import is_storable, storable
from adapters.postgres.delivery_rows import parse_id
from adapters.postgres.session import Session
from domain.bounce import MOST_BOUNCES, Bounce
from domain.reading.model import BounceAction

_OWN: Final = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@")
"""How a Message-ID begins that was made of the delivery's id."""
_ACTIONS: Final = frozenset(action.value for action in BounceAction)
"""A later version may have written others, and a process of this one runs beside it (P29)."""
FIND: Final = """
    select d.delivery_id, d.message_id, d.create_time from delivery d
    where d.tenant = %(tenant)s and d.delivery_id = any(%(ids)s::uuid[]) and d.message_id = any(%(message_ids)s::text[])
    union all
    select d.delivery_id, d.message_id, d.create_time from delivery d
    where d.tenant = %(tenant)s and md5(d.message_id) = any(%(digests)s::text[])
      and strpos(d.message_id, d.delivery_id::text) <> 2 and d.message_id = any(%(message_ids)s::text[])
    order by create_time
    """
# The delivery's row is locked against being forgotten, which would fail the foreign key and end the transaction.
_RECORD: Final = """
    insert into bounce as b (
        tenant, delivery_id, address_key, address, action, status, diagnostic, reporting_server, report_time)
    select d.tenant, d.delivery_id, %(key)s, %(address)s, %(action)s, %(status)s, %(diagnostic)s,
        %(reporting_server)s, %(report_time)s
    from delivery d
    where d.tenant = %(tenant)s and d.delivery_id = %(id)s and (
        exists (
            select from bounce k
            where (k.tenant, k.delivery_id, k.address_key) = (d.tenant, d.delivery_id, %(key)s))
        or (select count(*) from bounce k where (k.tenant, k.delivery_id) = (d.tenant, d.delivery_id)) < %(most)s)
    for key share of d
    on conflict (tenant, delivery_id, address_key) do update
    set address = excluded.address, action = excluded.action, status = excluded.status,
        diagnostic = excluded.diagnostic, reporting_server = excluded.reporting_server,
        report_time = excluded.report_time, record_time = now()
    where b.report_time < excluded.report_time
    """


class PostgresCorrelation:
    """A `domain.ports.correlation.Correlation` within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def deliveries_of(self, tenant: str, message_ids: Collection[str]) -> Mapping[str, str]:
        """See the port."""
        asked = sorted({each for each in message_ids if is_storable(each)})
        if not asked:
            return {}
        own = [found[1] for each in asked if (found := _OWN.match(each))]
        rows = await self._session.rows(
            FIND,
            {
                "tenant": tenant,
                "ids": [UUID(each) for each in own],
                "digests": [hashlib.md5(each.encode(), usedforsecurity=False).hexdigest() for each in asked],
                "message_ids": asked,
            },
        )
        return {row["message_id"]: str(row["delivery_id"]) for row in rows}

    async def record(self, tenant: str, bounces: Sequence[Bounce]) -> int:
        """See the port."""
        changed = 0
        # In one order everywhere, so that two transactions never wait for each other's rows.
        for bounce in sorted(bounces, key=lambda each: (each.delivery_id, _key(each), each.report_time)):
            identity = parse_id(bounce.delivery_id)
            if identity is not None and is_storable(bounce.address):
                changed += await self._session.execute(_RECORD, _columns(tenant, identity, bounce))
        return changed

    async def bounces(self, tenant: str, delivery_id: str) -> tuple[Bounce, ...]:
        """See the port."""
        if (identity := parse_id(delivery_id)) is None:
            return ()
        rows = await self._session.rows(
            """
            select delivery_id, address, action, status, diagnostic, reporting_server, report_time from bounce
            where tenant = %(tenant)s and delivery_id = %(id)s
            order by report_time desc, address_key
            """,
            {"tenant": tenant, "id": identity},
        )
        return tuple(
            Bounce(
                delivery_id=str(row["delivery_id"]),
                address=row["address"],
                action=BounceAction(row["action"]) if row["action"] in _ACTIONS else BounceAction.UNKNOWN,
                status=row["status"],
                diagnostic=row["diagnostic"],
                reporting_server=row["reporting_server"],
                report_time=row["report_time"],
            )
            for row in rows
        )


def _key(bounce: Bounce) -> str:
    return bounce.address.lower()


def _columns(tenant: str, identity: UUID, bounce: Bounce) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "id": identity,
        "key": _key(bounce),
        "address": bounce.address,
        "action": bounce.action.value,
        "status": storable(bounce.status),
        "diagnostic": storable(bounce.diagnostic),
        "reporting_server": storable(bounce.reporting_server),
        "report_time": bounce.report_time,
        "most": MOST_BOUNCES,
    }
