"""T5: a database that goes away in every way, again and again, costs time and nothing else (P1, P2, P28)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any, Final

import grpc
import httpx2
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.peers.net import free_port
from tests.proofs.books import Books
from tests.proofs.history import judge
from tests.proofs.outages import Outage, StormyDatabase, stormy_database
from tests.proofs.replicas import Replica, replicas
from tests.proofs.sending import Callers, a_request, configure
from tests.proofs.sink import Sink
from tests.proofs.sizes import SEED, chance
from tests.proofs.spans import percentile
from tests.proofs.storm_sizes import STORM

REPLICAS: Final = 2
CALLERS: Final = 4
"""At once, for each replica."""
PAUSE_SECONDS: Final = 0.05
"""Of a caller between two messages."""
UNDISTURBED: Final = (0.3, 1.0)
"""Seconds between two outages, from and to: mail is under way in each state when the next one comes."""
LONGER: Final = (2.5, 4.0)
"""Seconds that an outage lasts, from and to: longer than what callers wait for."""
ON_THE_WAY_SECONDS: Final = 0.5
"""For content whose point of no return was committed before the outage to begin to leave."""
ANSWERED_WITHIN: Final = 2.5
NOT_READY_WITHIN: Final = 5.0
BACK_WITHIN: Final = 5.0
SETTLES: Final = timedelta(minutes=1)


@dataclass
class Storm:
    """Callers of both replicas, and what they and those who watch met."""

    replicas: list[Replica]
    web: list[int]
    callers: Callers = field(default_factory=Callers)
    failed_after: list[float] = field(default_factory=list)
    """How long each failed call took, seconds."""
    successes: list[float] = field(default_factory=list)
    """When calls were answered."""
    is_over: bool = False

    async def call(self, caller: int, numbers: count[int]) -> None:
        """Sends one message after the other, each until it is answered."""
        stub = self.replicas[caller % len(self.replicas)].stub
        while not self.is_over:
            request = a_request(f"m{next(numbers)}")
            while True:
                begin = time.monotonic()
                if await self.callers.once(stub, request):
                    self.successes.append(time.monotonic())
                    break
                self.failed_after.append(time.monotonic() - begin)
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    async def until_success(self, since: float) -> float:
        """Returns how long after *since* the first call was answered well, in seconds."""
        while not (later := [each for each in self.successes[-100:] if each > since]):  # noqa: ASYNC110 - of callers
            await asyncio.sleep(0.01)
        return later[0] - since

    async def until_ready(self, web: httpx2.AsyncClient, *, is_so: bool) -> float:
        """Returns how long it takes until every replica says that it is ready, or that it is not, in seconds."""

        async def until_one(port: int) -> None:
            while True:
                answer = await web.get(f"http://127.0.0.1:{port}/readyz")
                if (answer.status_code == httpx2.codes.OK) is is_so:
                    return
                await asyncio.sleep(0.05)

        begin = time.monotonic()
        await asyncio.gather(*(until_one(port) for port in self.web))
        return time.monotonic() - begin


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[StormyDatabase]:
    async with stormy_database(tmp_path / "stormy") as made:
        yield made


async def _health(replica: Replica) -> float:
    """Returns how long the health of *replica* takes to answer that it serves, in seconds."""
    begin = time.monotonic()
    async with grpc.aio.insecure_channel(replica.grpc_address) as channel:
        checks: Any = health_pb2_grpc.HealthStub(channel)
        answer = await checks.Check(health_pb2.HealthCheckRequest(), timeout=2)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    return time.monotonic() - begin


def _told(longest: Mapping[Outage, float]) -> str:
    return ", ".join(f"{how.value} {seconds:.2f} s" for how, seconds in longest.items())


async def _within(seconds: float, what: str, waiting: Awaitable[float]) -> float:
    """Returns what *waiting* measured. Raises AssertionError when it takes longer than *seconds*."""
    try:
        return await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        raise AssertionError(f"{what}: more than {seconds} s") from None


async def test_given_load_when_the_database_goes_away_again_and_again_then_nothing_acknowledged_is_missing(
    database: StormyDatabase, sink: Sink, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    choices = chance("database storm")
    not_ready: dict[Outage, float] = {}
    """The longest of each kind, seconds; `back` alike."""
    back: dict[Outage, float] = {}
    health = []
    content_while_down = 0
    began = time.monotonic()
    async with replicas(tmp_path, database.url) as making, httpx2.AsyncClient(timeout=10, trust_env=False) as web:
        ports = [free_port() for _ in range(REPLICAS)]
        running = [
            await making.start(f"replica-{number}", MAILPORT_WEB_ADDRESS=f"127.0.0.1:{port}")
            for number, port in enumerate(ports)
        ]
        await configure(running[0], sink)
        storm = Storm(running, ports)
        numbers = count()

        async with asyncio.TaskGroup() as tasks:
            for caller in range(REPLICAS * CALLERS):
                tasks.create_task(storm.call(caller, numbers))
            for how in islice(cycle(Outage), STORM.outages):
                await asyncio.sleep(choices.uniform(*UNDISTURBED))
                await database.go(how)
                if how is not Outage.KILLED:
                    gone = time.monotonic()
                    watching = tasks.create_task(storm.until_ready(web, is_so=False))
                    await asyncio.sleep(ON_THE_WAY_SECONDS)
                    before = await sink.seen()
                    health.append(await _health(choices.choice(running)))
                    took = await _within(NOT_READY_WITHIN, f"{how}: not ready", watching)
                    not_ready[how] = max(took, not_ready.get(how, 0.0))
                    await asyncio.sleep(max(0, gone + choices.uniform(*LONGER) - time.monotonic()))
                    content_while_down += (await sink.seen()).begun - before.begun
                    await database.come_back(how)
                is_back = time.monotonic()
                took = await _within(BACK_WITHIN, f"{how}: first success", storm.until_success(is_back))
                back[how] = max(took, back.get(how, 0.0))
                await _within(BACK_WITHIN, f"{how}: ready again", storm.until_ready(web, is_so=True))
            storm.is_over = True

        books = await Books.open(database.direct)
        await books.until_settled(within=SETTLES)
        await books.next_attempts_come()  # of those that could not be marked and wait for their next attempt
        await books.until_settled(within=SETTLES)
        verdict = judge(storm.callers.submitted(), await sink.arrivals(), await books.fates())
        await books.close()
        ends = [await replica.stop() for replica in running]

    figures(
        f"T5 database storm, {STORM.outages} outages in {time.monotonic() - began:.0f} s, seed {SEED}: {verdict};"
        f" {len(storm.failed_after)} calls failed, p99 after {percentile(storm.failed_after, 99):.2f} s;"
        f" first success after it was back, at most: {_told(back)}; not ready after, at most: {_told(not_ready)};"
        f" health within {max(health) * 1000:.0f} ms; contents begun while it was away {content_while_down}"
    )
    assert not verdict.faults
    assert verdict.acknowledged == verdict.submitted
    assert content_while_down == 0
    assert percentile(storm.failed_after, 99) < ANSWERED_WITHIN
    assert ends == [0] * REPLICAS
