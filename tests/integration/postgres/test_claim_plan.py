"""How PostgreSQL finds due work: by the index of what is due, however much has been sent before."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

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
_WHERE = {"sites": None, "others": None, "tenants": ["acme"], "ids": ["c7"], "limit": 5, "lease": timedelta(minutes=1)}


@pytest.mark.parametrize(("query", "index"), [(CLAIM, "delivery_due"), (PROBE, "delivery_waiting")])
def test_given_much_mail_and_some_pauses_when_claimed_then_it_is_found_by_the_index_and_not_sorted(
    database_url: str, query: psycopg.sql.Composed, index: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL)

        rows = connection.execute(psycopg.sql.SQL("explain ") + query, _WHERE).fetchall()

    plan = "\n".join(line for (line,) in rows)
    assert f"Index Scan using {index}" in plan, plan
    assert "Seq Scan on delivery " not in plan, plan
    assert query is PROBE or "Sort" not in plan, plan
