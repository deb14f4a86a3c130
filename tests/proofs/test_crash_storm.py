"""T1: replicas that are killed at random under load lose nothing, and repeat nothing without saying so."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Final

from domain.retry import DOUBT_PAUSE
from service.allowances import LANES_PER_ACCOUNT
from tests.proofs.books import Books
from tests.proofs.history import judge
from tests.proofs.replicas import Replica, Replicas
from tests.proofs.sending import Callers, a_request, configure
from tests.proofs.sink import Rule, Sink
from tests.proofs.sizes import SEED, SIZES, chance

REPLICAS: Final = 3
CALLERS: Final = 4
"""At once, for each replica."""
REPLAYED: Final = 50
PAUSE_SECONDS: Final = 0.02
"""Of a caller between two messages, so that a long storm has no more of them than a machine can hold."""
THINKS_SECONDS: Final = 0.01
"""The server's time for a message: it makes sure that kills meet attempts past their point of no return."""
ALL_MAY_DIE: Final = 0.2
"""How often nobody but the victim needs to run."""
BETWEEN_KILLS: Final = (0.05, 0.8)
"""Seconds, from and to."""
SETTLES: Final = timedelta(minutes=2)


class Storm:
    """Load on some replicas, and their deaths."""

    def __init__(self, replicas: list[Replica], books: Books, choices: random.Random) -> None:
        self.callers = Callers()
        self.dead: list[str] = []
        """What the killed were called in the database."""
        self._replicas = replicas
        self._books = books
        self._choices = choices
        self._is_over = False
        self._started = asyncio.Condition()

    async def rage(self, kills: int) -> None:
        """Kills *kills* times while callers send; returns when every caller has its answer and all replicas run."""
        numbers = count()
        async with asyncio.TaskGroup() as tasks:
            for caller in range(REPLICAS * CALLERS):
                tasks.create_task(self._call(caller, numbers))
            for _ in range(kills):
                await asyncio.sleep(self._choices.uniform(*BETWEEN_KILLS))
                await self._kill_one(tasks)
            self._is_over = True

    async def _call(self, caller: int, numbers: Iterator[int]) -> None:
        while not self._is_over:
            number = next(numbers)
            first = caller % REPLICAS
            order = self._replicas[first:] + self._replicas[:first]
            await self.callers.until_answered(order, a_request(f"m{number}", holds_doubt=number % 2 == 0))
            await asyncio.sleep(PAUSE_SECONDS)

    async def _kill_one(self, tasks: asyncio.TaskGroup) -> None:
        at_least = 1 if self._choices.random() < ALL_MAY_DIE else 2
        await self._until_serving(at_least)
        victim = self._choices.choice([each for each in self._replicas if each.is_serving])
        self.dead.append(await victim.kill())
        if self._choices.random() < 0.5:  # the others wait longer for what it held: for the end of the storm
            await self._books.end_leases(self.dead)
        tasks.create_task(self._start(victim))

    async def _start(self, replica: Replica) -> None:
        await replica.start()
        async with self._started:
            self._started.notify_all()

    async def _until_serving(self, at_least: int) -> None:
        """Waits for so many: how long a start takes is the machine's affair, and without callers there is no storm."""
        async with self._started:
            await self._started.wait_for(lambda: sum(each.is_serving for each in self._replicas) >= at_least)


async def test_given_replicas_under_load_when_killed_at_random_then_nothing_is_lost_and_each_second_copy_was_in_doubt(
    replicas: Replicas, sink: Sink, durable_url: str, figures: Callable[[str], None]
) -> None:
    begin = time.monotonic()
    running = [await replicas.start(f"replica-{number}") for number in range(REPLICAS)]
    await configure(running[0], sink)
    await sink.script(Rule(step="dot", delay_seconds=THINKS_SECONDS))
    books = await Books.open(durable_url)
    choices = chance("crash storm")
    storm = Storm(running, books, choices)

    await storm.rage(SIZES.kills)
    raged = time.monotonic() - begin
    await books.until_settled(within=SETTLES, dead=storm.dead)
    early = await books.early_retries(DOUBT_PAUSE)
    before = judge(storm.callers.submitted(), await sink.arrivals(), await books.fates())
    await books.next_attempts_come()
    await books.until_settled(within=SETTLES)
    given = [each.key for each in storm.callers.submitted()]
    for key in choices.sample(given, min(REPLAYED, len(given))):
        await storm.callers.until_answered(running, a_request(key, holds_doubt=int(key[1:]) % 2 == 0))
    submitted = storm.callers.submitted()
    verdict = judge(submitted, await sink.arrivals(), await books.fates())
    held = {each.key for each in submitted if each.holds_doubt}
    await books.close()

    drained = time.monotonic() - begin - raged
    figures(
        f"T1 crash storm, {SIZES.kills} kills in {raged:.0f} s, drained in {drained:.0f} s, seed {SEED}: {verdict};"
        f" before doubts were tried again {len(before.in_doubt)} in doubt; failed calls {storm.callers.failed_calls}"
    )
    assert not verdict.faults
    assert early == []
    assert verdict.acknowledged == verdict.submitted
    assert set(verdict.in_doubt) <= held
    assert verdict.doubts <= SIZES.kills * LANES_PER_ACCOUNT
