"""What the storage ports do not say: rows, ciphertext, collations, and connections that die at a bad moment."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from psycopg_pool import AsyncConnectionPool

from adapters.postgres.connection import BoundedConnection
from adapters.postgres.pool import make_pool
from adapters.postgres.session import Session
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.system.keyring import Key, KeyRing
from adapters.system.vault import AesGcmVault
from domain.configuration import Configuration, activated, with_draft
from domain.delivery import Delivery, DeliveryState
from domain.errors import LeaseLost, SecretUnreadable, Unavailable
from domain.failures.trace import Trace
from domain.ports.delivery_queue import Claim
from domain.reasons import Reason
from domain.secret import Secret
from domain.settings.model import unreadable_secrets
from tests.builders import (
    CONFIGURATION_ID,
    CONTENT,
    NOW,
    OTHER_TENANT,
    TENANT,
    a_configuration,
    a_delivery,
    a_draft,
    a_failure,
    a_mailbox,
    a_recipient,
    a_trace,
    an_attempt,
    an_idempotency_record,
    some_basic_authentication,
    some_settings,
)
from tests.contract.test_unit_of_work import CALLS, outcome
from tests.storing import accept_one, pass_no_return

Pool = AsyncConnectionPool[BoundedConnection]
Admin = psycopg.Connection[tuple[Any, ...]]

MINUTE = timedelta(minutes=1)
SETTINGS = some_settings(
    authentication=some_basic_authentication(password=Secret("plain-password")),
    mailbox=a_mailbox(password=Secret("plain-mailbox-password")),
)


class Repositories:
    """Units of work on one database, and a look behind them."""

    def __init__(self, pool: Pool, admin: Admin) -> None:
        self.pool = pool
        self.admin = admin
        self.vault = a_vault(1)

    def uow(self) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(pool=self.pool, vault=self.vault)

    async def add(self, configuration: Configuration) -> Configuration:
        async with self.uow() as work:
            await work.configurations.add(configuration)
            await work.commit()
        return configuration

    async def find(self, configuration_id: str = CONFIGURATION_ID) -> Configuration:
        async with self.uow() as work:
            found = await work.configurations.find(TENANT, configuration_id)
        assert found is not None
        return found

    async def accept(self, delivery: Delivery, content: bytes = CONTENT) -> Delivery:
        async with self.uow() as work:
            await accept_one(work, delivery, content)
            await work.commit()
        return delivery

    async def claim(self, *, lease: timedelta = MINUTE) -> Claim:
        async with self.uow() as work:
            (claim,) = await work.deliveries.claim(worker="w", lease=lease, limit=1)
            await work.commit()
        return claim

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.admin.execute(query.encode()).fetchall()

    def unreadable(self, configuration: Configuration) -> tuple[str, ...]:
        assert configuration.active is not None
        return unreadable_secrets(configuration.active.settings)


def a_vault(*numbers: int) -> AesGcmVault:
    keys = [Key(number=n, created_at=datetime(2026, 1, n, tzinfo=UTC), material=bytes([n]) * 32) for n in numbers]
    return AesGcmVault(ring=KeyRing(keys=keys, primary=numbers[-1], digest_key=bytes(32)))


@pytest_asyncio.fixture
async def repositories(database_url: str) -> AsyncIterator[Repositories]:
    pool = make_pool(database_url, max_size=len(CALLS) + 4)
    await pool.open(wait=True, timeout=10)
    with psycopg.connect(database_url, autocommit=True) as admin:
        yield Repositories(pool, admin)
    await pool.close()


async def test_given_an_unchanged_revision_when_saved_then_its_row_stays_byte_for_byte(
    repositories: Repositories,
) -> None:
    """F42: nothing is overwritten by a failed decryption, nor by a successful one."""
    configuration = await repositories.add(a_configuration(settings=SETTINGS))
    query = "select number, settings, warnings, basic_password, mailbox_password, create_time from revision"
    before = repositories.rows(query)
    repositories.vault = a_vault(2)

    async with repositories.uow() as work:
        read = await work.configurations.find(TENANT, CONFIGURATION_ID)
        assert read is not None
        drafted = with_draft(read, some_settings(), (), at=NOW)
        await work.configurations.save(drafted, expected_version=configuration.version)
        await work.commit()

    assert repositories.unreadable(read) == ("settings.basic.password", "settings.mailbox.password")
    assert repositories.rows(f"{query} where number = 1") == before


async def test_given_a_draft_proven_when_saved_then_its_sealed_bytes_stay_and_the_retired_ones_are_gone(
    repositories: Repositories,
) -> None:
    configuration = await repositories.add(with_draft(a_configuration(), SETTINGS, (), at=NOW))
    query = "select basic_password from revision where number = 2"
    before = repositories.rows(query)

    async with repositories.uow() as work:
        await work.configurations.save(activated(configuration, at=NOW), expected_version=configuration.version)
        await work.commit()

    assert repositories.rows(query) == before
    assert repositories.rows("select number, role from revision") == [(2, "active")]


async def test_given_secrets_and_content_when_stored_then_no_row_holds_their_text(repositories: Repositories) -> None:
    await repositories.add(a_configuration(settings=SETTINGS))
    await repositories.accept(a_delivery(now=NOW), b"Subject: plain-subject\r\n\r\nplain-body")

    revision = repositories.rows("select settings::text, basic_password, mailbox_password from revision")
    content = repositories.rows("select sealed from delivery_content")

    dumped = b"".join(
        part if isinstance(part, bytes) else part.encode() for row in (*revision, *content) for part in row
    )
    assert b"plain-" not in dumped
    assert len(content[0][0]) > len(b"plain-body")


@pytest.mark.parametrize(
    "move",
    [
        "update revision a set basic_password = b.basic_password from revision b"
        " where a.configuration_id = 'alerts' and b.configuration_id = 'other'",
        "update revision a set basic_password = b.basic_password from revision b"
        " where a.tenant = 'acme' and a.configuration_id = 'alerts' and b.tenant = 'globex'",
        "update revision set basic_password = mailbox_password where configuration_id = 'alerts'",
    ],
    ids=["of_another_configuration", "of_another_tenant", "of_another_field"],
)
async def test_given_p16_a_sealed_secret_moved_when_read_then_it_does_not_open_and_the_rest_does(
    repositories: Repositories, move: str
) -> None:
    await repositories.add(a_configuration(settings=SETTINGS))
    await repositories.add(a_configuration(settings=SETTINGS, configuration_id="other"))
    await repositories.add(a_configuration(settings=SETTINGS, tenant=OTHER_TENANT))

    repositories.admin.execute(move.encode())

    read = await repositories.find()
    assert repositories.unreadable(read) == ("settings.basic.password",)
    assert read.active is not None
    assert read.active.settings.mailbox == SETTINGS.mailbox
    assert repositories.unreadable(await repositories.find("other")) == ()


async def test_given_a_sealed_secret_removed_when_read_then_unreadable_and_never_settings_without_one(
    repositories: Repositories,
) -> None:
    await repositories.add(a_configuration(settings=SETTINGS))

    repositories.admin.execute("update revision set basic_password = null, mailbox_password = null")

    read = await repositories.find()
    assert repositories.unreadable(read) == ("settings.basic.password", "settings.mailbox.password")


async def test_given_p16_content_moved_to_another_delivery_when_read_then_it_does_not_open(
    repositories: Repositories,
) -> None:
    one, other = await repositories.accept(a_delivery()), await repositories.accept(a_delivery())

    repositories.admin.execute(
        """
        update delivery_content a set sealed = b.sealed from delivery_content b
        where a.delivery_id = %s and b.delivery_id = %s
        """,
        (one.delivery_id, other.delivery_id),
    )

    async with repositories.uow() as work:
        with pytest.raises(SecretUnreadable):
            await work.deliveries.content(one)
        assert await work.deliveries.content(other) == CONTENT


async def test_given_f42_a_key_ring_that_grew_when_written_then_rows_carry_the_new_key(
    repositories: Repositories,
) -> None:
    await repositories.add(a_configuration())
    repositories.vault = a_vault(1, 2)

    await repositories.add(a_configuration(configuration_id="new"))

    numbers = "select configuration_id, get_byte(basic_password, 4) from revision order by 1"
    assert repositories.rows(numbers) == [("alerts", 1), ("new", 2)]
    assert repositories.unreadable(await repositories.find()) == ()


async def test_given_records_deleted_when_counted_then_what_belongs_to_them_is_gone(repositories: Repositories) -> None:
    await repositories.add(a_configuration())
    async with repositories.uow() as work:
        now = datetime.now(UTC)
        await accept_one(work, a_delivery(now=now), key=an_idempotency_record(now=now))
        await work.deliveries.claim(worker="w", lease=MINUTE, limit=1)
        await work.configurations.delete(TENANT, CONFIGURATION_ID, expected_version=2)
        await work.commit()

    tables = ("revision", "delivery_content", "attempt", "idempotency_key")
    counts = [repositories.rows(f"select count(*) from {table}")[0][0] for table in tables]
    repositories.admin.execute("delete from delivery")

    assert counts == [0, 1, 1, 1]
    assert [repositories.rows(f"select count(*) from {table}")[0][0] for table in tables] == [0, 0, 0, 0]


async def test_given_a_peers_reply_that_cannot_be_stored_when_recorded_then_the_rest_of_it_is(
    repositories: Repositories,
) -> None:
    """A record that fails would leave the delivery in doubt, and a second copy would be sent."""
    evil = "a\0b\ud800c"
    await repositories.accept(a_delivery(now=datetime.now(UTC)))
    claim = await repositories.claim()
    failure = replace(a_failure(), cause=evil, provider_code=evil, provider_reply=evil)
    steps = tuple(replace(step, reply=evil, detail=evil, peer=evil) for step in a_trace().steps)
    after = replace(
        claim.delivery,
        state=DeliveryState.FAILED,
        failure=failure,
        recipients=(a_recipient(failure=failure, reply=evil),),
    )

    async with repositories.uow() as work:
        await work.deliveries.record(claim, after, an_attempt(failure=failure, trace=Trace(NOW, steps)))
        await work.commit()

    async with repositories.uow() as work:
        stored = await work.deliveries.find(TENANT, after.delivery_id)
        (attempt,) = await work.deliveries.attempts(TENANT, after.delivery_id)
    shown = "a\ufffdb\ufffdc"
    assert stored is not None
    assert stored.recipients[0].reply == shown
    assert stored.failure == replace(failure, cause=shown, provider_code=shown, provider_reply=shown)
    assert attempt.trace is not None
    assert {step.reply for step in attempt.trace.steps} == {shown}


async def test_given_a_reason_of_a_newer_version_when_claimed_then_it_reads_as_internal_with_its_text(
    repositories: Repositories,
) -> None:
    """P29: one row that cannot be read would stop every claim."""
    await repositories.accept(a_delivery(now=datetime.now(UTC), failure=a_failure()))
    repositories.admin.execute("""update delivery set failure = jsonb_set(failure, '{reason}', '"OF_TOMORROW"')""")

    claim = await repositories.claim()

    assert claim.delivery.failure == replace(a_failure(), reason=Reason.INTERNAL)


async def test_given_the_schema_when_read_then_names_are_compared_byte_for_byte(repositories: Repositories) -> None:
    query = """
        select distinct c.collation_name from information_schema.columns c
        where c.table_schema = 'public' and c.column_name in ('tenant', 'configuration_id', 'key')"""

    collations = repositories.rows(query)

    assert collations == [("C",)]


async def test_given_p5_a_worker_that_slept_within_its_transaction_when_it_goes_on_then_its_lease_is_lost(
    repositories: Repositories,
) -> None:
    await repositories.accept(a_delivery(now=datetime.now(UTC)))
    claim = await repositories.claim(lease=timedelta(milliseconds=200))

    async with repositories.uow() as work:
        await work.deliveries.find(TENANT, claim.delivery.delivery_id)  # begins the transaction, and with it now()
        repositories.admin.execute("select pg_sleep(0.25)")
        with pytest.raises(LeaseLost):
            await pass_no_return(work, claim)


async def test_given_a_fault_of_ours_that_was_passed_over_when_committed_then_unavailable_and_nothing_stored(
    repositories: Repositories,
) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK then, and no error: OK must not follow (P1)."""
    delivery = a_delivery()

    async with repositories.uow() as work:
        await accept_one(work, delivery)
        with pytest.raises(psycopg.errors.UniqueViolation):
            await accept_one(work, delivery)
        with pytest.raises(Unavailable):
            await work.commit()

    assert repositories.rows("select count(*) from delivery") == [(0,)]


