"""P1 to P5 through Graph: replicas that are killed and answers that are cut lose nothing, and leave no draft behind."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Final

from mailport.v1 import delivery_pb2
from mailport.v1 import mail_service_pb2 as api
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from service.sandbox.graph.simulator import GraphSimulator
from tests.peers.graph import started_graph
from tests.proofs.books import Books
from tests.proofs.graph_side import arrivals, configure
from tests.proofs.history import judge
from tests.proofs.replicas import Replica, Replicas
from tests.proofs.sending import CONFIGURATION, Callers, a_request
from tests.proofs.sizes import SEED, SIZES, chance

REPLICAS: Final = 3
CALLERS: Final = 2
"""At once, for each replica."""
PAUSE_SECONDS: Final = 0.7
"""Of a caller between two messages: in a long storm no more wait than Graph, four at once, can take after it."""
BETWEEN_KILLS: Final = (0.3, 1.5)
"""Seconds, from and to."""
LARGE_EACH: Final = 15
"""One of so many mails goes by draft and upload session, which takes many requests."""
LARGE: Final = random.Random(1).randbytes(3_300_000)
THINKS: Final = timedelta(milliseconds=20)
SETTLES: Final = timedelta(minutes=4)
ROUNDS: Final = 4
"""Of doubts that are tried again."""
SENDING: Final = (Operation.SEND_MAIL, Operation.SEND_DRAFT)


def a_mail(number: int) -> api.SendRequest:
    """Returns a mail; of the small ones each second is held when in doubt."""
    is_large = number % LARGE_EACH == 0
    request = a_request(f"m{number}", holds_doubt=number % 2 == 1 and not is_large)
    if is_large:
        request.message.attachments.append(delivery_pb2.Attachment(file_name="a.bin", content=LARGE))
    return request


def a_fault(choices: random.Random) -> Fault:
    """Returns something that takes the answer away, or with it what was asked for."""
    sends = choices.choice(SENDING)
    return choices.choice(
        [
            Fault(operation=sends, cut=True),
            Fault(operation=sends, cut=True, takes_effect=True),
            Fault(operation=sends, cut=True, unread=True),
            Fault(operation=sends, status=504),
            Fault(operation=sends, status=504, takes_effect=True),
            Fault(operation=sends, status=502, takes_effect=True),
            Fault(operation=Operation.CREATE_DRAFT, cut=True, takes_effect=True),
            Fault(operation=Operation.UPLOAD_RANGE, cut=True),
            Fault(operation=Operation.DELETE_MESSAGE, cut=True),
        ]
    )


class Storm:
    """Load on some replicas, their deaths, and answers that get lost."""

    def __init__(self, replicas: list[Replica], graph: GraphSimulator, books: Books, choices: random.Random) -> None:
        self.callers = Callers()
        self.dead: list[str] = []
        self._replicas = replicas
        self._graph = graph
        self._books = books
        self._choices = choices
        self._numbers = count()
        self._is_over = False

    async def rage(self, kills: int) -> None:
        """Kills *kills* times, and takes as many answers; returns when every caller has its answer."""
        async with asyncio.TaskGroup() as tasks:
            for caller in range(REPLICAS * CALLERS):
                tasks.create_task(self._call(caller))
            for _ in range(kills):
                self._graph.fail_next(a_fault(self._choices))
                await asyncio.sleep(self._choices.uniform(*BETWEEN_KILLS))
                while sum(each.is_serving for each in self._replicas) < 2:  # noqa: ASYNC110 - a start tells nobody
                    await asyncio.sleep(0.05)
                victim = self._choices.choice([each for each in self._replicas if each.is_serving])
                self.dead.append(await victim.kill())
                await self.time_passes()
                tasks.create_task(victim.start())
            self._is_over = True

    async def time_passes(self) -> None:
        """Ends what the dead hold: leases of deliveries, and turns at the mailbox."""
        await self._books.end_leases(self.dead)
        await self._books.end_turns(self.dead)

    async def _call(self, caller: int) -> None:
        while not self._is_over:
            first = caller % REPLICAS
            order = self._replicas[first:] + self._replicas[:first]
            await self.callers.until_answered(order, a_mail(next(self._numbers)))
            await asyncio.sleep(PAUSE_SECONDS)


async def test_given_replicas_on_graph_when_killed_and_answers_cut_then_nothing_is_lost_and_no_draft_is_left(
    replicas: Replicas, durable_url: str, figures: Callable[[str], None]
) -> None:
    begin = time.monotonic()
    async with started_graph() as peer:
        running = [await replicas.start(f"replica-{number}") for number in range(REPLICAS)]
        await configure(running[0], peer, CONFIGURATION)
        books = await Books.open(durable_url)
        storm = Storm(running, peer.graph, books, chance("graph storm"))
        slow = Fault(operation=Operation.SEND_MAIL, delay=THINKS, times=1_000_000)

        await storm.rage(SIZES.graph_kills)
        raged = time.monotonic() - begin
        peer.graph.faults.clear()
        peer.graph.fail_next(slow)
        for _ in range(ROUNDS):
            await storm.time_passes()
            await books.until_settled(within=SETTLES, dead=storm.dead)
            await books.next_attempts_come()
            await asyncio.sleep(1)
        await books.until_settled(within=SETTLES, dead=storm.dead)
        async with asyncio.timeout(60):
            while peer.graph.drafts():  # noqa: ASYNC110 - what a process cleans up tells nobody
                await asyncio.sleep(0.2)
        submitted = storm.callers.submitted()
        verdict = judge(submitted, arrivals(peer), await books.fates())
        held = {each.key for each in submitted if each.holds_doubt}
        most, drafts = peer.graph.records.most_at_once(), len(peer.graph.records.of(Operation.CREATE_DRAFT))
        left = len(peer.graph.drafts())
        await books.close()

    figures(
        f"Graph, {SIZES.graph_kills} kills and as many answers taken in {raged:.0f} s, ended after "
        f"{time.monotonic() - begin:.0f} s, seed {SEED}: {verdict}; {drafts} drafts made, {left} left; at once {most}"
    )
    assert not verdict.faults
    assert verdict.acknowledged == verdict.submitted
    assert set(verdict.in_doubt) <= held
    assert drafts > 0
