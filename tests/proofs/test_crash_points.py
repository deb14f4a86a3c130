"""T2: one Send and its delivery, killed before each thing that the process says to anybody."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from service.usecases.reap import Reap
from tests.faults.wiring import Place, wired
from tests.peers.require import require
from tests.proofs.books import Books
from tests.proofs.crash_points import killed_at, missing
from tests.proofs.history import judge
from tests.proofs.replicas import Replica, Replicas
from tests.proofs.sending import Callers, a_request, configure
from tests.proofs.sink import Sink
from tests.proofs.sizes import IS_FULL, SEED, chance

WITHIN: Final = timedelta(seconds=30)
STRIDE: Final = 1 if IS_FULL else 6
"""Of the quick form, which begins anywhere in the first stride."""
MOST: Final = 200
CALLS: Final = ("sendto", "write", "sendmsg")
"""To Postgres and, without uvloop, to the mail server; with it to the mail server, and to the log; to the caller."""


@dataclass(slots=True)
class Stage:
    """A replica that is killed and started again, message by message."""

    replica: Replica
    sink: Sink
    books: Books
    reap: Reap
    callers: Callers = field(default_factory=Callers)
    outcomes: Counter[str] = field(default_factory=Counter)

    async def die_at(self, call: str, number: int) -> bool:
        """Sends a message while the replica is doomed; returns whether it lived until the message was sent."""
        key = f"{call}-{number}"
        await self.sink.forget()
        async with killed_at(self.replica.pid, call, number):
            is_answered = await self.callers.once(self.replica.stub, a_request(key))
            lived = is_answered and await self._is_sent_before_the_end(key)
        await self.replica.kill()
        # The server has read all that was said to it, and only then is judged what it got.
        seen = await self.sink.until(lambda seen: seen.open == 0, within=WITHIN)
        held = await self.books.end_leases([self.replica.worker])
        while await self.reap():
            pass
        await self._judge(key, is_answered=is_answered, begun=seen.begun, held=held)
        await self.replica.start()
        await self.books.until_settled(within=WITHIN)
        if not is_answered:
            await self.callers.until_answered([self.replica], a_request(key))
            await self.books.until_settled(within=WITHIN)
        return lived

    async def _is_sent_before_the_end(self, key: str) -> bool:
        while self.replica.is_running:
            if (await self.books.row(self.callers.answered(key))).state == "SENT":
                return True
            await asyncio.sleep(0.02)
        return False

    async def _judge(self, key: str, *, is_answered: bool, begun: int, held: dict[str, bool]) -> None:
        """Content left only under a mark, and what is marked and not recorded is in doubt, nothing else."""
        fates = [fate for fate in await self.books.fates() if fate.key == key]
        assert len(fates) == 1 if is_answered else len(fates) <= 1
        is_past = any(held.values())
        for fate in fates:
            assert fate.doubts == is_past, f"{key}: {fate} was past its point of no return: {is_past}"
            assert begun == 0 or is_past or fate.state == "SENT", f"{key}: content left without a mark: {fate}"
        assert fates or not begun, f"{key}: content left of what is not stored"
        state = fates[0].state if fates else "not stored"
        self.outcomes[f"{state}, {'answered' if is_answered else 'not answered'}"] += 1


@pytest.fixture
async def stage(replicas: Replicas, sink: Sink, durable_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    require("strace", missing=missing())
    replica = await replicas.start("victim")
    await configure(replica, sink)
    books = await Books.open(durable_url)
    async with wired(Place(str(tmp_path), durable_url)) as parts:
        yield Stage(replica, sink, books, parts.reap())
    await books.close()


@pytest.mark.parametrize("call", CALLS)
async def test_given_one_message_when_killed_before_each_thing_said_then_arrives_once_or_is_in_doubt_after_its_mark(
    stage: Stage, call: str, figures: Callable[[str], None]
) -> None:
    arrivals = []
    first = 1 if IS_FULL else chance(f"crash points {call}").randint(1, STRIDE)

    lived, number = False, first
    for number in range(first, MOST, STRIDE):
        lived = await stage.die_at(call, number)
        arrivals += await stage.sink.arrivals()
        if lived:
            break
    await stage.sink.forget()
    await stage.books.next_attempts_come()
    await stage.books.until_settled(within=WITHIN)
    arrivals += await stage.sink.arrivals()
    verdict = judge(stage.callers.submitted(), arrivals, await stage.books.fates())

    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(stage.outcomes.items()))
    figures(f"T2 crash points, {call} 1 to {number} by {STRIDE}, seed {SEED}: {outcomes}; {verdict}")
    assert lived
    assert not verdict.faults
    assert verdict.acknowledged == verdict.submitted
