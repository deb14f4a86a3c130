"""What a dump of the consent tables shows: no verifier, no token, no state."""

from __future__ import annotations

import psycopg
from psycopg import sql

from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.system.keyring import KeyRing
from adapters.system.vault import AesGcmVault
from domain.secret import Secret
from tests.builders import NOW, a_configuration
from tests.consent_builders import a_consent_session, a_grant, an_access_token

TABLES = ("consent_session", "consent_record", "oauth_grant", "access_token")
CANARY = "c4nary-7f3a"


async def test_given_a_canary_in_verifier_and_tokens_when_rows_are_dumped_then_it_is_in_none(
    database_url: str,
) -> None:
    vault = AesGcmVault(ring=KeyRing.generate(now=NOW))
    async with make_pool(database_url, max_size=1) as pool, PostgresUnitOfWork(pool=pool, vault=vault) as work:
        await work.configurations.add(a_configuration())
        await work.consents.add(a_consent_session(verifier=Secret(CANARY)))
        token = an_access_token(token=Secret(CANARY))
        await work.grants.save(a_grant(refresh_token=Secret(CANARY), access_tokens=(token,)), expected_generation=0)
        await work.commit()

    with psycopg.connect(database_url) as connection:
        rows = {
            table: connection.execute(
                sql.SQL("select row_to_json(t)::text, t::text from {} t").format(sql.Identifier(table))
            ).fetchall()
            for table in TABLES
        }

    dump = str(rows)
    assert all(rows.values())
    assert CANARY not in dump
    assert CANARY.encode().hex() not in dump
