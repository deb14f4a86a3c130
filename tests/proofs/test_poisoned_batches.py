"""Group commit under poison: what one item breaks costs that item alone, and everybody else's is stored (P1, F04)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest

from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from adapters.system.keyfile import KeyFile
from domain.delivery import DeliveryState
from domain.errors import Unavailable
from domain.ports.acceptance import Accepted, NewDelivery
from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.commit_together import CommitTogether
from service.options import Options, ProcessRole
from tests.builders import CONFIGURATION_ID, a_delivery, a_delivery_id, an_idempotency_record
from tests.end_to_end.conftest import Mailport, a_message, started
from tests.end_to_end.test_journey import reason
from tests.fakes.vault import FakeVault
from tests.faults.wiring import Place

CALLERS = 64
MIDDLE = CALLERS // 2
COMMITS_AT_LEAST_SHARED = 8
"""How many of the callers must have met in one batch, for the test to show anything."""

TAKEN = a_delivery_id()
Poison = Callable[[NewDelivery], NewDelivery]


def an_item(number: int) -> NewDelivery:
    now = datetime.now(UTC)
    record = an_idempotency_record(now=now, key=f"key-{number}", content_digest=b"digest")
    return NewDelivery(a_delivery(now=now, delivery_id=a_delivery_id()), b"Subject: hello\r\n\r\nhello\r\n", record)


def with_delivery(**changes: Any) -> Poison:
    return lambda item: replace(item, delivery=replace(item.delivery, **changes))


def with_key(**changes: Any) -> Poison:
    def poison(item: NewDelivery) -> NewDelivery:
        assert item.key is not None
        return replace(item, key=replace(item.key, **changes))

    return poison


POISONS: dict[str, Poison] = {
    "NUL in text": with_delivery(message_id="<a\0b@example.com>"),
    "text that UTF-8 does not know": with_delivery(message_id="<\ud800@example.com>"),
    "a number out of range": with_delivery(attempt_count=2**40),
    "a state against the check": with_delivery(state=DeliveryState.SENDING),
    "a key that no index holds": with_key(key="".join(chr(0x4E00 + number * 7 % 20_000) for number in range(5_000))),
    "a key with NUL": with_key(key="a\0b"),
    "an id that is taken": lambda item: replace(item, delivery=replace(item.delivery, delivery_id=TAKEN)),
    "an id that is none": with_delivery(delivery_id="not-a-uuid"),
}


class Store:
    """The real one, with its units counted."""

    def __init__(self, pool: Any, dsn: str) -> None:
        self._pool = pool
        self._dsn = dsn
        self.largest_batch = 0
        self.accept: CommitTogether[NewDelivery, Accepted | None] = CommitTogether(uow=self.uow, apply=self._apply)

    def uow(self) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(pool=self._pool, vault=FakeVault())

    async def _apply(self, work: Any, batch: Any) -> Any:
        self.largest_batch = max(self.largest_batch, len(batch))
        return await work.deliveries.accept_all(batch)

    async def stored(self) -> dict[str, str]:
        """Returns the id under each key, of deliveries that are there with their content."""
        async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
            cursor = await connection.execute(
                """
                select k.key, d.delivery_id::text from idempotency_key k join delivery d using (tenant, delivery_id)
                join delivery_content c using (tenant, delivery_id)
                """
            )
            return dict(await cursor.fetchall())

    async def count(self) -> tuple[int, int, int]:
        """Returns how many deliveries, contents and keys there are."""
        async with await psycopg.AsyncConnection.connect(self._dsn) as connection:
            cursor = await connection.execute(
                """
                select (select count(*) from delivery), (select count(*) from delivery_content),
                    (select count(*) from idempotency_key)
                """
            )
            row = await cursor.fetchone()
        assert row is not None
        return int(row[0]), int(row[1]), int(row[2])


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    pool = make_pool(database_url)
    await pool.open(wait=True)
    yield Store(pool, database_url)
    await pool.close()


@pytest.fixture
def options(tmp_path: Path, database_url: str) -> Options:
    """Options of a mailport that accepts mail and delivers none."""
    place = Place(str(tmp_path), database_url)
    KeyFile(place.keys_file).create(now=datetime.now(UTC))
    return replace(place.options(), roles=frozenset({ProcessRole.API}))


@pytest.mark.parametrize("poison", POISONS)
async def test_given_a_poisoned_item_among_many_when_committed_together_then_it_fails_alone(
    store: Store, poison: str
) -> None:
    await store.accept(with_delivery(delivery_id=TAKEN)(an_item(1_000)))
    items = [an_item(number) for number in range(CALLERS)]
    items[MIDDLE] = POISONS[poison](items[MIDDLE])

    done = await asyncio.gather(*(store.accept(item) for item in items), return_exceptions=True)

    assert store.largest_batch >= COMMITS_AT_LEAST_SHARED
    failed = done.pop(MIDDLE)
    assert isinstance(failed, Exception)
    assert not isinstance(failed, Unavailable)  # it would not come to anything later either
    del items[MIDDLE]
    assert [each.delivery if isinstance(each, Accepted) else each for each in done] == [each.delivery for each in items]
    expected = {each.key.key: each.delivery.delivery_id for each in items if each.key}
    assert await store.stored() == {**expected, "key-1000": TAKEN}
    assert await store.count() == (CALLERS, CALLERS, CALLERS)


async def test_given_several_kinds_of_poison_at_once_when_committed_together_then_each_fails_alone(
    store: Store,
) -> None:
    await store.accept(with_delivery(delivery_id=TAKEN)(an_item(1_000)))
    items = [an_item(number) for number in range(CALLERS)]
    poisoned = {5 * number + 3: poison for number, poison in enumerate(POISONS.values())}
    for number, poison in poisoned.items():
        items[number] = poison(items[number])

    done = await asyncio.gather(*(store.accept(item) for item in items), return_exceptions=True)

    assert store.largest_batch >= COMMITS_AT_LEAST_SHARED
    assert {number for number, each in enumerate(done) if isinstance(each, Exception)} == set(poisoned)
    well = CALLERS - len(poisoned)
    assert await store.count() == (well + 1, well + 1, well + 1)


async def test_given_keys_and_settings_that_do_not_fit_when_committed_together_then_each_is_told_and_none_is_lost(
    store: Store,
) -> None:
    """What is no fault: a key that stands, the same key twice in a batch, settings that have changed."""
    stands = an_item(1_000)
    await store.accept(stands)
    items = [an_item(number) for number in range(CALLERS)]
    items[10] = with_key(key="key-1000")(items[10])
    items[20] = with_key(key="key-21", content_digest=b"other")(items[20])
    items[30] = replace(items[30], version=7)
    items[40] = replace(with_key(key="key-41")(items[40]), version=7)

    done = await asyncio.gather(*(store.accept(item) for item in items))

    assert store.largest_batch >= COMMITS_AT_LEAST_SHARED
    replayed = done[10]
    assert replayed is not None
    assert (replayed.delivery.delivery_id, replayed.is_replay) == (stands.delivery.delivery_id, True)
    assert done[21] == replace(done[20], is_replay=True) if done[20] else False
    assert done[30] is None
    assert done[40] is None
    assert await store.count() == (CALLERS - 3, CALLERS - 3, CALLERS - 3)
    others = [number for number in range(CALLERS) if number not in (10, 21, 30, 40)]
    assert [done[number] and done[number].is_replay for number in others] == [False] * len(others)  # type: ignore[union-attr]


async def test_given_refused_sends_among_many_when_called_at_once_then_all_others_are_stored(options: Options) -> None:
    """The same through gRPC, where most poison is told from mail at the door."""
    async with started(options) as mailport:
        await mailport.configure()
        await mailport.configure(name="doomed")
        await _send(mailport, "warm", configuration_id="doomed")
        await _send(mailport, "standing")
        await mailport.stub.DeleteConfiguration(api.DeleteConfigurationRequest(configuration_id="doomed"))
        bad: dict[int, dict[str, Any]] = {
            7: {"message": a_message(subject="a\0b")},
            13: {"message": a_message(text_body="x" * (27 * 1024 * 1024))},
            23: {"configuration_id": "doomed"},
            31: {"configuration_id": "missing"},
            41: {"idempotency_key": "standing", "message": a_message(subject="other")},
            53: {"message": a_message(to=[delivery_pb2.Address(address="nobody")])},
            59: {"idempotency_key": "k\0"},
        }

        calls = (_send(mailport, f"key-{number}", **bad.get(number, {})) for number in range(CALLERS))
        done = await asyncio.gather(*calls, return_exceptions=True)

        found = await mailport.stub.ListDeliveries(
            api.ListDeliveriesRequest(configuration_id=CONFIGURATION_ID, page_size=500)
        )
    errors = {number: each for number, each in enumerate(done) if isinstance(each, grpc.aio.AioRpcError)}
    assert {number: reason(error) for number, error in errors.items()} == {
        7: "CONTROL_CHARACTER",
        13: "MESSAGE_TOO_LARGE",
        23: "NOT_FOUND",
        31: "NOT_FOUND",
        41: "IDEMPOTENCY_KEY_REUSED",
        53: "ADDRESS_INVALID",
        59: "VALUE_MALFORMED",
    }
    ids = {each for each in done if isinstance(each, str)}
    assert len(ids) == CALLERS - len(bad)
    assert {each.delivery_id for each in found.deliveries} >= ids
    assert len(found.deliveries) == len(ids) + 1


async def _send(mailport: Mailport, key: str, **changes: Any) -> str:
    fields = {"configuration_id": CONFIGURATION_ID, "message": a_message(), "idempotency_key": key, **changes}
    return (await mailport.stub.Send(api.SendRequest(**fields), timeout=30)).delivery.delivery_id
