"""T4: a worker that is frozen past its lease and wakes when another has taken over sends and overwrites nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from service.usecases.reap import Reap
from tests.faults.wiring import Place, wired
from tests.proofs.books import Books
from tests.proofs.history import judge
from tests.proofs.replicas import Replica, Replicas
from tests.proofs.sending import Callers, a_request, configure
from tests.proofs.sink import Rule, Sink
from tests.proofs.sizes import SEED, SIZES, chance

WITHIN: Final = timedelta(seconds=30)
BURST: Final = 8
"""Messages at once where the moment is left to chance."""
THINKS_SECONDS: Final = 0.03
"""The server's time for each of them."""


@dataclass(slots=True)
class Stage:
    """Two workers, one to be frozen and one to take over, and a replica that accepts."""

    api: Replica
    workers: list[Replica]
    sink: Sink
    books: Books
    reap: Reap
    database_url: str
    choices: random.Random
    callers: Callers = field(default_factory=Callers)
    taken_over: dict[str, Any] = field(default_factory=dict)
    """How the deliveries were stored that others had brought to their end before their first worker woke."""
    past: int = 0
    """Leases that ran out past the point of no return."""
    unmarked: int = 0
    """The others."""

    async def send(self, configuration: str, key: str, *, holds_doubt: bool = False) -> str:
        await self.callers.until_answered(
            [self.api], a_request(key, configuration=configuration, holds_doubt=holds_doubt)
        )
        return self.callers.answered(key)

    def named(self, worker: str) -> Replica:
        return next(each for each in self.workers if each.worker == worker)

    async def take_over(self, zombie: Replica) -> dict[str, bool]:
        """Lets the leases of *zombie*, which is frozen, run out, and the other worker do what it held."""
        await self.books.end_transactions(zombie.name)
        held = await self.books.end_leases([zombie.worker])
        while await self.reap():
            pass
        try:
            await self.books.until_settled(within=WITHIN)
        except AssertionError:
            for worker in self.workers:
                worker.tell_tasks()
            await asyncio.sleep(1)  # for them to write it: they end with the test
            raise
        pictures = await self.books.pictures()
        self.taken_over |= {delivery_id: pictures[delivery_id] for delivery_id in held}
        self.past += sum(held.values())
        self.unmarked += len(held) - sum(held.values())
        return held


@pytest.fixture
async def stage(replicas: Replicas, sink: Sink, durable_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    api, *workers = [
        await replicas.start(name, MAILPORT_ROLES=roles)
        for name, roles in {"api": "api", "one": "worker", "two": "worker"}.items()
    ]
    books = await Books.open(durable_url)
    async with wired(Place(str(tmp_path), durable_url)) as parts:
        yield Stage(api, workers, sink, books, parts.reap(), durable_url, chance("zombies"))
    await books.close()


async def _freeze_while_connecting(stage: Stage, configuration: str) -> None:
    """Frozen with its claim, before its point of no return: the server's greeting is what it waits for."""
    await stage.sink.script(Rule(step="connect", hold=True, times=1))
    delivery_id = await stage.send(configuration, configuration)
    await stage.sink.until(lambda seen: seen.held == 1, within=WITHIN)
    zombie = stage.named(await stage.books.until_claimed(delivery_id, within=WITHIN))
    await zombie.freeze()

    held = await stage.take_over(zombie)

    assert held == {delivery_id: False}
    await _wake(stage, zombie)


async def _freeze_while_marking(stage: Stage, configuration: str) -> None:
    """Frozen while its mark waits in the database; the server's 354 is there already."""
    await stage.sink.script(Rule(step="connect", hold=True, times=1))
    delivery_id = await stage.send(configuration, configuration, holds_doubt=True)
    await stage.sink.until(lambda seen: seen.held == 1, within=WITHIN)
    zombie = stage.named(await stage.books.until_claimed(delivery_id, within=WITHIN))
    async with await psycopg.AsyncConnection.connect(stage.database_url) as lock:
        await lock.execute("select from delivery where delivery_id = %s for update", (delivery_id,))
        await stage.sink.release()
        await stage.books.until_somebody_waits_for_a_lock(within=WITHIN)
        await zombie.freeze()
        await lock.execute("update delivery set lease_until = clock_timestamp() where delivery_id = %s", (delivery_id,))

    held = await stage.take_over(zombie)

    assert held in ({delivery_id: False}, {})  # empty: its own reaper, or the other's, was faster than this test's
    stage.taken_over |= {delivery_id: (await stage.books.pictures())[delivery_id]}
    stage.unmarked += not held
    await _wake(stage, zombie)


async def _wake(stage: Stage, zombie: Replica) -> None:
    """Wakes it, waits until it has hung up, and proves that the server got the content of the other worker alone."""
    before = await stage.sink.seen()
    assert (before.begun, before.taken) == (1, 1)
    zombie.thaw()
    await stage.sink.release()
    after = await stage.sink.until(lambda seen: seen.ended > before.ended, within=WITHIN)
    assert (after.begun, after.taken) == (1, 1)


async def _freeze_at_random(stage: Stage, configuration: str) -> None:
    """Frozen at any moment of a burst; what was past its point of no return may come twice, and is in doubt then."""
    first, *rest = [f"{configuration}-{number}" for number in range(BURST)]
    await stage.sink.script(Rule(step="dot", delay_seconds=THINKS_SECONDS))
    await stage.send(configuration, first)
    zombie = stage.choices.choice(stage.workers)
    async with asyncio.TaskGroup() as tasks:
        for number, key in enumerate(rest):
            tasks.create_task(stage.send(configuration, key, holds_doubt=number % 2 == 0))
        begun = stage.choices.randrange(1, BURST)
        await stage.sink.until(lambda seen: seen.begun >= begun, within=WITHIN)
        await asyncio.sleep(stage.choices.uniform(0, THINKS_SECONDS))
        await zombie.freeze()
    await stage.take_over(zombie)

    zombie.thaw()
    assert await zombie.stop() == 0  # it has ended all that it had begun
    await zombie.start()


async def test_given_a_worker_that_is_frozen_past_its_lease_when_it_wakes_then_it_sends_and_overwrites_nothing(
    stage: Stage, figures: Callable[[str], None]
) -> None:
    moments = (_freeze_while_connecting, _freeze_while_marking, _freeze_at_random)
    arrivals = []

    for number in range(SIZES.zombies):
        configuration = f"zombie-{number}"
        await configure(stage.api, stage.sink, configuration)
        await moments[number % len(moments)](stage, configuration)
        arrivals += await stage.sink.arrivals()
    await stage.sink.forget()

    at_the_end = await stage.books.pictures()
    stale = [each for each, picture in stage.taken_over.items() if at_the_end[each] != picture]
    await stage.books.next_attempts_come()
    await stage.books.until_settled(within=WITHIN)
    arrivals += await stage.sink.arrivals()
    for worker in stage.workers:
        assert await worker.stop() == 0
    verdict = judge(stage.callers.submitted(), arrivals, await stage.books.fates())
    figures(
        f"T4 zombies, {SIZES.zombies} frozen, seed {SEED}: {len(stage.taken_over)} deliveries taken over"
        f" ({stage.unmarked} before their point of no return, {stage.past} past it), stale writes {len(stale)},"
        f" late sends before it {len(verdict.duplicated)}; {verdict}"
    )
    assert not verdict.faults
    assert stale == []
    assert stage.unmarked >= SIZES.zombies * len(moments[:2]) // len(moments)
