"""T6: the rules of a key as a state machine, over the fake store and PostgreSQL: accept, replay, mismatch, expire."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from adapters.postgres.pool import make_pool
from adapters.postgres.unit_of_work import PostgresUnitOfWork
from domain.errors import AlreadyExists
from domain.ports.acceptance import Accepted, NewDelivery
from domain.ports.deliveries import DeliveryFilter
from domain.ports.storage import UnitOfWork
from service.commit_together import CommitTogether
from service.in_flow import InFlow
from service.usecases.known_configurations import KnownConfigurations
from service.usecases.send import Send, Sent
from tests.builders import CONFIGURATION_ID, a_caller, a_configuration, a_message
from tests.fakes.environment import FakeClock, FakeEntropy
from tests.fakes.signals import FakeSignals
from tests.fakes.storage import FakeStore, FakeUnitOfWork
from tests.fakes.vault import FakeVault
from tests.proofs.sizes import IS_FULL

EXAMPLES: Final = 300 if IS_FULL else 15
STEPS: Final = 30 if IS_FULL else 15
REPLICAS: Final = 3
MOST_AT_ONCE: Final = 8
WITHIN: Final = timedelta(seconds=30)
_SECOND: Final = timedelta(seconds=1)
_TENANTS = count(1)

replicas = st.integers(0, REPLICAS - 1)
keys = st.sampled_from(["k1", "k2", "k3"])
contents = st.sampled_from(["first", "second"])
calls = st.tuples(replicas, keys, contents)


class Place(Protocol):
    """A store, and the loop that it lives on."""

    runner: asyncio.Runner

    def uow(self) -> UnitOfWork: ...

    def end_window(self, tenant: str, key: str) -> None:
        """Lets the time of a key be over."""
        ...


class FakePlace:
    def __init__(self, runner: asyncio.Runner) -> None:
        self.runner = runner
        self._store = FakeStore(clock=FakeClock(datetime.now(UTC)))

    def uow(self) -> UnitOfWork:
        return FakeUnitOfWork(self._store)

    def end_window(self, tenant: str, key: str) -> None:
        if (stored := self._store.keys.get((tenant, key))) is not None:
            over = replace(stored.record, expire_time=self._store.clock.now())
            self._store.keys[tenant, key] = replace(stored, record=over)


class PostgresPlace:
    def __init__(self, runner: asyncio.Runner, dsn: str) -> None:
        self.runner = runner
        self._dsn = dsn
        self._pool: Any = runner.run(self._open())

    async def _open(self) -> Any:
        pool = make_pool(self._dsn)
        await pool.open(wait=True)
        return pool

    def uow(self) -> UnitOfWork:
        return PostgresUnitOfWork(pool=self._pool, vault=FakeVault())

    def end_window(self, tenant: str, key: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(
                "update idempotency_key set expire_time = now() where tenant = %s and key = %s", (tenant, key)
            )

    def close(self) -> None:
        self.runner.run(self._pool.close())


@pytest.fixture(params=["fake", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with asyncio.Runner() as runner:
        if request.param == "fake":
            yield FakePlace(runner)
            return
        stored = PostgresPlace(runner, request.getfixturevalue("database_url"))
        yield stored
        stored.close()


class IdempotencyMachine(RuleBasedStateMachine):
    """Several processes over one store, each with its own group commit and its own memory of settings."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.caller = a_caller(tenant=f"tenant-{next(_TENANTS)}")
        clock = FakeClock(datetime.now(UTC))
        entropy = FakeEntropy(seed=next(_TENANTS), clock=clock)
        self.sends = [self._a_process(clock, entropy) for _ in range(REPLICAS)]
        self.standing: dict[str, tuple[str, str]] = {}
        """Content and delivery under each key whose window is not over."""
        self.accepted: set[str] = set()

    def _a_process(self, clock: FakeClock, entropy: FakeEntropy) -> Send:
        commit: CommitTogether[NewDelivery, Accepted | None] = CommitTogether(
            uow=self.place.uow, apply=lambda work, batch: work.deliveries.accept_all(batch)
        )
        return Send(
            uow=self.place.uow,
            commit=commit,
            known=KnownConfigurations(),
            clock=clock,
            entropy=entropy,
            vault=FakeVault(),
            signals=FakeSignals(clock=clock),
            entering=InFlow().entering,
        )

    @initialize()
    def configure(self) -> None:
        """There are settings."""

        async def add() -> None:
            async with self.place.uow() as work:
                await work.configurations.add(replace(a_configuration(), tenant=self.caller.tenant))
                await work.commit()

        self.place.runner.run(add())

    @rule(at_once=st.lists(calls, min_size=1, max_size=MOST_AT_ONCE))
    def send(self, at_once: Sequence[tuple[int, str, str]]) -> None:
        """One call, or several at once; of those with one key, all that say the same are told the same."""
        answers = self.place.runner.run(self._send_all(at_once))
        by_key: dict[str, list[tuple[str, Sent | AlreadyExists]]] = defaultdict(list)
        for (_, key, content), answer in zip(at_once, answers, strict=True):
            by_key[key].append((content, answer))
        for key, told in by_key.items():
            fresh = [answer for _, answer in told if isinstance(answer, Sent) and not answer.is_replay]
            if key in self.standing:
                assert fresh == []
            else:
                (new,) = fresh
                content = next(content for content, answer in told if answer is new)
                self.standing[key] = content, new.view.delivery.delivery_id
                self.accepted.add(new.view.delivery.delivery_id)
            self._check(told, *self.standing[key])

    @staticmethod
    def _check(told: Sequence[tuple[str, Sent | AlreadyExists]], content: str, delivery_id: str) -> None:
        for said, answer in told:
            if said == content:
                assert isinstance(answer, Sent)
                assert answer.view.delivery.delivery_id == delivery_id
            else:
                assert isinstance(answer, AlreadyExists)

    async def _send_all(self, at_once: Sequence[tuple[int, str, str]]) -> list[Sent | AlreadyExists]:
        return await asyncio.gather(*(self._send(*call) for call in at_once))

    async def _send(self, replica: int, key: str, content: str) -> Sent | AlreadyExists:
        message = a_message(subject=content)
        try:
            return await self.sends[replica](
                self.caller, CONFIGURATION_ID, message, key=key, wait=False, time_left=WITHIN
            )
        except AlreadyExists as refused:
            return refused

    @rule(key=keys)
    def end_window(self, key: str) -> None:
        """The key is free again."""
        self.place.end_window(self.caller.tenant, key)
        self.standing.pop(key, None)

    @rule()
    def change_settings(self) -> None:
        """What processes remember of the settings is out of date."""

        async def change() -> None:
            async with self.place.uow() as work:
                found = await work.configurations.find(self.caller.tenant, CONFIGURATION_ID)
                assert found is not None
                changed = replace(found, version=found.version + 1, update_time=found.update_time + _SECOND)
                await work.configurations.save(changed, expected_version=found.version)
                await work.commit()

        self.place.runner.run(change())

    @invariant()
    def has_one_row_a_mail(self) -> None:
        """Nothing else is stored than what was answered as new, and each key leads to its own."""

        async def look() -> None:
            async with self.place.uow() as work:
                page = await work.deliveries.page(self.caller.tenant, DeliveryFilter(), after=None, limit=1_000)
                found = {key: await work.deliveries.accepted(self.caller.tenant, key) for key in ("k1", "k2", "k3")}
            assert sorted(each.delivery_id for each in page) == sorted(self.accepted)
            standing = {key: each.delivery.delivery_id for key, each in found.items() if each is not None}
            assert standing == {key: delivery_id for key, (_, delivery_id) in self.standing.items()}

        self.place.runner.run(look())


def test_given_any_course_of_calls_when_keys_stand_and_end_then_each_has_one_mail_at_a_time(place: Place) -> None:
    run_state_machine_as_test(
        partial(IdempotencyMachine, place),  # type: ignore[arg-type]
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