async def test_given_a_connection_lost_after_the_commit_when_the_unit_is_left_then_nobody_is_told_of_a_failure(
    repositories: Repositories,
) -> None:
    async with repositories.uow() as work:
        await work.configurations.add(a_draft())
        await work.commit()
        await work.configurations.find(TENANT, CONFIGURATION_ID)
        end_backends(repositories)

    assert (await repositories.find()).draft == a_draft().draft


async def test_given_a_connection_lost_when_the_unit_is_left_by_an_error_then_that_error_is_raised(
    repositories: Repositories,
) -> None:
    async def lose() -> None:
        async with repositories.uow() as work:
            await work.configurations.find(TENANT, CONFIGURATION_ID)
            end_backends(repositories)
            raise LeaseLost

    with pytest.raises(LeaseLost):
        await lose()


SESSION_CALLS: dict[str, Callable[[Session], Awaitable[object]]] = {
    "row": lambda session: session.row("select 1", {}),
    "rows": lambda session: session.rows("select 1", {}),
    "execute": lambda session: session.execute("select 1", {}),
    "execute_each": lambda session: session.execute_each("select %(n)s", [{"n": 1}, {"n": 2}]),
}


@pytest.mark.parametrize("call", SESSION_CALLS.values(), ids=SESSION_CALLS.keys())
async def test_given_a_connection_lost_when_its_session_is_used_then_unavailable(
    repositories: Repositories, call: Callable[[Session], Awaitable[object]]
) -> None:
    async with repositories.pool.connection() as connection:
        end_backends(repositories)

        with pytest.raises(Unavailable):
            await call(Session(connection))


