"""Finding due work behind the backlog of accounts that may not send just now, however long that is."""

from __future__ import annotations

from typing import Final

from psycopg import sql

from adapters.postgres.delivery_rows import COLUMNS

LOOKED_AT: Final = 200
"""Due deliveries that a claim looks at in their order, before it goes around what fills them."""
# The sites that have work waiting are found one by one, each by a step in the index, so that the backlog of a site that
# is not this worker's is not looked at, however long it is.
SITE: Final = sql.SQL(
    """
    site as (
        (select w.data_center, w.data_center_policy from delivery w where w.next_attempt_time is not null
        order by w.data_center, w.data_center_policy limit 1)
        union all
        select n.data_center, n.data_center_policy from site s cross join lateral (
            select w.data_center, w.data_center_policy from delivery w
            where w.next_attempt_time is not null
              and (w.data_center, w.data_center_policy) > (s.data_center, s.data_center_policy)
            order by w.data_center, w.data_center_policy limit 1) n)
    """
)
_IS_OURS: Final = sql.SQL(
    """
    (%(sites)s::text[] is null or {of}.data_center = '' or {of}.data_center = any(%(sites)s)
    or ({of}.data_center_policy = 'PREFERRED' and {of}.data_center <> all(%(others)s::text[])))
    """
)
_OLDEST: Final = sql.SQL(
    """
    from site s cross join lateral (
        select w.ctid, w.next_attempt_time, w.delivery_id from delivery w
        where w.data_center = s.data_center and w.data_center_policy = s.data_center_policy
          and w.next_attempt_time <= now()
        order by w.next_attempt_time, w.delivery_id limit {most}) w
    where {is_ours} order by w.next_attempt_time, w.delivery_id
    """
)
# By their places: a bound on the index would not end a scan among a million that are due at one instant, such as a
# campaign, before PostgreSQL 18.
WITHIN_REACH: Final = sql.SQL("d.ctid = any (array(select w.ctid {oldest} limit {most}))").format(
    oldest=_OLDEST.format(most=sql.Literal(LOOKED_AT), is_ours=_IS_OURS.format(of=sql.Identifier("s"))),
    most=sql.Literal(LOOKED_AT),
)
"""With `SITE`."""
MAY_GO: Final = sql.SQL(
    """
    ({of}.tenant, {of}.configuration_id) not in (select * from unnest(%(tenants)s::text[], %(ids)s::text[]))
    and ({of}.tenant, {of}.configuration_id) not in (select r.tenant, r.configuration_id from account_at_rest r)
    and {of}.tenant <> all (%(tenants_passed_over)s::text[])
    """
)
IS_BEYOND: Final = sql.SQL("with recursive {site} select w.delivery_id {oldest} offset {looked_at} limit 1").format(
    site=SITE,
    oldest=_OLDEST.format(most=sql.Literal(LOOKED_AT + 1), is_ours=_IS_OURS.format(of=sql.Identifier("s"))),
    looked_at=sql.Literal(LOOKED_AT),
)
# The accounts that have mail waiting are found one by one, each by a step in the index, then the oldest of each: the
# time that it takes grows with the number of accounts, not with what they have waiting. What waits of one account is
# for one site, but for the few that came back from an attempt since its settings moved it.
CLAIM_AROUND: Final = sql.SQL(
    """
    with recursive account as (
        (select w.tenant, w.configuration_id from delivery w where w.next_attempt_time is not null
        order by w.tenant, w.configuration_id limit 1)
        union all
        select n.tenant, n.configuration_id from account a cross join lateral (
            select w.tenant, w.configuration_id from delivery w
            where w.next_attempt_time is not null
              and (w.tenant, w.configuration_id) > (a.tenant, a.configuration_id)
            order by w.tenant, w.configuration_id limit 1) n),
    oldest as (
        select w.tenant, w.delivery_id from account a cross join lateral (
            select w.tenant, w.delivery_id, w.next_attempt_time from (
                select * from delivery w
                where w.tenant = a.tenant and w.configuration_id = a.configuration_id and w.next_attempt_time <= now()
                order by w.next_attempt_time, w.delivery_id limit {looked_at}) w
            where w.expire_time > now() and {is_ours}
            order by w.next_attempt_time, w.delivery_id limit %(limit)s) w
        where {may_go}
        order by w.next_attempt_time, w.delivery_id limit %(limit)s * 2)
    select {columns}, now() as claim_time, (
        select c.version from configuration c
        where c.tenant = d.tenant and c.configuration_id = d.configuration_id) as version
    from oldest o join delivery d on d.tenant = o.tenant and d.delivery_id = o.delivery_id
    where d.next_attempt_time <= now()
    order by d.next_attempt_time, d.delivery_id limit %(limit)s
    for update of d skip locked
    """
).format(
    columns=COLUMNS,
    may_go=MAY_GO.format(of=sql.Identifier("a")),
    is_ours=_IS_OURS.format(of=sql.Identifier("w")),
    looked_at=sql.Literal(LOOKED_AT),
)
"""Parameters as those of the plain claim; locks no more than it returns but for what others hold."""
