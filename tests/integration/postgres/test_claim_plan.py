"""How PostgreSQL finds due work: by the index of what is due, however much has been sent before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import psycopg
import pytest

from adapters.postgres.claim_around import CLAIM_AROUND
from adapters.postgres.delivery_queue import CLAIM, PROBE

_FILL = """
    insert into configuration
    select 'acme', 'c' || n, 2, 1, now(), now() from generate_series(0, 49) n;
    insert into configuration_pause
    select 'acme', 'c' || n, 1, now() - interval '1 second', '{}' from generate_series(0, 4) n;
    insert into delivery (tenant, delivery_id, configuration_id, message_id, sender, recipients, state, in_doubt_policy,
        attempt_count, doubt_count, create_time, update_time, expire_time, next_attempt_time, data_center)
    select 'acme', gen_random_uuid(), 'c' || n % 50, '<m>', 's', '[]',
        case when n % 10 = 0 then 'QUEUED' else 'SENT' end,
        'RETRY', 0, 0, now(), now(), now() + interval '1 day', case when n % 10 = 0 then now() end, ''
    from generate_series(1, 20000) n;
    analyze;
"""
_WHERE = {
    "sites": None,
    "others": None,
    "tenants": ["acme"],
    "ids": ["c7"],
    "limit": 5,
    "lease": timedelta(minutes=1),
    "tenants_passed_over": [],
}


_HIDE: Final = """
    insert into allowance (tenant, configuration_id, wait_until) values ('acme', 'full', now() + interval '1 hour');
    insert into delivery (tenant, delivery_id, configuration_id, message_id, sender, recipients, state, in_doubt_policy,
        attempt_count, doubt_count, create_time, update_time, expire_time, next_attempt_time, data_center)
    select 'acme', gen_random_uuid(), 'full', '<m>', 's', '[]', 'QUEUED', 'RETRY', 0, 0, now(), now(),
        now() + interval '1 day', now() - interval '1 hour', ''
    from generate_series(1, 20000) n;
    analyze;
"""


@pytest.mark.parametrize(("query", "most"), [(CLAIM, 600), (CLAIM_AROUND, 3_000)])
def test_given_twenty_thousand_due_mails_of_an_account_that_waits_when_claimed_then_few_of_them_are_read(
    database_url: str, query: psycopg.sql.Composed, most: int
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL)
        connection.execute(_HIDE)
        connection.execute("set local plan_cache_mode = force_custom_plan")

        rows = connection.execute(
            psycopg.sql.SQL("explain (analyze, buffers off, timing off, format json) ") + query, _WHERE
        ).fetchone()

    assert rows is not None
    assert max(_rows_read(rows[0][0]["Plan"])) <= most, rows[0]


def _rows_read(plan: dict[str, Any]) -> Iterator[float]:
    """Names what each scan of the deliveries touched: what it gave and what it threw away."""
    if plan.get("Relation Name") == "delivery":
        removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        yield (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    for each in plan.get("Plans", []):
        yield from _rows_read(each)


@pytest.mark.parametrize(("query", "index"), [(CLAIM, "delivery_due_by_site"), (PROBE, "delivery_waiting")])
def test_given_much_mail_and_some_pauses_when_claimed_then_it_is_found_by_the_index(
    database_url: str, query: psycopg.sql.Composed, index: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL)

        rows = connection.execute(psycopg.sql.SQL("explain ") + query, _WHERE).fetchall()

    plan = "\n".join(line for (line,) in rows)
    assert f"Index Scan using {index}" in plan, plan
    assert "Seq Scan on delivery " not in plan, plan


@pytest.mark.parametrize("stands_in", [False, True])
def test_given_a_backlog_of_a_site_without_workers_when_others_claim_then_they_look_at_none_of_it(
    database_url: str, stands_in: bool
) -> None:
    """However much waits there, and however long: the other sites' mail must not become slow with it (P8)."""
    where = {**_WHERE, "sites": ["us-1"], "others": ["us-1"] if stands_in else None, "tenants": [], "ids": []}
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL)
        connection.execute(
            """
            update delivery set data_center = 'eu-1', data_center_policy = 'STRICT',
                next_attempt_time = now() - interval '1 hour'
            where state = 'SENT'
            """
        )
        connection.execute("analyze")

        rows = connection.execute(psycopg.sql.SQL("explain (analyze, buffers) ") + CLAIM, where).fetchall()
        claimed = connection.execute(CLAIM, where).fetchall()

    plan = "\n".join(line for (line,) in rows)
    pages = int(plan.split("Buffers: shared hit=")[1].split()[0])
    assert len(claimed) == _WHERE["limit"]
    assert pages < 600, plan  # of some 18,000 rows that wait there