async def test_given_f46_backends_that_freeze_when_called_then_each_call_raises_unavailable_in_time(
    repositories: Repositories,
) -> None:
    units = [repositories.uow() for _ in CALLS]
    for unit in units:  # one by one: the pool refuses when too many wait at once
        await unit.__aenter__()
    await asyncio.gather(*(unit.deliveries.attempts(TENANT, a_delivery().delivery_id) for unit in units))
    pids = backends(repositories)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        outcomes = await asyncio.gather(
            *(outcome(call(unit, a_delivery())) for call, unit in zip(CALLS.values(), units, strict=True))
        )
        began = time.monotonic()
        await asyncio.gather(*(unit.__aexit__(None, None, None) for unit in units))
        left_after = time.monotonic() - began
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    assert {error for error, _ in outcomes} == {Unavailable}
    assert max(seconds for _, seconds in outcomes) < 2.6
    assert left_after < 0.5


def backends(repositories: Repositories) -> list[int]:
    query = "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    return [pid for (pid,) in repositories.rows(query)]


def end_backends(repositories: Repositories) -> None:
    for pid in backends(repositories):
        repositories.admin.execute("select pg_terminate_backend(%s, 5000)", (pid,))


async def test_given_f04_a_row_that_cannot_be_read_when_claimed_then_the_others_go_on_and_it_is_put_aside(
    repositories: Repositories, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = await repositories.accept(a_delivery(now=datetime.now(UTC)))
    healthy = await repositories.accept(a_delivery(now=datetime.now(UTC), tenant=OTHER_TENANT))
    repositories.admin.execute(
        "update delivery set recipients = '[{\"address\": 1}]' where delivery_id = %s", (damaged.delivery_id,)
    )

    async with repositories.uow() as work:
        claims = await work.deliveries.claim(worker="w", lease=MINUTE, limit=5)
        await work.commit()
    async with repositories.uow() as work:
        again = await work.deliveries.claim(worker="w", lease=MINUTE, limit=1)

    assert [claim.delivery.delivery_id for claim in claims] == [healthy.delivery_id]
    assert again == ()
    assert [record.getMessage() for record in caplog.records if record.name == "adapters.postgres.delivery_queue"]
    assert repositories.rows("select next_attempt_time > now() from delivery where lease_token is null") == [(True,)]
