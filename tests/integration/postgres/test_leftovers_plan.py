"""How PostgreSQL finds what is old: each step by the index of what it may remove, however much is stored."""

from __future__ import annotations

import psycopg
import pytest

from adapters.postgres.leftovers import FORGET_ENDED, FORGET_KEYS, FORGET_UNDECIDED, SHRED

_FILL = """
    insert into delivery (tenant, delivery_id, configuration_id, message_id, sender, recipients, state, in_doubt_policy,
        attempt_count, doubt_count, create_time, update_time, expire_time, final_time, data_center, has_content)
    select 'acme', gen_random_uuid(), 'c', '<m>', 's', '[]', case when n % 100 = 0 then 'IN_DOUBT' else 'SENT' end,
        'HOLD', 1, 0, now() - n * interval '1 minute', now() - n * interval '1 minute', now(),
        case when n % 100 > 0 then now() - n * interval '1 minute' end, '', n % 2 = 0
    from generate_series(1, 20000) n;
    insert into idempotency_key
    select 'acme', 'k' || n, '', delivery_id, create_time + interval '1 day'
    from (select row_number() over () as n, * from delivery) d;
    analyze;
"""


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (SHRED, "delivery_to_shred"),
        (FORGET_ENDED, "delivery_to_forget"),
        (FORGET_UNDECIDED, "delivery_undecided"),
        (FORGET_KEYS, "idempotency_key_expiring"),
    ],
)
def test_given_much_that_ended_when_the_old_is_removed_then_it_is_found_by_the_index(
    database_url: str, query: str, index: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(_FILL)
        before = connection.execute("select now() - interval '10 days'").fetchone()
        assert before is not None

        rows = connection.execute(f"explain {query}", {"before": before[0], "limit": 200}).fetchall()

    plan = "\n".join(line for (line,) in rows)
    assert f"using {index}" in plan, plan
