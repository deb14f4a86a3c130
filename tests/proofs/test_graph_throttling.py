"""F36: a mailbox that Graph throttles is spared by all replicas together, and all its mail arrives."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import grpc

from mailport.v1 import mail_service_pb2 as api
from service.sandbox.graph.faults import Fault
from service.sandbox.graph.operations import Operation
from tests.peers.graph import started_graph
from tests.proofs.books import Books
from tests.proofs.graph_side import MAILBOX, arrivals, configure
from tests.proofs.history import judge
from tests.proofs.replicas import Replica, Replicas
from tests.proofs.sending import Callers, a_request
from tests.proofs.sizes import SEED, SIZES

REPLICAS: Final = 3
NAMES: Final = ("team-a", "team-b")
"""Two configurations that name the same mailbox."""
GRACE: Final = timedelta(milliseconds=500)
"""After an answer, for what other processes had asked for when it was given."""
THINKS: Final = timedelta(milliseconds=30)
WITHIN: Final = timedelta(minutes=15)
PROVES_EVERY: Final = 1.5
"""Seconds: somebody tries the account meanwhile."""


def troubles(mails: int) -> list[Fault]:
    """Returns what Graph says in the course of *mails*: each kind of wait, twice over their whole number."""
    sending, step = Operation.SEND_MAIL, max(8, mails // 10)
    kinds = [
        Fault(operation=sending, status=429, retry_after=timedelta(seconds=3), skip=step),
        Fault(operation=sending, status=503, retry_after=timedelta(seconds=2), retry_after_as_date=True, skip=2 * step),
        Fault(operation=sending, retry_after=timedelta(seconds=2), skip=3 * step),  # beside a 202
        Fault(operation=sending, status=429, skip=4 * step),  # nothing is said of when
        Fault(operation=sending, status=429, retry_after=timedelta(seconds=4), skip=6 * step),
        Fault(operation=sending, status=503, skip=7 * step),
    ]
    return [*kinds, Fault(operation=sending, delay=THINKS, times=100 * mails)]


async def prove(replica: Replica, told: Counter[str]) -> None:
    """Tries the account again and again; a mailbox at rest is told as such."""
    while True:
        try:
            await replica.stub.CheckAccount(api.CheckAccountRequest(configuration_id=NAMES[0]), timeout=20)
            told["let in"] += 1
        except grpc.aio.AioRpcError as error:
            told[str(error.details())[:60]] += 1
        await asyncio.sleep(PROVES_EVERY)


async def test_given_a_throttled_mailbox_when_three_replicas_send_then_four_at_once_at_most_and_none_in_a_rest(
    replicas: Replicas, durable_url: str, figures: Callable[[str], None]
) -> None:
    begin, told = time.monotonic(), Counter[str]()
    async with started_graph() as peer:
        running = [await replicas.start(f"replica-{number}") for number in range(REPLICAS)]
        await configure(running[0], peer, *NAMES)
        for fault in troubles(SIZES.throttled):
            peer.graph.fail_next(fault)
        callers, books = Callers(), await Books.open(durable_url)
        proving = asyncio.create_task(prove(running[2], told))

        numbers = iter(range(SIZES.throttled))

        async def call(first: int) -> None:
            order = running[first:] + running[:first]
            for number in numbers:
                await callers.until_answered(order, a_request(f"m{number}", configuration=NAMES[number % 2]))

        await asyncio.gather(*(call(caller % REPLICAS) for caller in range(4 * REPLICAS)))
        async with asyncio.timeout(WITHIN.total_seconds()):
            while len({each.key for each in arrivals(peer)}) < SIZES.throttled:
                # What was refused waits for minutes; what the mailbox is spared does not depend on that.
                await books.next_attempts_come()
                await asyncio.sleep(1)
        proving.cancel()
        await books.until_settled(within=WITHIN)
        verdict = judge(callers.submitted(), arrivals(peer), await books.fates())
        await books.close()
        records = peer.graph.records
        most, early = records.most_at_once(MAILBOX), records.inside_retry_after(grace=GRACE)
        statuses = Counter(each.status for each in records if each.operation is Operation.SEND_MAIL)

    took = time.monotonic() - begin
    figures(
        f"Graph throttling, {SIZES.throttled} mails in {took:.0f} s, seed {SEED}: {verdict}; most at once {most}, "
        f"inside a rest {len(early)}; answers {dict(statuses)}; proofs {dict(told)}"
    )
    assert not verdict.faults
    assert verdict.doubts == 0
    assert most <= 4
    assert [(each.operation, each.into_retry_after) for each in early] == []
    assert statuses[429] == 3
    assert statuses[503] == 2
    assert told["let in"] > 0
