"""T23: replicas that are restarted one after the other under load drain in time, and no caller has to guess (P26)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Final

import grpc

from tests.proofs.books import Books
from tests.proofs.history import judge
from tests.proofs.replicas import Replica, Replicas
from tests.proofs.sending import Callers, a_request, configure
from tests.proofs.sink import Rule, Sink, a_sink
from tests.proofs.sizes import SEED, chance
from tests.proofs.spans import percentile
from tests.proofs.storm_sizes import STORM

REPLICAS: Final = 3
CALLERS: Final = 4
"""At once, for each replica."""
PAUSE_SECONDS: Final = 0.05
"""Of a caller between two messages."""
THINKS_SECONDS: Final = 0.01
"""The server's time for a message: it makes sure that restarts meet attempts past their point of no return."""
UNDISTURBED: Final = (0.1, 0.5)
"""Seconds between two restarts, from and to."""
STUCK_MAILS: Final = 12
"""For each of the stuck servers: more than two replicas attempt at once, so that each has some of them."""
STUCK_EVERY: Final = 10
"""One of so many restarts meets mail for the stuck servers, and takes as long as a drain may wait."""
EXITS_WITHIN: Final = 30.0
WITHIN: Final = timedelta(seconds=30)
SETTLES: Final = timedelta(minutes=2)
GREETS_NEVER: Final = "greets-never"
ANSWERS_NEVER: Final = "answers-never"


class Rollout:
    """Callers of all replicas, and their restarts."""

    def __init__(self, replicas: list[Replica]) -> None:
        self.callers = Callers()
        self.unsafe: Counter[grpc.StatusCode] = Counter()
        """What calls failed with that tells a caller nothing about whether to repeat them."""
        self.drains: list[float] = []
        """How long each took, from SIGTERM to the end, seconds."""
        self.codes: Counter[int] = Counter()
        """The exit codes."""
        self.gone: list[str] = []
        """What those that ended were called in the database."""
        self.is_over = False
        self._replicas = replicas

    async def call(self, caller: int, numbers: Iterator[int]) -> None:
        """Sends one message after the other, each until it is answered; after a failure it goes to the next replica."""
        where = caller
        while not self.is_over:
            number = next(numbers)
            request = a_request(f"m{number}")
            request.wait = number % 4 == 0
            while not await self._is_answered(self._replicas[where % REPLICAS], request):
                where += 1
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _is_answered(self, replica: Replica, request: object) -> bool:
        try:
            return await self.callers.once(replica.stub, request)  # type: ignore[arg-type]
        except grpc.aio.AioRpcError as error:
            self.unsafe[error.code()] += 1
            return False

    async def restart(self, *victims: Replica) -> None:
        """Restarts *victims* side by side."""
        await asyncio.gather(*(self._restart(each) for each in victims))

    async def _restart(self, victim: Replica) -> None:
        self.gone.append(victim.worker)
        begin = time.monotonic()
        self.codes[await victim.stop()] += 1
        self.drains.append(time.monotonic() - begin)
        await victim.start()


async def _stick(server: Sink, where: str, rollout: Rollout, running: list[Replica], prefix: str) -> None:
    """Gives mail to a server that will not go on, and waits until attempts hang there."""
    for number in range(STUCK_MAILS):
        request = a_request(f"{where}-{prefix}-{number}", configuration=where)
        await rollout.callers.until_answered(running, request)
    await server.until(lambda seen: seen.held > 0, within=WITHIN)


async def test_given_load_when_replicas_are_restarted_one_after_the_other_then_they_drain_and_nobody_has_to_guess(
    replicas: Replicas, sink: Sink, durable_url: str, figures: Callable[[str], None]
) -> None:
    choices = chance("rolling restarts")
    running = [await replicas.start(f"replica-{number}") for number in range(REPLICAS)]
    rollout = Rollout(running)
    books = await Books.open(durable_url)
    async with a_sink() as greets_never, a_sink() as answers_never:
        stuck = {GREETS_NEVER: greets_never, ANSWERS_NEVER: answers_never}
        await configure(running[0], sink)
        for name, server in stuck.items():
            await configure(running[0], server, name)
        await sink.script(Rule(step="dot", delay_seconds=THINKS_SECONDS))
        # Once: a new script would leave behind, held for good, who is held by the one before.
        await greets_never.script(Rule(step="connect", hold=True))
        await answers_never.script(Rule(step="dot", hold=True))
        numbers = count()
        begin = time.monotonic()

        async with asyncio.TaskGroup() as tasks:
            for caller in range(REPLICAS * CALLERS):
                tasks.create_task(rollout.call(caller, numbers))
            pairs = STORM.restarts // STUCK_EVERY // 2
            for number in range(STORM.restarts - 2 * pairs):
                await asyncio.sleep(choices.uniform(*UNDISTURBED))
                await rollout.restart(running[number % REPLICAS])
            quick = list(rollout.drains)
            for pair in range(pairs):
                for name, server in stuck.items():
                    await _stick(server, name, rollout, running, str(pair))
                await rollout.restart(running[pair % REPLICAS], running[(pair + 1) % REPLICAS])
            rollout.is_over = True
        for server in stuck.values():
            await server.release()
        await books.end_leases(rollout.gone)
        await books.until_settled(within=SETTLES)
        before = await books.fates()
        await books.next_attempts_come()
        await books.until_settled(within=SETTLES)
        arrivals = [each for server in (sink, *stuck.values()) for each in await server.arrivals()]
        verdict = judge(rollout.callers.submitted(), arrivals, await books.fates())
    doubts = Counter(fate.key.rpartition("-")[0].rpartition("-")[0] for fate in before if fate.doubts)
    await books.close()

    figures(
        f"T23 rolling restarts, {len(rollout.drains)} in {time.monotonic() - begin:.0f} s, seed {SEED}: {verdict};"
        f" exit codes {dict(rollout.codes)}; drain p50 {percentile(quick, 50):.2f} s, longest {max(quick):.2f} s,"
        f" with stuck servers {max(rollout.drains):.2f} s; failed calls"
        f" { {code.name: times for code, times in rollout.callers.failed_with.items()} }, unsafe ones"
        f" { {code.name: times for code, times in rollout.unsafe.items()} }; doubts by server {dict(doubts)}"
    )
    assert rollout.codes == {0: STORM.restarts}
    assert max(rollout.drains) <= EXITS_WITHIN
    assert rollout.unsafe == {}
    assert set(rollout.callers.failed_with) <= {grpc.StatusCode.UNAVAILABLE}
    assert set(doubts) <= {ANSWERS_NEVER}
    assert not verdict.faults
    assert verdict.acknowledged == verdict.submitted
