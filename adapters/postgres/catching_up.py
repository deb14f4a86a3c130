"""Waiting mail that changes with its configuration: some at once, and the rest by and by, however much waits."""

from __future__ import annotations

from typing import Any, Final

from adapters.postgres.session import Session
from domain.account import Account
from domain.settings.model import DataCenterPolicy

AT_ONCE: Final = 1000
"""Deliveries in one statement: far within what a statement may take, on a slow disk, too."""
_RELEASE: Final = """
    with waiting as (
        select tenant, delivery_id from delivery
        where tenant = %(tenant)s and configuration_id = %(id)s and state in ('HELD', 'RETRYING')
          and (%(since)s::timestamptz is null or update_time <= %(since)s)
        order by create_time limit %(limit)s for update)
    update delivery d
    set state = 'QUEUED', update_time = now(),
        next_attempt_time = least(now(), d.create_time) -- due at once, the oldest message first
    from waiting w where d.tenant = w.tenant and d.delivery_id = w.delivery_id
    """
_MOVE: Final = """
    with due as (
        select tenant, delivery_id from delivery
        where tenant = %(tenant)s and configuration_id = %(id)s and next_attempt_time is not null
          and (data_center, data_center_policy) is distinct from (%(data_center)s, %(policy)s)
        limit %(limit)s for update),
    resting as (
        select tenant, delivery_id from delivery
        where tenant = %(tenant)s and configuration_id = %(id)s and state in ('HELD', 'RETRYING', 'IN_DOUBT')
          and (data_center, data_center_policy) is distinct from (%(data_center)s, %(policy)s)
        limit %(limit)s for update)
    update delivery d set data_center = %(data_center)s, data_center_policy = %(policy)s
    from (select * from due union select * from resting) w
    where d.tenant = w.tenant and d.delivery_id = w.delivery_id
    """
_NEXT: Final = """
    select tenant, configuration_id, since, is_released, data_center, data_center_policy
    from catch_up order by since limit 1 for update skip locked
    """


class CatchingUp:
    """Some of what waits for a configuration, within one transaction."""

    def __init__(self, *, session: Session) -> None:
        self._session = session

    async def release(self, account: Account) -> int:
        """Makes what is HELD or RETRYING due; returns how many, and notes the rest for `go_on`."""
        released = await self._release(account, since=None)
        if released >= AT_ONCE:
            await self._session.execute(
                """
                insert into catch_up (tenant, configuration_id, since, is_released)
                values (%(tenant)s, %(id)s, now(), true)
                on conflict (tenant, configuration_id) do update set since = excluded.since, is_released = true
                """,
                _names(account),
            )
        return released

    async def move(self, account: Account, data_center: str, policy: DataCenterPolicy) -> int:
        """Makes what waits that of another site; returns how many, and notes the rest for `go_on`."""
        site = {"data_center": data_center, "policy": policy.value}
        moved = await self._move(account, site)
        if moved >= AT_ONCE:
            await self._session.execute(
                """
                insert into catch_up (tenant, configuration_id, since, data_center, data_center_policy)
                values (%(tenant)s, %(id)s, now(), %(data_center)s, %(policy)s)
                on conflict (tenant, configuration_id) do update
                set data_center = excluded.data_center, data_center_policy = excluded.data_center_policy
                """,
                {**_names(account), **site},
            )
        return moved

    async def go_on(self) -> int:
        """Does some more for the configuration that waits longest and that nobody is at; returns how many changed."""
        row = await self._session.row(_NEXT, {})
        if row is None:
            return 0
        account = Account(row["tenant"], row["configuration_id"])
        moved = released = 0
        if row["data_center"] is not None:
            site = {"data_center": row["data_center"], "policy": row["data_center_policy"]}
            moved = await self._move(account, site)
        if row["is_released"]:
            released = await self._release(account, since=row["since"])
        if moved < AT_ONCE and released < AT_ONCE:
            await self._session.execute(
                "delete from catch_up where tenant = %(tenant)s and configuration_id = %(id)s", _names(account)
            )
        return moved + released

    async def _release(self, account: Account, *, since: Any) -> int:
        return await self._session.execute(_RELEASE, {**_names(account), "since": since, "limit": AT_ONCE})

    async def _move(self, account: Account, site: dict[str, str]) -> int:
        return await self._session.execute(_MOVE, {**_names(account), **site, "limit": AT_ONCE})


def _names(account: Account) -> dict[str, str]:
    return {"tenant": account.tenant, "id": account.configuration_id}
